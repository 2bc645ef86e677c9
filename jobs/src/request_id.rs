//! The id of a request, safe inside a Redis key and a file name.

use std::{fmt, str::FromStr};

use serde::Serialize;

/// A request's id: `[A-Za-z0-9._-]{1,64}`. A Redis stream entry id is one, too.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct RequestId(String);

impl RequestId {
    /// Longest id, in bytes.
    pub const MAX_BYTES: usize = 64;

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Text that cannot be a request id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a request id: expected 1 to 64 letters, digits, '.', '_' or '-'")]
pub struct InvalidRequestId;

impl FromStr for RequestId {
    type Err = InvalidRequestId;

    fn from_str(id: &str) -> Result<Self, InvalidRequestId> {
        let fits = (1..=Self::MAX_BYTES).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        if fits { Ok(Self(id.to_owned())) } else { Err(InvalidRequestId) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_entry_id_and_a_plain_key_are_request_ids() {
        for id in ["1795000000000-0", "a", "order-17.A_b", &"x".repeat(64)] {
            assert_eq!(id.parse::<RequestId>().map(|id| id.to_string()), Ok(id.to_owned()));
        }
    }

    #[test]
    fn what_could_break_a_key_is_no_request_id() {
        for id in ["", " ", "a b", "a:b", "{a}", "a/b", "a*", "é", "a\n", &"x".repeat(65)] {
            assert_eq!(id.parse::<RequestId>(), Err(InvalidRequestId));
        }
    }
}
