//! An entry's document is cut into records, and the reasons why one cannot be read.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

/// Most records in one entry: as many as Mixpanel takes in one call.
pub const MAX_RECORDS: usize = 2000;

/// Longest record, in bytes (<https://docs.mixpanel.com/reference/import-events>).
pub const MAX_RECORD_BYTES: usize = 1024 * 1024;

/// Deepest nesting. Mixpanel itself takes three levels.
pub(super) const MAX_DEPTH: usize = 32;

/// Most ids in one record: Mixpanel takes lists of fewer.
pub(super) const MAX_PEOPLE: usize = 255;

/// Why a document or a record in it cannot be sent. Says nothing of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Bytes that are no text.
    #[error("the entry is not UTF-8: send JSON in UTF-8")]
    NotUtf8,
    /// Text that is no JSON.
    #[error(
        "the entry is not valid JSON at line {line}, column {column}: send one object or an array of 1 to {MAX_RECORDS}"
    )]
    NotJson {
        /// Line of the fault, from 1.
        line: usize,
        /// Column of the fault.
        column: usize,
    },
    /// JSON that is neither an object nor an array.
    #[error(
        "the entry is neither an object nor an array: send one object or an array of 1 to {MAX_RECORDS}"
    )]
    NoRecords,
    /// Too few or too many records.
    #[error("the entry holds {0} records: send 1 to {MAX_RECORDS} in one entry")]
    Count(usize),
    /// A record that is no object.
    #[error("a record is not an object: send an object as /track or /engage take it")]
    NotAnObject,
    /// A record longer than Mixpanel takes.
    #[error("a record has {0} bytes: send at most {MAX_RECORD_BYTES}")]
    TooLong(usize),
    /// A record that nests too deep.
    #[error("a record nests deeper than {MAX_DEPTH} levels: Mixpanel takes 3")]
    TooDeep,
    /// A name that is no text (half a surrogate pair).
    #[error("a property name has an invalid \\u escape: send names as valid text")]
    Name,
    /// An event without a name.
    #[error("an event has no text in 'event': send its name there")]
    NoEventName,
    /// An event whose properties are no object.
    #[error("an event's 'properties' are not an object: send an object or leave it out")]
    Properties,
    /// A profile update of nobody.
    #[error("a profile update has no text or number in '$distinct_id': send whose profile it is")]
    NobodysProfile,
    /// A profile update of a group.
    #[error(
        "a profile update is of a group ('$group_key', '$group_id'): only people's are delivered"
    )]
    Group,
    /// An operator that does not name properties as Mixpanel has it.
    #[error(
        "'{0}' has a value of the wrong form: send an object of properties ('$unset': a list of names)"
    )]
    Operator(&'static str),
    /// A record that names a crowd.
    #[error("a record names more than {MAX_PEOPLE} people: Mixpanel takes fewer")]
    Crowd,
    /// An id that is no id.
    #[error("'{0}' has no id: send text, a number or a list of those")]
    Id(&'static str),
}

impl Unreadable {
    /// One word for the counters.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NotUtf8 => "not_utf8",
            Self::NotJson { .. } => "not_json",
            Self::NoRecords => "no_records",
            Self::Count(_) => "record_count",
            Self::NotAnObject => "not_an_object",
            Self::TooLong(_) => "too_long",
            Self::TooDeep => "too_deep",
            Self::Name => "invalid_name",
            Self::NoEventName => "no_event_name",
            Self::Properties => "invalid_properties",
            Self::NobodysProfile => "no_distinct_id",
            Self::Group => "group_profile",
            Self::Operator(_) => "invalid_operator",
            Self::Crowd => "too_many_ids",
            Self::Id(_) => "invalid_id",
        }
    }
}

/// Cuts an entry's document into the texts of its records: one object, or an array of 1 to [`MAX_RECORDS`].
/// [`super::Record::read`] says whether each is a record; whether a single object is JSON at all, it says as well, so that
/// this text is gone over once.
pub fn records(json: &[u8]) -> Result<Vec<&str>, Unreadable> {
    let text = std::str::from_utf8(json).map_err(|_| Unreadable::NotUtf8)?;
    if text.starts_with('{') && text.ends_with('}') {
        return Ok(vec![text]);
    }
    match text.trim_start().as_bytes().first() {
        Some(b'[') => {
            let Records { records, count } =
                serde_json::from_str(text).map_err(|error| not_json(&error))?;
            if (1..=MAX_RECORDS).contains(&count) {
                Ok(records.into_iter().map(RawValue::get).collect())
            } else {
                Err(Unreadable::Count(count))
            }
        }
        Some(b'{') => {
            let record: &RawValue = serde_json::from_str(text).map_err(|error| not_json(&error))?;
            Ok(vec![record.get()])
        }
        _ => {
            serde_json::from_str::<IgnoredAny>(text).map_err(|error| not_json(&error))?;
            Err(Unreadable::NoRecords)
        }
    }
}

fn not_json(error: &serde_json::Error) -> Unreadable {
    Unreadable::NotJson { line: error.line(), column: error.column() }
}

/// What is wrong with a text that could not be read as an object: it is no JSON, or a name in it is no text.
pub(super) fn fault(json: &str) -> Unreadable {
    serde_json::from_str::<IgnoredAny>(json)
        .map_or_else(|error| not_json(&error), |_| Unreadable::Name)
}

/// The members of an array: not more of them than may be, but all counted.
struct Records<'a> {
    records: Vec<&'a RawValue>,
    count: usize,
}

impl<'de> Deserialize<'de> for Records<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Array;
        impl<'de> Visitor<'de> for Array {
            type Value = Records<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Records<'de>, A::Error> {
                let mut records = Vec::new();
                while records.len() < MAX_RECORDS {
                    let Some(record) = array.next_element()? else { break };
                    records.push(record);
                }
                let mut count = records.len();
                while array.next_element::<IgnoredAny>()?.is_some() {
                    count += 1;
                }
                Ok(Records { records, count })
            }
        }
        deserializer.deserialize_seq(Array)
    }
}

/// How deep the arrays and objects of a valid JSON text nest.
pub(super) fn depth(json: &str) -> usize {
    let (mut depth, mut deepest, mut in_text, mut escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_text,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::consent::{Record, RecordKind};

    fn cut(json: &str) -> Result<Vec<&str>, Unreadable> {
        records(json.as_bytes())
    }

    fn read(json: &str) -> Result<(), Unreadable> {
        for record in cut(json)? {
            Record::read(RecordKind::Event, record)?;
        }
        Ok(())
    }

    #[test]
    fn an_object_is_one_record_and_an_array_is_as_many_as_it_has() {
        assert_eq!(cut(" {\"a\": 1.50} ").unwrap(), [r#"{"a": 1.50}"#]);
        assert_eq!(
            cut(r#"[{"a":1}, {"b":"],["},3]"#).unwrap(),
            [r#"{"a":1}"#, r#"{"b":"],["}"#, "3"]
        );
    }

    #[test]
    fn an_entry_holds_one_to_two_thousand_records() {
        let array = |count: usize| format!("[{}]", vec!["{}"; count].join(","));
        assert_eq!(cut("[]"), Err(Unreadable::Count(0)));
        assert_eq!(cut(&array(2000)).unwrap().len(), 2000);
        assert_eq!(cut(&array(2001)), Err(Unreadable::Count(2001)));
        assert_eq!(cut(&array(5000)), Err(Unreadable::Count(5000)));
    }

    #[test]
    fn what_is_no_json_is_told_by_its_place() {
        assert_eq!(read("{\n \"a\": x}"), Err(Unreadable::NotJson { line: 2, column: 7 }));
        for json in [
            "",
            "{",
            "[{}",
            "{}{}",
            "{\"a\":1}}",
            "{\"properties\":{}]}",
            "[{}] x",
            "{'a':1}",
            "\u{feff}{}",
            "[{},]",
        ] {
            assert!(matches!(read(json), Err(Unreadable::NotJson { .. })), "{json:?}");
        }
        for json in ["3", "null", "\"{}\"", "true"] {
            assert_eq!(cut(json), Err(Unreadable::NoRecords), "{json:?}");
        }
        assert_eq!(records(b"{\"a\":\"\xff\"}").unwrap_err(), Unreadable::NotUtf8);
    }

    #[test]
    fn depth_counts_brackets_but_not_those_in_text() {
        for (json, expected) in
            [("1", 0), ("{}", 1), (r#"{"a":[1,{"b":2}],"c":[]}"#, 3), (r#"["[[[","\"[[",[]]"#, 2)]
        {
            assert_eq!(depth(json), expected, "{json}");
        }
    }
}
