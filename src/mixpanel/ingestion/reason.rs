//! What may be repeated of Mixpanel's complaints.
//!
//! Complaints quote values, and values may be a person's. Invariant: every word in a [`Reason`] or a field stands
//! in a list of ours, or is the plain name of a property; no length of text in makes a longer text out.

use std::fmt;

/// Longest reason, in bytes.
const MAX_REASON: usize = 160;
/// Longest name of a property, in bytes.
const MAX_FIELD: usize = 120;
/// What stands for words that may not be repeated.
const LEFT_OUT: &str = "…";

/// A complaint in words that tell nothing about anybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reason(String);

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Reason {
    /// The words; "no reason given" if there are none.
    pub fn as_str(&self) -> &str {
        if self.0.is_empty() { "no reason given" } else { &self.0 }
    }

    /// Keeps the known words of a complaint; what is between becomes an ellipsis.
    pub(super) fn from_complaint(complaint: &str) -> Self {
        let mut kept = String::new();
        // A long text is a page, not a complaint.
        for word in complaint.split_whitespace().take(200) {
            let next = if is_known(word) { bare(word) } else { LEFT_OUT };
            if next.is_empty() || (next == LEFT_OUT && kept.ends_with(LEFT_OUT)) {
                continue;
            }
            if kept.len() + 1 + next.len() > MAX_REASON {
                break;
            }
            if !kept.is_empty() {
                kept.push(' ');
            }
            kept.push_str(next);
        }
        if kept == LEFT_OUT { Self::default() } else { Self(kept) }
    }
}

/// The name of a property as Mixpanel gives it, if it is a plain path; else nothing.
pub(super) fn field(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'.');
    let fits = name.len() <= MAX_FIELD && name.bytes().all(plain);
    if fits { name.to_owned() } else { String::new() }
}

fn bare(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_ascii_alphabetic() && c != '$')
}

/// Whether all of a word, but for quotes and punctuation around it, is known; of a path, each segment.
fn is_known(word: &str) -> bool {
    let outside = |c: char| c.is_ascii_punctuation() && c != '$';
    let inner = word.trim_matches(outside);
    inner == bare(word)
        && inner
            .split('.')
            .all(|part| WORDS.binary_search(&part.to_ascii_lowercase().as_str()).is_ok())
}

/// The words of complaints. In order, for the search.
const WORDS: &[&str] = &[
    "$anon_id",
    "$append",
    "$delete",
    "$device_id",
    "$distinct_id",
    "$group_id",
    "$group_key",
    "$identified_id",
    "$insert_id",
    "$ip",
    "$remove",
    "$set",
    "$set_once",
    "$time",
    "$token",
    "$union",
    "$unset",
    "$user_id",
    "a",
    "above",
    "add",
    "after",
    "all",
    "allowed",
    "alphanumeric",
    "an",
    "and",
    "another",
    "any",
    "api",
    "are",
    "array",
    "as",
    "at",
    "backoff",
    "bad",
    "batch",
    "be",
    "been",
    "before",
    "below",
    "body",
    "bytes",
    "can",
    "cannot",
    "character",
    "characters",
    "contain",
    "contains",
    "could",
    "credentials",
    "data",
    "date",
    "days",
    "deleted",
    "deprecated",
    "did",
    "digits",
    "disabled",
    "distinct_id",
    "does",
    "duplicate",
    "each",
    "either",
    "empty",
    "error",
    "event",
    "events",
    "exceed",
    "exceeded",
    "exceeds",
    "expected",
    "exponential",
    "failed",
    "field",
    "fields",
    "for",
    "format",
    "found",
    "future",
    "gzip",
    "has",
    "have",
    "id",
    "ids",
    "ignored",
    "in",
    "internal",
    "invalid",
    "is",
    "it",
    "json",
    "key",
    "keys",
    "large",
    "least",
    "length",
    "less",
    "limit",
    "limits",
    "long",
    "longer",
    "malformed",
    "max",
    "maximum",
    "missing",
    "more",
    "most",
    "must",
    "name",
    "nested",
    "no",
    "non-empty",
    "not",
    "null",
    "number",
    "object",
    "of",
    "only",
    "operation",
    "or",
    "out",
    "past",
    "payload",
    "please",
    "point",
    "points",
    "profile",
    "project",
    "properties",
    "property",
    "range",
    "rate",
    "record",
    "records",
    "rejected",
    "request",
    "required",
    "reserved",
    "retry",
    "size",
    "some",
    "string",
    "than",
    "the",
    "time",
    "timestamp",
    "to",
    "token",
    "too",
    "unable",
    "unknown",
    "unsupported",
    "update",
    "validation",
    "value",
    "was",
    "with",
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reason(complaint: &str) -> String {
        Reason::from_complaint(complaint).to_string()
    }

    #[test]
    fn the_words_stand_in_order_and_once() {
        assert!(WORDS.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn what_mixpanel_is_known_to_say_stays_readable() {
        for (complaint, expected) in [
            (
                "'properties.time' is invalid: must be a timestamp",
                "properties.time is invalid must be a timestamp",
            ),
            (
                "some data points in the request failed validation",
                "some data points in the request failed validation",
            ),
            ("request exceeds max limit of 2097152 bytes", "request exceeds max limit of … bytes"),
            (
                "Project exceeded rate limits. Please retry the request with exponential backoff.",
                "Project exceeded rate limits Please retry the request with exponential backoff",
            ),
        ] {
            assert_eq!(reason(complaint), expected);
        }
    }

    #[test]
    fn values_do_not_stay() {
        for (complaint, expected) in [
            ("distinct_id 'jane.doe@example.test' is invalid", "distinct_id … is invalid"),
            ("value jane of property time", "value … of property time"),
            ("time1795000000", "no reason given"),
            ("\"+49 151 234567\" is not allowed", "… is not allowed"),
            ("properties.janes_secret is required", "… is required"),
            ("time=jane", "no reason given"),
            ("jane", "no reason given"),
            ("", "no reason given"),
            ("— \u{0} ' \" $$$", "no reason given"),
        ] {
            assert_eq!(reason(complaint), expected, "{complaint}");
        }
    }

    #[test]
    fn only_plain_paths_are_fields() {
        for plain in ["properties.$insert_id", "event", "$set.plan_2", ""] {
            assert_eq!(field(plain), plain);
        }
        let long = "a".repeat(MAX_FIELD + 1);
        for other in ["jane@example.test", "a b", "properties['x']", "ä", "a\n", &long] {
            assert_eq!(field(other), "");
        }
    }

    proptest! {
        #[test]
        fn a_reason_is_short_and_made_of_known_words(complaint in "(\\PC{0,12} ?|is |time |'[a-z$.]{1,8}' ){0,40}") {
            let reason = Reason::from_complaint(&complaint);
            prop_assert!(reason.0.len() <= MAX_REASON);
            for word in reason.0.split(' ').filter(|word| !word.is_empty() && *word != LEFT_OUT) {
                let known = |part: &str| WORDS.contains(&part.to_ascii_lowercase().as_str());
                prop_assert!(word.split('.').all(known));
            }
        }
    }
}
