//! What became of a parcel, and what to do about it.
//!
//! Invariant: nothing in here prints an id, a value, a token or Mixpanel's own words.

use std::time::Duration;

use super::reason::Reason;

/// What became of one parcel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Mixpanel took it. On `/track` and `/engage` that means at least one valid record: a single one that it
    /// dropped is not told of.
    Accepted {
        /// How many records fewer `/import` counts than were sent, though it names none as refused. Sending them
        /// again would change nothing; worth a counter.
        uncounted: usize,
    },
    /// These records are refused for good; all others are in.
    Partly {
        /// By index, each once.
        refused: Vec<RefusedRecord>,
    },
    /// All refused, and it is not said because of which record: halve the parcel; a single record that is refused
    /// is refused for good.
    Refused {
        /// Why, as far as Mixpanel's words may be repeated.
        reason: Reason,
    },
    /// More bytes than Mixpanel takes (413): halve the parcel; a single record is refused for good.
    TooLarge,
    /// The project sends more than it may (429, 425): all its senders must wait.
    Throttled {
        /// How long Mixpanel asks to wait, a day at most.
        retry_after: Option<Duration>,
    },
    /// No usable answer: the same parcel again after a back-off. `/import` recognises a repeat by its
    /// `$insert_id`s; `$add` and `$append` on `/engage` may count twice.
    Unavailable {
        /// What happened.
        why: Outage,
        /// Whether Mixpanel may have got some of it. `false` is sure.
        sent: bool,
    },
    /// The project token is wrong (401, 403): nothing of this project until a person looks.
    Unauthorized {
        /// 401 or 403.
        status: u16,
    },
    /// The deadline passed before the first byte left. Nothing was sent.
    Late,
}

/// One record that Mixpanel will never take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedRecord {
    /// Its place in the parcel.
    pub index: usize,
    /// The property that Mixpanel complains of, such as `properties.time`; empty if it names none that may be
    /// repeated.
    pub field: String,
    /// Why, as far as Mixpanel's words may be repeated.
    pub reason: Reason,
}

/// Why there is no usable answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    /// No connection (DNS, refused, TLS).
    Unreachable,
    /// No answer in time.
    Timeout,
    /// The connection broke before the answer.
    ConnectionLost,
    /// 5xx, or a server that gave up on the call (408, 499).
    Server {
        /// The HTTP status.
        status: u16,
        /// How long Mixpanel asks to wait, a day at most.
        retry_after: Option<Duration>,
    },
    /// An answer about the address or the protocol, not about the records, or a page from something in between:
    /// the base address or the region is wrong. Alert.
    Misdirected {
        /// The HTTP status; 3xx are never followed.
        status: u16,
    },
    /// Success by its status, but cut off, too long or not Mixpanel's. Likely in.
    Unreadable {
        /// The HTTP status.
        status: u16,
    },
}
