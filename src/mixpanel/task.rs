//! The words of Mixpanel's task API: kinds, ids, statuses and export links.
//!
//! Invariant: an [`ExportLink`] is a key to a person's data and never prints; a [`TrackingId`] is
//! opaque, harmless, and always one real path segment.

use std::fmt;

use gdpr_jobs::Disclosure;

/// The two families of tasks; they have separate addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TaskKind {
    /// Copies of people's data.
    Retrieval,
    /// Erasure of people's data.
    Deletion,
}

impl TaskKind {
    pub(super) const fn collection(self) -> &'static str {
        match self {
            Self::Retrieval => "data-retrievals",
            Self::Deletion => "data-deletions",
        }
    }
}

/// What a new task is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewTask {
    /// Export what is held.
    Retrieval {
        /// How much is disclosed; only sent for CCPA.
        disclosure: Disclosure,
    },
    /// Erase what is held.
    Deletion,
}

impl NewTask {
    /// The family of the task.
    pub const fn kind(self) -> TaskKind {
        match self {
            Self::Retrieval { .. } => TaskKind::Retrieval,
            Self::Deletion => TaskKind::Deletion,
        }
    }
}

/// Mixpanel's name of a task. Opaque: decimals and UUIDs both occur.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TrackingId(String);

/// Text that cannot be a tracking id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a tracking id: expected 1 to 256 bytes without control characters, not '.' or '..'")]
pub struct InvalidTrackingId;

impl TrackingId {
    /// Longest id, in bytes.
    const MAX_BYTES: usize = 256;

    /// Takes an id from Mixpanel or from our records.
    pub fn new(id: impl Into<String>) -> Result<Self, InvalidTrackingId> {
        let id = id.into();
        let fits = (1..=Self::MAX_BYTES).contains(&id.len())
            && !id.chars().any(char::is_control)
            && !id.trim().is_empty()
            && !matches!(id.as_str(), "." | "..");
        if fits { Ok(Self(id)) } else { Err(InvalidTrackingId) }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TrackingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The address of a finished export. Whoever has it can read the data, so it never prints.
#[derive(Clone, PartialEq, Eq)]
pub struct ExportLink(String);

impl ExportLink {
    /// Takes a link as Mixpanel writes it: outer white space and literal quotes are dropped, and
    /// what is empty then is no link.
    pub fn parse(text: &str) -> Option<Self> {
        let link = text.trim_matches(|c: char| c.is_whitespace() || c == '"' || c == '\'');
        (!link.is_empty()).then(|| Self(link.to_owned()))
    }

    /// The link in clear: for the download, never for a log, an error or a record.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ExportLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExportLink(hidden)")
    }
}

/// Where a task stands at Mixpanel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemoteStatus {
    /// Waits in Mixpanel's queue.
    Pending,
    /// Is being prepared; a deletion can still be cancelled.
    Staging,
    /// Runs; too late to cancel.
    Started,
    /// Done. A retrieval without a link is not ready yet: poll again.
    Success,
    /// Mixpanel gave up: the task is dead, its people need a new one.
    Failure,
    /// Cancelled.
    Revoked,
    /// Mixpanel does not know the task: normal for a moment after creation, a loss after a day.
    NotFound,
    /// Mixpanel failed to look the task up: poll again.
    Unknown,
    /// A word we do not know: poll again. Letters, digits and `_` only, at most 32.
    Other(String),
}

impl RemoteStatus {
    /// Reads a status word in any case, with spaces or hyphens for underscores.
    pub fn parse(word: &str) -> Self {
        let separator = |c: char| if c == ' ' || c == '-' { '_' } else { c };
        let word: String = word.trim().to_ascii_uppercase().chars().map(separator).collect();
        match word.as_str() {
            "PENDING" => Self::Pending,
            "STAGING" => Self::Staging,
            "STARTED" => Self::Started,
            "SUCCESS" => Self::Success,
            "FAILURE" => Self::Failure,
            "REVOKED" => Self::Revoked,
            "NOT_FOUND" => Self::NotFound,
            "UNKNOWN" => Self::Unknown,
            _ => Self::Other(plain(&word)),
        }
    }

    /// The word for `mixpanel_status`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Pending => "PENDING",
            Self::Staging => "STAGING",
            Self::Started => "STARTED",
            Self::Success => "SUCCESS",
            Self::Failure => "FAILURE",
            Self::Revoked => "REVOKED",
            Self::NotFound => "NOT_FOUND",
            Self::Unknown => "UNKNOWN",
            Self::Other(word) => word,
        }
    }
}

/// A foreign word goes to records and logs, so nothing but a plain word is kept of it.
fn plain(word: &str) -> String {
    let plain = word.len() <= 32
        && !word.is_empty()
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if plain { word.to_owned() } else { "UNREADABLE".to_owned() }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_read_in_any_spelling() {
        for (word, status) in [
            ("pending", RemoteStatus::Pending),
            (" Staging ", RemoteStatus::Staging),
            ("STARTED", RemoteStatus::Started),
            ("Success", RemoteStatus::Success),
            ("failure", RemoteStatus::Failure),
            ("REVOKED", RemoteStatus::Revoked),
            ("NOT FOUND", RemoteStatus::NotFound),
            ("not_found", RemoteStatus::NotFound),
            ("Not-Found", RemoteStatus::NotFound),
            ("UNKNOWN", RemoteStatus::Unknown),
            ("paused", RemoteStatus::Other("PAUSED".into())),
        ] {
            assert_eq!(RemoteStatus::parse(word), status, "{word}");
        }
    }

    #[test]
    fn a_strange_status_word_is_not_carried_into_records() {
        for word in ["ada@example.test", "a\nb", "", &"X".repeat(33)] {
            assert_eq!(RemoteStatus::parse(word).as_str(), "UNREADABLE");
        }
    }

    #[test]
    fn a_link_loses_quotes_and_white_space_and_may_be_nothing() {
        let link = ExportLink::parse(" \"https://h.example.test/canary\"\n").unwrap();
        assert_eq!(link.expose(), "https://h.example.test/canary");
        assert_eq!(format!("{link:?}"), "ExportLink(hidden)");
        for nothing in ["", "  ", "\"\"", " ' \" "] {
            assert_eq!(ExportLink::parse(nothing), None);
        }
    }

    #[test]
    fn text_that_would_not_be_a_path_segment_is_no_tracking_id() {
        for text in ["", " ", ".", "..", "a\nb", "\t", &"1".repeat(257)] {
            assert_eq!(TrackingId::new(text), Err(InvalidTrackingId));
        }
        assert_eq!(TrackingId::new("1583792934719392965").unwrap().to_string().len(), 19);
    }
}
