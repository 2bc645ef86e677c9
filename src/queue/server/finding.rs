//! What was found about a server, for people and programs.

use std::fmt;

use serde::Serialize;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Works, with a risk.
    Warn,
    /// Does not work, or loses what was promised.
    Fail,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        })
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What was looked at, in a word or two.
    pub what: String,
    /// What was found and, unless all is well, what was expected and what to do.
    pub text: String,
}

impl Finding {
    /// All is well with `what`.
    pub fn ok(what: impl Into<String>, text: impl Into<String>) -> Self {
        Self { level: Level::Ok, what: what.into(), text: text.into() }
    }

    /// There is a risk.
    pub fn warn(what: impl Into<String>, text: impl Into<String>) -> Self {
        Self { level: Level::Warn, what: what.into(), text: text.into() }
    }

    /// Something must be repaired.
    pub fn fail(what: impl Into<String>, text: impl Into<String>) -> Self {
        Self { level: Level::Fail, what: what.into(), text: text.into() }
    }
}
