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

use super::{
    Outcome,
    failure::{Failure, fault},
    output::{Output, complain},
    session,
    table::Table,
};
use crate::{
    config::{Access, Config, Flags, RedisConfig},
    evidence::{InvalidKey, SigningKey},
    queue::{
        Connector,
        server::{Finding, Level, ServerFacts, judge},
    },
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

/// Prints a new key for `GDPR_SIGNING_KEY`; its public half goes to stderr, so that a file takes the secret alone.
pub(super) fn make_signing_key(output: &mut Output) -> Result<Outcome, Failure> {
    let seed = rand::random::<[u8; 32]>();
    let told = |error: InvalidKey| Failure::told(error.to_string());
    let public = SigningKey::from_seed(&seed).map_err(told)?.public();
    let secret = SigningKey::text_of(&seed);
    if output.is_json() {
        let (public_key, key_id) = (public.to_string(), public.id());
        output.json(&serde_json::json!({
            "signing_key": secret, "public_key": public_key, "key_id": key_id,
        }))?;
    } else {
        output.line(secret)?;
        complain(format_args!("public key, for those who verify: {public}"));
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
    let access = config.as_ref().err().and_then(|_| Access::load(flags).ok());
    let redis = match (&config, &access) {
        (Ok(config), _) => Some((&config.redis, config.durability.replicas)),
        (_, Some(access)) => Some((&access.redis, 0)),
        _ => None,
    };
    let redis = match redis {
        Some((redis, replicas)) => redis_servers(redis, replicas, &mut findings).await,
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

/// Looks at every server that takes writes; returns the way to them if there is one.
async fn redis_servers(
    redis: &RedisConfig,
    replicas: u32,
    findings: &mut Vec<Finding>,
) -> Option<Connector> {
    const WHAT: &str = "redis";
    let connector = match session::connector(redis) {
        Ok(connector) => connector,
        Err(failure) => {
            findings.push(Finding::fail(WHAT, failure.to_string()));
            return None;
        }
    };
    if let Err(failure) = session::connect(&connector).await {
        findings.push(Finding::fail(WHAT, failure.to_string()));
        return None;
    }
    let went_away = |error| {
        let text = format!("went away ({}): expected answers; try again", fault(error));
        Finding::fail(WHAT, text)
    };
    let primaries = match connector.primaries().await {
        Ok(primaries) => primaries,
        Err(error) => {
            findings.push(went_away(error));
            return Some(connector);
        }
    };
    let several = primaries.len() > 1;
    for mut primary in primaries {
        let of = |mut finding: Finding| {
            if several {
                finding.what = format!("{} {}", finding.what, primary.name);
            }
            finding
        };
        match ServerFacts::read(&mut primary.connection).await {
            Ok(facts) => {
                findings.push(of(Finding::ok(WHAT, "answers")));
                findings.extend(judge(&facts, replicas).into_iter().map(of));
            }
            Err(error) => findings.push(of(went_away(error))),
        }
    }
    Some(connector)
}
