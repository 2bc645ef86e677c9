//! `check`: looks at everything that the worker needs, and tells what is wrong and what to do.
//!
//! | file | what it looks at |
//! | --- | --- |
//! | here | configuration, Redis |
//! | `project` | archive folder, addresses |
//! | `credentials` | what Mixpanel says to the tokens |

mod credentials;
mod project;

use data_encoding::HEXLOWER;
use secrecy::SecretString;

use super::{
    Outcome,
    failure::{Failure, fault},
    output::Output,
    session,
    table::Table,
};
use crate::{
    config::{Access, Config, Flags},
    queue::server::{Connection, Finding, Level, ServerFacts, judge},
};

/// Prints a new secret for `GDPR_PEPPER`: 32 random bytes in hex.
pub(super) fn make_pepper(output: &mut Output) -> Result<Outcome, Failure> {
    let pepper = HEXLOWER.encode(&rand::random::<[u8; 32]>());
    if output.is_json() {
        output.json(&serde_json::json!({ "pepper": pepper }))?;
    } else {
        output.line(pepper)?;
    }
    Ok(Outcome::Done)
}

/// Looks at everything and prints what it found; done only if nothing failed.
pub(super) async fn check(flags: &Flags, output: &mut Output) -> Result<Outcome, Failure> {
    let findings = look(flags).await;
    if output.is_json() {
        findings.iter().try_for_each(|finding| output.json(finding))?;
    } else {
        let mut table = Table::of_values();
        for Finding { level, what, text } in &findings {
            table.row([&level.to_string(), what, text]);
        }
        output.table(&table)?;
    }
    Ok(Outcome::done_if(findings.iter().all(|finding| finding.level != Level::Fail)))
}

async fn look(flags: &Flags) -> Vec<Finding> {
    let config = Config::load(flags);
    let mut findings = vec![match &config {
        Ok(config) => configured(config),
        Err(error) => Finding::fail("configuration", error.to_string()),
    }];
    // With a half-finished configuration, Redis can often be looked at all the same.
    let url = config.as_ref().ok().map(|config| config.redis_url.clone());
    let url = url.or_else(|| Access::load(flags).ok().map(|access| access.redis_url));
    let redis = match &url {
        Some(url) => redis(url, &mut findings).await,
        None => None,
    };
    for config in config.iter().flat_map(|config| &config.projects) {
        findings.extend(project::look(config, redis.as_ref()).await);
    }
    findings
}

fn configured(config: &Config) -> Finding {
    let names: Vec<_> = config.projects.iter().map(|project| project.project.as_str()).collect();
    Finding::ok("configuration", format!("complete for {}", names.join(", ")))
}

/// Looks at Redis; returns the way to it if there is one.
async fn redis(url: &SecretString, findings: &mut Vec<Finding>) -> Option<Connection> {
    const WHAT: &str = "redis";
    let mut redis = match session::connect(url).await {
        Ok(redis) => redis,
        Err(failure) => {
            findings.push(Finding::fail(WHAT, failure.to_string()));
            return None;
        }
    };
    match ServerFacts::read(&mut redis).await {
        Ok(facts) => {
            findings.push(Finding::ok(WHAT, "answers"));
            findings.extend(judge(&facts));
        }
        Err(error) => {
            let text = format!("went away ({}): expected answers; try again", fault(error));
            findings.push(Finding::fail(WHAT, text));
        }
    }
    Some(redis)
}
