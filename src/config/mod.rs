//! The configuration: flags over environment over `gdpr-worker.toml` over defaults, checked once, before anything starts.
//!
//! [`settings`] lists every setting; [`source`] finds its text; this file gives it a meaning. An error names the variable,
//! what was found and what is expected; the text of a secret is never shown.

mod door;
mod evidence;
mod guard;
mod privacy;
mod project;
mod redis;
pub mod settings;
mod source;

use std::{fmt::Display, net::SocketAddr, path::PathBuf, str::FromStr};

use gdpr_jobs::Project;

pub use door::{DoorConfig, LinkSettings};
pub use evidence::EvidenceConfig;
pub use guard::GuardConfig;
pub use privacy::{EventEndpoint, PrivacyConfig};
pub use project::ProjectConfig;
pub use redis::RedisConfig;
pub use source::{Flags, Secret};

use crate::{
    ledger::{Pepper, Rules},
    queue::Durability,
};
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
    /// Where Redis is.
    pub redis: RedisConfig,
    /// What must be so before a write to Redis counts as kept.
    pub durability: Durability,
    /// Where health, metrics and the status page are served.
    pub listen: Option<SocketAddr>,
    /// The drop-in door for Mixpanel SDKs, if it is wanted.
    pub door: Option<DoorConfig>,
    /// The projects, one or more.
    pub projects: Vec<ProjectConfig>,
}

/// What a command that only reads or enqueues needs: no credentials.
#[derive(Clone, Debug)]
pub struct Access {
    /// Where Redis is.
    pub redis: RedisConfig,
    /// The project.
    pub project: Project,
    /// The secret behind the tags, if it is set.
    pub pepper: Option<Pepper>,
    /// What the ledger goes by.
    pub rules: Rules,
    /// Where archives are kept.
    pub archive_url: String,
    /// Where exports are kept while they are packaged, if that is said.
    pub spool: Option<PathBuf>,
    /// Signed checkpoints and receipts.
    pub evidence: EvidenceConfig,
    /// Consent and the privacy filter.
    pub privacy: PrivacyConfig,
    /// Whose documents are believed.
    pub guard: GuardConfig,
}

impl Config {
    /// Reads and checks everything.
    pub fn load(flags: &Flags) -> Result<Self, ConfigError> {
        let file = source::read_file(flags)?;
        let top = Sources::new(flags, vec![&file]);
        let projects = chosen_projects(&file, &top)?
            .into_iter()
            .map(|(project, tables)| project::project_config(project, &Sources::new(flags, tables)))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            redis: redis::redis(&top)?,
            durability: durability(&top)?,
            listen: address(&top, "listen")?,
            door: door::door(&top)?,
            projects,
        })
    }
}

impl Access {
    /// Reads only what is needed to look at, or to enqueue for, one project.
    pub fn load(flags: &Flags) -> Result<Self, ConfigError> {
        let file = source::read_file(flags)?;
        let top = Sources::new(flags, vec![&file]);
        let (project, tables) = only_project(&file, &top)?;
        let sources = Sources::new(flags, tables);
        let pepper = sources.secret("pepper")?.map(project::pepper).transpose()?;
        let rules = project::rules(&sources)?;
        let text = |key: &str| sources.text(key).map(|(text, _)| text);
        let archive_url = text("archive_url").unwrap_or_default();
        let spool = text("spool").map(PathBuf::from);
        Ok(Self {
            redis: redis::redis(&top)?,
            project,
            pepper,
            rules,
            archive_url,
            spool,
            evidence: evidence::evidence(&sources)?,
            privacy: privacy::privacy(&sources)?,
            guard: guard::guard(&sources)?,
        })
    }
}

/// The address that `health` asks, as `run` would listen on it.
pub fn listen_address(flags: &Flags) -> Result<Option<SocketAddr>, ConfigError> {
    let file = source::read_file(flags)?;
    address(&Sources::new(flags, vec![&file]), "listen")
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

/// The one project that a command is about.
fn only_project<'a>(
    file: &'a toml::Table,
    top: &Sources<'_>,
) -> Result<(Project, Tables<'a>), ConfigError> {
    let mut projects = chosen_projects(file, top)?;
    if projects.len() > 1 {
        return Err(ConfigError::invalid(
            "GDPR_PROJECT",
            "not set, and the file has several projects",
            "the name of one of them",
        ));
    }
    projects
        .pop()
        .ok_or(ConfigError::Missing { variable: "GDPR_PROJECT", expected: "the name of a project" })
}

fn durability(sources: &Sources<'_>) -> Result<Durability, ConfigError> {
    let replicas = project::number(sources, "redis_replicas", 0..=100)?;
    Ok(Durability {
        replicas: u32::try_from(replicas).unwrap_or(u32::MAX),
        allow_volatile: project::switch(sources, "allow_volatile")?,
    })
}

/// An address to listen on, or nothing.
fn address(sources: &Sources<'_>, key: &str) -> Result<Option<SocketAddr>, ConfigError> {
    let (text, _) = sources.text(key).unwrap_or_default();
    if text == "off" {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        ConfigError::invalid(
            project::variable(key),
            format!("{text:?}"),
            "an address and port such as 127.0.0.1:9464, or off",
        )
    })
}

#[cfg(test)]
pub(crate) mod tests;
