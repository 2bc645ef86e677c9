//! A person's identifier in Mixpanel: personal data, often an e-mail address.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One `distinct_id`, byte for byte as the caller gave it.
///
/// `Debug` shows nothing of it and there is no `Display`, so that it cannot reach a log or an error
/// by accident. [`DistinctId::expose`] is the one way to the text, and easy to search for.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DistinctId(String);

/// Longest identifier, in bytes.
pub const MAX_BYTES: usize = 512;

/// What Mixpanel puts before a `$device_id` to make a `distinct_id` of it.
const DEVICE_PREFIX: &str = "$device:";

/// Values that stand for "nobody" in Mixpanel (the ids its import refuses): a deletion of one of
/// them would hit the events of many people at once.
const RESERVED: [&str; 20] = [
    "",
    "00000000-0000-0000-0000-000000000000",
    "anon",
    "anonymous",
    "nil",
    "none",
    "null",
    "n/a",
    "na",
    "undefined",
    "unknown",
    "<nil>",
    "0",
    "-1",
    "true",
    "false",
    "[]",
    "{}",
    "lmy47d",
    "nan",
];

impl DistinctId {
    /// Wraps an identifier without checking it; [`crate::Document::parse`] checks what comes from outside.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The identifier in clear, for the API call and the archive; never for a log, an error or a key.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether this is a placeholder that names nobody, compared without case and outer white space,
    /// with or without Mixpanel's prefix for device ids.
    pub fn is_reserved(&self) -> bool {
        let plain = self.0.trim().to_ascii_lowercase();
        RESERVED.contains(&plain.strip_prefix(DEVICE_PREFIX).unwrap_or(&plain))
    }

    /// The `$device_id` in an identifier of the form `$device:X`: the same person under another name.
    #[must_use]
    pub fn device(&self) -> Option<Self> {
        let device = self.0.strip_prefix(DEVICE_PREFIX)?;
        (!device.is_empty()).then(|| Self::new(device))
    }
}

impl fmt::Debug for DistinctId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DistinctId(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_does_not_show_the_identifier() {
        let id = DistinctId::new("ada@example.test");
        assert!(!format!("{id:?} {:?}", vec![&id]).contains("ada"));
    }

    #[test]
    fn an_identifier_of_a_device_has_the_bare_one_in_it() {
        assert_eq!(DistinctId::new("$device:77ab").device(), Some(DistinctId::new("77ab")));
        for id in ["77ab", "$device:", "device:77ab", "x$device:77ab"] {
            assert_eq!(DistinctId::new(id).device(), None);
        }
    }

    #[test]
    fn placeholders_are_reserved_whatever_their_case() {
        let padded = ["", " ", " nil ", "\u{3000}0\t", "$device:", "$device:undefined"];
        for id in ["0", "NULL", "Anonymous", "undefined", "NaN"].into_iter().chain(padded) {
            assert!(DistinctId::new(id).is_reserved());
        }
        for id in ["u1", "00", "nullable", "$device:77ab", "device:0", "\u{feff}0"] {
            assert!(!DistinctId::new(id).is_reserved());
        }
    }
}
