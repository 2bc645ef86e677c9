//! The names of the Redis keys. All keys of a project share the hash tag `{project}`, so that they
//! live in one slot of a Redis Cluster and one script may touch them together.

use std::{fmt, str::FromStr};

/// The name of a project of ours: `[A-Za-z0-9_-]{1,64}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Project(String);

/// A name that cannot be a project's.
#[derive(Debug, thiserror::Error)]
#[error("not a project name: expected 1 to 64 letters, digits, '_' or '-'")]
pub struct InvalidProject;

impl FromStr for Project {
    type Err = InvalidProject;

    fn from_str(name: &str) -> Result<Self, InvalidProject> {
        let fits = (1..=64).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
        if fits { Ok(Self(name.to_owned())) } else { Err(InvalidProject) }
    }
}

impl fmt::Display for Project {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Project {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Builds the keys of one project.
#[derive(Clone, Debug)]
pub struct Keys {
    prefix: String,
}

impl Keys {
    /// Keys for `project`.
    pub fn new(project: &Project) -> Self {
        Self { prefix: format!("gdpr:{{{project}}}:") }
    }

    /// What every key of the project begins with: `gdpr:{project}:`.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Any key of the project, by the part after the prefix.
    pub fn named(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Stream that producers XADD request documents to.
    pub fn requests(&self) -> String {
        self.named("requests")
    }

    /// Stream that producers XADD events and profile updates to.
    pub fn events(&self) -> String {
        self.named("events")
    }

    /// Stream of the events and profile updates that could not be delivered.
    pub fn refused_events(&self) -> String {
        self.named("events:refused")
    }

    /// Hash that counts what the privacy filter did, by reason.
    pub fn filter(&self) -> String {
        self.named("filter")
    }

    /// Hash with the state of one request.
    pub fn request(&self, id: &str) -> String {
        self.named(&format!("request:{id}"))
    }

    /// Hash with the life cycle of one person, by tag.
    pub fn user(&self, tag: &str) -> String {
        self.named(&format!("user:{tag}"))
    }

    /// Stream with the history of everything.
    pub fn ledger(&self) -> String {
        self.named("ledger")
    }

    /// Sorted set of the open requests by deadline, in Unix seconds.
    pub fn due(&self) -> String {
        self.named("due")
    }

    /// Hash that counts requests by `kind.status`.
    pub fn stats(&self) -> String {
        self.named("stats")
    }

    /// Stream of the documents that could not be accepted.
    pub fn rejected(&self) -> String {
        self.named("rejected")
    }

    /// Pub/sub channel that announces each status change of one request.
    pub fn changed(&self, id: &str) -> String {
        self.named(&format!("changed:{id}"))
    }

    /// The producer client's note of the stream entry that carried an id.
    pub fn enqueued(&self, id: &str) -> String {
        self.named(&format!("enqueued:{id}"))
    }
}
