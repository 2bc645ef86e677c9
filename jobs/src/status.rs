//! The words of a request's life. They are part of the contract: never renamed, only added to.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Accepted; waits for a batch.
    Queued,
    /// Its batch is being sent, or the answer to that was lost.
    Submitting,
    /// Mixpanel has it as a task.
    Submitted,
    /// The export is there and is being made into the person's zip.
    Packaging,
    /// Deletion: Mixpanel reported SUCCESS. Retrieval: the archive is there.
    Completed,
    /// The archive was destroyed at the end of its retention.
    Expired,
    /// Withdrawn before it took effect.
    Cancelled,
    /// The document could not be accepted.
    Rejected,
    /// It was given up, with a reason.
    Failed,
    /// Another open request stands for this one.
    Merged,
    /// A person must decide; the legal clock runs.
    Held,
}

impl Status {
    /// Every status, in the order of a request's life.
    pub const ALL: [Self; 11] = [
        Self::Queued,
        Self::Submitting,
        Self::Submitted,
        Self::Packaging,
        Self::Completed,
        Self::Expired,
        Self::Cancelled,
        Self::Rejected,
        Self::Failed,
        Self::Merged,
        Self::Held,
    ];

    /// The word as it stands in Redis.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Submitting => "submitting",
            Self::Submitted => "submitted",
            Self::Packaging => "packaging",
            Self::Completed => "completed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::Merged => "merged",
            Self::Held => "held",
        }
    }

    /// Whether the request still has to be worked on (and its deadline still counts).
    pub const fn is_open(self) -> bool {
        matches!(
            self,
            Self::Queued | Self::Submitting | Self::Submitted | Self::Packaging | Self::Held
        )
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that is no status.
#[derive(Debug, thiserror::Error)]
#[error(
    "not a request status: expected one of queued, submitting, submitted, packaging, completed, expired, cancelled, rejected, failed, merged, held"
)]
pub struct UnknownStatus;

impl FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(word: &str) -> Result<Self, UnknownStatus> {
        Self::ALL.into_iter().find(|status| status.as_str() == word).ok_or(UnknownStatus)
    }
}
