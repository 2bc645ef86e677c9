//! The configuration: flags over environment over `gdpr-worker.toml` over defaults, checked once, before anything starts.
//!
//! [`settings`] lists every setting; [`source`] finds its text; this file gives it a meaning. An error names the variable,
//! what was found and what is expected; the text of a secret is never shown.

pub mod settings;
mod source;

use std::{fmt::Display, net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

use gdpr_jobs::Project;
use secrecy::{ExposeSecret, SecretString};

pub use source::{Flags, Secret};

use crate::ledger::Pepper;
use source::Sources;

/// Why nothing can start.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A required setting is absent.
    #[error("{variable} is not set: expected {expected}")]
    Missing {
        /// The variable.
        variable: &'static str,
        /// What it should hold.
        expected: &'static str,
    },
    /// A setting has a value that it may not have.
    #[error("{variable} is {found}: expected {expected}")]
    Invalid {
        /// The variable.
        variable: String,
        /// What was found.
        found: String,
        /// What it should hold.
        expected: String,
    },
    /// A setting that this version does not carry out.
    #[error(
        "{variable} is set, but this version does not do that yet: remove it, or nothing that relies on it is true"
    )]
    NotYet {
        /// The variable.
        variable: &'static str,
    },
    /// The file cannot be used.
    #[error("{}: {found}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        found: String,
    },
}

impl ConfigError {
    fn invalid(variable: &str, found: impl Display, expected: impl Display) -> Self {
        Self::Invalid {
            variable: variable.to_owned(),
            found: found.to_string(),
            expected: expected.to_string(),
        }
    }
}

/// Everything that a process of ours needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where Redis is; may hold a password.
    pub redis_url: SecretString,
    /// Where health, metrics and the status page are served.
    pub listen: Option<SocketAddr>,
    /// The projects, one or more.
    pub projects: Vec<ProjectConfig>,
}

/// The settings of one project.
#[derive(Clone, Debug)]
pub struct ProjectConfig {
    /// Its name.
    pub project: Project,
    /// The secret behind its tags.
    pub pepper: Pepper,
    /// Token of the Mixpanel project.
    pub project_token: SecretString,
    /// GDPR OAuth token.
    pub oauth_token: Secret,
    /// `us`, `eu` or `in`.
    pub region: String,
    /// Other base URL of the GDPR API.
    pub api_url: Option<String>,
    /// Other base URL of the ingestion API.
    pub ingestion_url: Option<String>,
    /// Opens sealed exports.
    pub export_password: Option<SecretString>,
    /// Hosts that exports may come from; the default list when absent.
    pub export_hosts: Option<String>,
    /// Where archives are kept.
    pub archive_url: String,
    /// Folder for exports while they are packaged.
    pub spool: Option<PathBuf>,
    /// How long an archive lives.
    pub archive_retention: Duration,
    /// How long the hash of a final request stays.
    pub record_retention: Duration,
    /// Gap between two API calls.
    pub request_interval: Duration,
    /// How long a request may wait for company.
    pub linger: Duration,
    /// Identifiers in a retrieval task.
    pub batch_retrieval: usize,
    /// Identifiers in a deletion task.
    pub batch_deletion: usize,
    /// Shortest time between two polls of a task.
    pub poll_min: Duration,
    /// Longest time between two polls of a task.
    pub poll_max: Duration,
    /// After this long the work of a dead worker is taken over.
    pub job_lease: Duration,
    /// How long an API call may take.
    pub call_timeout: Duration,
    /// How long an attempt may be without a recorded answer.
    pub send_lease: Duration,
    /// Quarantine of a deletion whose answer was lost.
    pub unknown_wait_deletion: Duration,
    /// Quarantine of a retrieval whose answer was lost.
    pub unknown_wait_retrieval: Duration,
    /// First wait after a 429 for outstanding work, and after no answer.
    pub backoff_min: Duration,
    /// Longest such wait.
    pub backoff_max: Duration,
    /// How long NOT_FOUND must be said before it is believed.
    pub missing_window: Duration,
}

/// What a command that only reads or enqueues needs: no credentials.
#[derive(Clone, Debug)]
pub struct Access {
    /// Where Redis is; may hold a password.
    pub redis_url: SecretString,
    /// The project.
    pub project: Project,
    /// The secret behind the tags, if it is set.
    pub pepper: Option<Pepper>,
}

impl Config {
    /// Reads and checks everything.
    pub fn load(flags: &Flags) -> Result<Self, ConfigError> {
        let file = source::read_file(flags)?;
        let top = Sources::new(flags, vec![&file]);
        let projects = chosen_projects(&file, &top)?
            .into_iter()
            .map(|(project, tables)| project_config(project, &Sources::new(flags, tables)))
            .collect::<Result<_, _>>()?;
        Ok(Self { redis_url: redis_url(&top)?, listen: listen(&top)?, projects })
    }
}

impl Access {
    /// Reads only what is needed to look at, or to enqueue for, one project.
    pub fn load(flags: &Flags) -> Result<Self, ConfigError> {
        let file = source::read_file(flags)?;
        let top = Sources::new(flags, vec![&file]);
        let mut projects = chosen_projects(&file, &top)?;
        if projects.len() > 1 {
            return Err(ConfigError::invalid(
                "GDPR_PROJECT",
                "not set, and the file has several projects",
                "the name of one of them",
            ));
        }
        let (project, tables) = projects.pop().ok_or(ConfigError::Missing {
            variable: "GDPR_PROJECT",
            expected: "the name of a project",
        })?;
        let pepper = Sources::new(flags, tables).secret("pepper")?.map(pepper).transpose()?;
        Ok(Self { redis_url: redis_url(&top)?, project, pepper })
    }
}

/// The address that `health` asks, as `run` would listen on it.
pub fn listen_address(flags: &Flags) -> Result<Option<SocketAddr>, ConfigError> {
    let file = source::read_file(flags)?;
    listen(&Sources::new(flags, vec![&file]))
}

type Tables<'a> = Vec<&'a toml::Table>;

/// The projects to work for, each with the tables to look in: its own before the file's top.
fn chosen_projects<'a>(
    file: &'a toml::Table,
    top: &Sources<'_>,
) -> Result<Vec<(Project, Tables<'a>)>, ConfigError> {
    let (name, origin) = top.text("project").unwrap_or_default();
    let parse = |name: &str| {
        Project::from_str(name)
            .map_err(|e| ConfigError::invalid("GDPR_PROJECT", format!("{name:?}"), e))
    };
    let Some(tables) = file.get("projects").and_then(toml::Value::as_table) else {
        return Ok(vec![(parse(&name)?, vec![file])]);
    };
    let mut chosen = Vec::new();
    for (project, table) in tables {
        if let (Some(table), true) = (table.as_table(), origin == "default" || *project == name) {
            chosen.push((parse(project)?, vec![table, file]));
        }
    }
    if chosen.is_empty() {
        return Err(ConfigError::invalid(
            "GDPR_PROJECT",
            format!("{name:?}"),
            "the name of a project in the file",
        ));
    }
    Ok(chosen)
}

fn redis_url(sources: &Sources<'_>) -> Result<SecretString, ConfigError> {
    let (text, _) = sources.text("redis_url").unwrap_or_default();
    let known =
        ["redis://", "rediss://", "unix://", "redis+unix://"].iter().any(|s| text.starts_with(s));
    if known {
        return Ok(text.into());
    }
    let scheme = text.split_once("://").map_or("without a scheme", |(scheme, _)| scheme).to_owned();
    Err(ConfigError::invalid(
        "GDPR_REDIS_URL",
        format!("a URL {scheme}"),
        "redis://, rediss:// or unix:// (this version does not yet speak redis+sentinel:// and redis+cluster://)",
    ))
}

fn listen(sources: &Sources<'_>) -> Result<Option<SocketAddr>, ConfigError> {
    let (text, _) = sources.text("listen").unwrap_or_default();
    if text == "off" {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        ConfigError::invalid(
            "GDPR_LISTEN",
            format!("{text:?}"),
            "an address and port such as 127.0.0.1:9464, or off",
        )
    })
}

fn pepper(secret: Secret) -> Result<Pepper, ConfigError> {
    Pepper::new(secret.value).map_err(|e| ConfigError::invalid("GDPR_PEPPER", "too short", e))
}

fn required(
    sources: &Sources<'_>,
    key: &'static str,
    variable: &'static str,
    expected: &'static str,
) -> Result<Secret, ConfigError> {
    sources
        .secret(key)?
        .filter(|s| !s.value.expose_secret().trim().is_empty())
        .ok_or(ConfigError::Missing { variable, expected })
}

fn project_config(project: Project, s: &Sources<'_>) -> Result<ProjectConfig, ConfigError> {
    s.refuse_unsupported()?;
    let text = |key: &str| s.text(key).map(|(text, _)| text);
    let config = ProjectConfig {
        project,
        pepper: pepper(required(
            s,
            "pepper",
            "GDPR_PEPPER",
            "a secret of 32 bytes or more (gdpr-worker check --make-pepper prints one)",
        )?)?,
        project_token: required(
            s,
            "mixpanel_project_token",
            "MIXPANEL_PROJECT_TOKEN",
            "the token of the Mixpanel project",
        )?
        .value,
        oauth_token: required(
            s,
            "mixpanel_oauth_token",
            "MIXPANEL_OAUTH_TOKEN",
            "a GDPR OAuth token (Mixpanel: account settings, Data & Privacy)",
        )?,
        region: region(s)?,
        api_url: text("mixpanel_api_url"),
        ingestion_url: text("mixpanel_ingestion_url"),
        export_password: s.secret("mixpanel_export_password")?.map(|secret| secret.value),
        export_hosts: text("export_hosts"),
        archive_url: text("archive_url").unwrap_or_default(),
        spool: text("spool").map(PathBuf::from),
        archive_retention: duration(s, "archive_retention")?,
        record_retention: duration(s, "record_retention")?,
        request_interval: duration(s, "request_interval")?,
        linger: duration(s, "linger")?,
        batch_retrieval: size(s, "batch_retrieval", 2000)?,
        batch_deletion: size(s, "batch_deletion", 1999)?,
        poll_min: duration(s, "poll_min")?,
        poll_max: duration(s, "poll_max")?,
        job_lease: duration(s, "job_lease")?,
        call_timeout: duration(s, "call_timeout")?,
        send_lease: duration(s, "send_lease")?,
        unknown_wait_deletion: duration(s, "unknown_wait_deletion")?,
        unknown_wait_retrieval: duration(s, "unknown_wait_retrieval")?,
        backoff_min: duration(s, "backoff_min")?,
        backoff_max: duration(s, "backoff_max")?,
        missing_window: duration(s, "missing_window")?,
    };
    check_together(&config)?;
    Ok(config)
}

/// Rules that hold between settings.
fn check_together(c: &ProjectConfig) -> Result<(), ConfigError> {
    let ordered = [
        (
            "GDPR_SEND_LEASE",
            c.send_lease > c.call_timeout,
            "more than GDPR_CALL_TIMEOUT, or an answer on its way would be called lost",
        ),
        ("GDPR_POLL_MAX", c.poll_max >= c.poll_min, "at least GDPR_POLL_MIN"),
        ("GDPR_BACKOFF_MAX", c.backoff_max >= c.backoff_min, "at least GDPR_BACKOFF_MIN"),
    ];
    match ordered.into_iter().find(|(_, holds, _)| !holds) {
        Some((variable, _, expected)) => Err(ConfigError::invalid(variable, "too short", expected)),
        None => Ok(()),
    }
}

fn region(s: &Sources<'_>) -> Result<String, ConfigError> {
    let (text, _) = s.text("mixpanel_region").unwrap_or_default();
    if ["us", "eu", "in"].contains(&text.as_str()) {
        return Ok(text);
    }
    Err(ConfigError::invalid("MIXPANEL_REGION", format!("{text:?}"), "us, eu or in"))
}

fn variable(key: &str) -> &'static str {
    settings::SETTINGS.iter().find(|s| s.key == key).map_or("", |s| s.variable)
}

fn duration(s: &Sources<'_>, key: &str) -> Result<Duration, ConfigError> {
    let (text, _) = s.text(key).unwrap_or_default();
    match humantime::parse_duration(&text) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err(ConfigError::invalid(
            variable(key),
            format!("{text:?}"),
            "a time with a unit, such as 1100ms, 5s, 30m or 7d",
        )),
    }
}

fn size(s: &Sources<'_>, key: &str, most: usize) -> Result<usize, ConfigError> {
    let (text, _) = s.text(key).unwrap_or_default();
    match text.parse() {
        Ok(n) if (1..=most).contains(&n) => Ok(n),
        _ => Err(ConfigError::invalid(
            variable(key),
            format!("{text:?}"),
            format!("a number from 1 to {most}"),
        )),
    }
}

#[cfg(test)]
pub(crate) mod tests;
