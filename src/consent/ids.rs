//! The ids in a value. Text is an id; a number stands for its decimal text; null, false and true are none.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::{
    names::Meaning,
    records::{MAX_DEPTH, depth},
};

/// What Mixpanel puts before a device id when it serves as a distinct_id.
pub(super) const DEVICE_PREFIX: &str = "$device:";

/// Deepest list of ids.
const MAX_LISTS: usize = 4;

/// A value under the name of an id that is, or has in it, what cannot be an id.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoId;

/// A value under the name of an id.
pub(super) enum IdValue<'a> {
    /// One id.
    One(Cow<'a, str>),
    /// Nobody.
    Nobody,
    /// A list, perhaps of lists.
    List(Vec<&'a RawValue>),
    /// A list as JSON in a text.
    ListInText(String),
    /// An object, or text with half a character in it.
    NoId,
}

impl<'a> IdValue<'a> {
    /// Reads `raw`, the valid JSON of one value that stands under a name of that meaning.
    pub(super) fn read(meaning: Meaning, raw: &'a str) -> Self {
        match raw.as_bytes().first() {
            Some(b'"') => match text(raw) {
                None => Self::NoId,
                Some(text) if meaning == Meaning::Ids && is_list(&text) => {
                    Self::ListInText(text.into_owned())
                }
                Some(text) => Self::One(text),
            },
            Some(b'-' | b'0'..=b'9') => Self::One(whole(raw).map_or(raw.into(), Into::into)),
            Some(b'[') => serde_json::from_str(raw).map_or(Self::NoId, Self::List),
            Some(b'n' | b't' | b'f') => Self::Nobody,
            _ => Self::NoId,
        }
    }
}

/// Hands each id in `raw` to `found`, numbers also as they are written.
pub(super) fn each(meaning: Meaning, raw: &str, found: &mut dyn FnMut(&str)) -> Result<(), NoId> {
    each_within(meaning, raw, found, MAX_LISTS)
}

fn each_within(
    meaning: Meaning,
    raw: &str,
    found: &mut dyn FnMut(&str),
    lists: usize,
) -> Result<(), NoId> {
    match IdValue::read(meaning, raw) {
        IdValue::One(id) => {
            if !raw.starts_with('"') && *id != *raw {
                found(raw);
            }
            found(&id);
            Ok(())
        }
        IdValue::Nobody => Ok(()),
        IdValue::List(members) if lists > 0 => {
            members.iter().try_for_each(|raw| each_within(meaning, raw.get(), found, lists - 1))
        }
        IdValue::ListInText(json) if lists > 0 => each_within(meaning, &json, found, lists - 1),
        IdValue::List(_) | IdValue::ListInText(_) | IdValue::NoId => Err(NoId),
    }
}

/// The text of a JSON string; `None` if it has half a character in it.
pub(super) fn text(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str::<String>(raw).ok().map(Cow::Owned)
}

/// Whether a text is the JSON of a list.
fn is_list(text: &str) -> bool {
    text.trim_start().starts_with('[')
        && depth(text) <= MAX_DEPTH
        && serde_json::from_str::<Vec<&RawValue>>(text).is_ok()
}

/// The decimal text of a whole number that is written otherwise: `42.0`, `1e3`, `-0`.
fn whole(raw: &str) -> Option<String> {
    /// Whole numbers above it are not exact any more.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if raw != "-0" && !raw.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E')) {
        return None;
    }
    let number: f64 = raw.parse().ok()?;
    let is_whole = number.fract() == 0.0 && number.abs() <= EXACT;
    is_whole.then(|| format!("{:.0}", number + 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(meaning: Meaning, raw: &str) -> Result<Vec<String>, NoId> {
        let mut ids = Vec::new();
        each(meaning, raw, &mut |id| ids.push(id.to_owned())).map(|()| ids)
    }

    fn assert_ids(meaning: Meaning, raw: &str, expected: &[&str]) {
        assert_eq!(
            ids(meaning, raw),
            Ok(expected.iter().map(ToString::to_string).collect()),
            "{raw}"
        );
    }

    #[test]
    fn text_and_numbers_are_ids_and_the_other_values_are_none() {
        let id = Meaning::DistinctId;
        assert_ids(id, r#""u1""#, &["u1"]);
        assert_ids(id, r#""\u0075\u0031""#, &["u1"]);
        assert_ids(id, "42", &["42"]);
        assert_ids(id, "12345678901234567890123", &["12345678901234567890123"]);
        for raw in ["null", "true", "false"] {
            assert_ids(id, raw, &[]);
        }
    }

    #[test]
    fn a_whole_number_is_the_same_id_however_it_is_written() {
        assert_ids(Meaning::UserId, "42.0", &["42.0", "42"]);
        assert_ids(Meaning::UserId, "1e3", &["1e3", "1000"]);
        assert_ids(Meaning::UserId, "-0", &["-0", "0"]);
        assert_ids(Meaning::UserId, "1.5", &["1.5"]);
        assert_ids(Meaning::UserId, "1e999", &["1e999"]);
    }

    #[test]
    fn lists_name_each_of_their_members() {
        assert_ids(Meaning::Ids, r#"["u1",["u2",3],null]"#, &["u1", "u2", "3"]);
        assert_ids(Meaning::DistinctId, r#"["u1"]"#, &["u1"]);
    }

    #[test]
    fn a_list_may_stand_in_a_text_where_a_list_is_expected() {
        assert_ids(Meaning::Ids, r#""[\"u1\", 2]""#, &["u1", "2"]);
        assert_ids(Meaning::Ids, r#""[no list""#, &["[no list"]);
        assert_ids(Meaning::DistinctId, r#""[\"u1\"]""#, &["[\"u1\"]"]);
    }

    #[test]
    fn what_could_hide_somebody_is_refused() {
        for raw in [r#"{"id":"u1"}"#, r#"["u1",{"id":"u2"}]"#, r#""\ud800""#, "[[[[[\"u1\"]]]]]"] {
            assert_eq!(ids(Meaning::Ids, raw), Err(NoId), "{raw}");
        }
        assert_eq!(ids(Meaning::Ids, r#""[{\"id\":\"u1\"}]""#), Err(NoId));
    }
}
