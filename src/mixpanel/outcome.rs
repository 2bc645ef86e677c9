//! What a call to Mixpanel came to: one enum per call, each variant with whose fault it is and
//! what to do.
//!
//! Invariant: nothing in here prints an id, a token, a link or Mixpanel's own words.

use std::time::Duration;

use gdpr_jobs::DistinctId;

use super::{task::TrackingId, wire::TaskReport};

/// What came of an attempt to create a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CreateOutcome {
    /// Mixpanel has the task. Record the id before anything else.
    Accepted {
        /// Mixpanel's name of the task.
        task: TrackingId,
    },
    /// Some people have a live task already, and so the whole batch was refused. Take over the
    /// named tasks for the named people, and send the rest anew; if nobody is named, split.
    Conflict(Conflict),
    /// Surely no task was created.
    Refused(Refusal),
    /// A task may exist. Never treat as a failure: wait out the quarantine first.
    Unknown(Ambiguity),
}

/// People and tasks that stand in the way of a batch; each list may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conflict {
    /// People of our batch that another task already holds.
    pub ids: Vec<DistinctId>,
    /// The tasks that hold them. Mixpanel does not say which task holds whom: poll to see.
    pub tasks: Vec<TrackingId>,
    /// How many ids Mixpanel named that we had not sent: a sign of a mix-up when above 0.
    pub foreign: usize,
}

/// The API surely did nothing. [`Refusal::disposition`] says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Our fault: the batch was empty or named a reserved id, so it was not sent at all.
    Withheld,
    /// The network's fault: no connection (DNS, refused, TLS), so nothing was sent.
    Unreachable,
    /// The operator's: the token is wrong, expired (after a year), or lacks the role.
    Credentials {
        /// 401 or 403.
        status: u16,
    },
    /// The batch's: Mixpanel will never take it as it is. Send the named people, or halves, apart.
    Invalid {
        /// The HTTP status.
        status: u16,
        /// Those of our people whom the answer quotes.
        named: Vec<DistinctId>,
    },
    /// The batch's: more ids or bytes than this project may send at once (413).
    TooLarge,
    /// Ours or the operator's: we called too often, or too much work is outstanding.
    Throttled {
        /// Which limit was hit, if the answer hints at it.
        limit: Throttle,
        /// How long Mixpanel asks us to wait.
        retry_after: Option<Duration>,
    },
    /// The operator's: an answer about the address or the protocol, not about the batch. The base
    /// address or the region is wrong, or something stands in between.
    Misdirected {
        /// The HTTP status; 3xx are never followed.
        status: u16,
    },
}

/// Which limit a 429 is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Throttle {
    /// One call a second: over in moments.
    Pace,
    /// About five years of outstanding day-scans: over in minutes to hours.
    Scans,
    /// It does not say.
    Unspecified,
}

/// No usable answer to a call that may have had its effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ambiguity {
    /// No answer in time.
    Timeout,
    /// The connection broke before the answer.
    ConnectionLost,
    /// The server says that it waited in vain for the call (408, 499).
    RequestTimeout {
        /// The HTTP status.
        status: u16,
    },
    /// 5xx.
    ServerError {
        /// The HTTP status.
        status: u16,
        /// How long Mixpanel asks us to wait.
        retry_after: Option<Duration>,
    },
    /// 2xx, but cut off, too long, or without what was asked for: likely done. Alert.
    Unreadable {
        /// The HTTP status.
        status: u16,
    },
    /// A status that no answer should have (1xx, above 599).
    Unexpected {
        /// The HTTP status.
        status: u16,
    },
}

/// What to do after a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// The same again, not before this time (or a back-off of the caller's).
    Retry {
        /// What Mixpanel asks for.
        after: Option<Duration>,
    },
    /// As `Retry`, but the project's other calls of this class would fare no better: pause them.
    Pause {
        /// What Mixpanel asks for.
        after: Option<Duration>,
    },
    /// Divide the batch; a single id that is refused stands refused.
    Split,
    /// No call of this project until its credentials change.
    StopProject,
    /// Never send this; a person must look.
    Hold,
}

impl Refusal {
    /// What to do about it.
    pub const fn disposition(&self) -> Disposition {
        match self {
            Self::Withheld => Disposition::Hold,
            Self::Unreachable => Disposition::Retry { after: None },
            Self::Credentials { .. } => Disposition::StopProject,
            Self::Misdirected { .. } => Disposition::Pause { after: None },
            Self::Invalid { .. } | Self::TooLarge => Disposition::Split,
            Self::Throttled { retry_after, .. } => Disposition::Pause { after: *retry_after },
        }
    }
}

/// What came of a poll.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PollOutcome {
    /// Mixpanel told where the task stands.
    Report(TaskReport),
    /// Mixpanel does not know the task (404, 410). Like the status `NOT_FOUND`: a loss only when
    /// it stays so for a day.
    NoSuchTask,
    /// Not answered, and why. Says nothing about the task; a single one cannot be split, so what
    /// would be split is polled again later.
    Refused(Refusal),
    /// No usable answer: poll again. Polls have no effect, so nothing is ambiguous.
    Unavailable(Ambiguity),
}

/// What came of an attempt to cancel a deletion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CancelOutcome {
    /// Taken (2xx). A poll that says `REVOKED` confirms it.
    Cancelled,
    /// The task has started: it can no longer be cancelled (405).
    TooLate,
    /// Mixpanel does not know the task (404, 410).
    NoSuchTask,
    /// Surely nothing happened.
    Refused(Refusal),
    /// It may be cancelled: the next poll tells.
    Unknown(Ambiguity),
}

/// What a test of the credentials showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeOutcome {
    /// The API answered as to someone who may call it.
    Good,
    /// 401 or 403: the token is wrong or expired, or its owner lacks the role in this project.
    Bad {
        /// 401 or 403.
        status: u16,
    },
    /// Something answered that is not the API: check base address and region.
    NotTheApi {
        /// The HTTP status.
        status: u16,
    },
    /// The API is too busy to tell (429): try again later.
    Busy {
        /// How long Mixpanel asks us to wait.
        retry_after: Option<Duration>,
    },
    /// No connection (DNS, refused, TLS).
    Unreachable,
    /// No usable answer: try again.
    Unavailable(Ambiguity),
}
