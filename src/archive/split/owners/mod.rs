//! Reads one record: what it is and whose ids it names.
//!
//! The whole record is parsed, so that text inside strings, nested objects and escaped keys cannot
//! pass for an id. Ids are looked for at the top level and in `properties`, nowhere else.
//!
//! * `plain`: records in the form that programs write, which are nearly all.
//! * `scan`: any other, and whatever is not clear, by serde_json.

mod plain;
mod scan;

use serde::de::DeserializeSeed;

use self::{
    plain::Found,
    scan::{Key, Scan, Seen, TopLevel},
};
use crate::archive::open::plain_json;

/// Which file of the archive a record goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::archive) enum Folder {
    /// Events, and whatever is not recognised as a profile.
    Events,
    /// User profiles.
    Profiles,
}

/// Why a record names nobody for certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::archive) enum Unreadable {
    /// Not one JSON object in UTF-8.
    Malformed,
    /// An id stands there twice, or is no text and no whole number.
    Ambiguous,
}

/// An id in a record. It lives as long as the call that it is given to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::archive) enum Id<'t> {
    /// The value of `distinct_id` or its like.
    Distinct(&'t str),
    /// The value of `$device_id`, which may lack the prefix that it has as a distinct_id.
    Device(&'t str),
}

impl<'t> Id<'t> {
    fn of(key: Key, id: &'t str) -> Self {
        if key == Key::DeviceId { Self::Device(id) } else { Self::Distinct(id) }
    }
}

/// Reads one record after the other.
#[derive(Default)]
pub(in crate::archive) struct Reader {
    plain: plain_json::Reader,
}

impl Reader {
    /// Reads `record`, the text of one JSON value, and hands every id in it to `named`. Those that were
    /// handed over before an error are in the record all the same.
    pub(in crate::archive) fn read(
        &mut self,
        record: &[u8],
        named: &mut dyn FnMut(Id<'_>),
    ) -> Result<Folder, Unreadable> {
        let text = std::str::from_utf8(record).map_err(|_| Unreadable::Malformed)?;
        let mut found = Found::default();
        if !self.plain.read(text, &mut found) {
            return read_any(text, named);
        }
        found.ids().for_each(named);
        Ok(folder(found.top()))
    }
}

/// Reads a record in any form.
fn read_any(text: &str, named: &mut dyn FnMut(Id<'_>)) -> Result<Folder, Unreadable> {
    let mut json = serde_json::Deserializer::from_str(text);
    let mut scan = Scan { named, ambiguous: false };
    let read = TopLevel(&mut scan).deserialize(&mut json);
    let top = read.and_then(|top| json.end().map(|()| top)).map_err(|_| Unreadable::Malformed)?;
    if scan.ambiguous { Err(Unreadable::Ambiguous) } else { Ok(folder(top)) }
}

/// Where a record with these keys goes.
fn folder(top: Seen) -> Folder {
    let profile = !top.has(Key::Event) && (top.has(Key::ProfileId) || top.has(Key::Profile));
    if profile { Folder::Profiles } else { Folder::Events }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read_all(record: &[u8]) -> (Result<Folder, Unreadable>, Vec<String>) {
        let mut ids = Vec::new();
        let outcome = Reader::default().read(record, &mut |id| {
            ids.push(match id {
                Id::Distinct(id) => id.to_owned(),
                Id::Device(id) => format!("device {id}"),
            });
        });
        (outcome, ids)
    }

    fn ids(record: &str) -> Result<Vec<String>, Unreadable> {
        let (outcome, ids) = read_all(record.as_bytes());
        outcome.map(|_| ids)
    }

    fn assert_ids(record: &str, expected: &[&str]) {
        assert_eq!(ids(record), Ok(expected.iter().map(ToString::to_string).collect()), "{record}");
    }

    #[test]
    fn ids_stand_at_the_top_level_or_in_properties() {
        assert_ids(r#"{"event":"a","properties":{"distinct_id":"u1"}}"#, &["u1"]);
        assert_ids(r#"{"$distinct_id":"u1","$properties":{"$email":"x"}}"#, &["u1"]);
        assert_ids(
            r#"{"distinct_id":"u1","properties":{"$user_id":"u2","$device_id":"d",
                "$distinct_id_before_identity":"u3"}}"#,
            &["u1", "u2", "device d", "u3"],
        );
        assert_ids(r#"{"event":"a","properties":{"distinct_id":null,"$user_id":42}}"#, &["42"]);
    }

    #[test]
    fn nested_objects_arrays_and_strings_name_nobody() {
        for record in [
            r#"{"event":"a","properties":{"cart":{"distinct_id":"u1"}}}"#,
            r#"{"event":"a","properties":{"list":[{"distinct_id":"u1"}]}}"#,
            r#"{"event":"a","properties":{"properties":{"distinct_id":"u1"}}}"#,
            r#"{"event":"a","properties":[{"distinct_id":"u1"}]}"#,
            r#"{"event":"a","other":{"distinct_id":"u1"},"properties":null}"#,
            r#"{"event":"\"distinct_id\":\"u1\"","properties":{"x":"{\"distinct_id\":\"u1\"}"}}"#,
        ] {
            assert_ids(record, &[]);
        }
    }

    #[test]
    fn escaped_keys_and_values_are_read_unescaped() {
        assert_ids(r#"{"properties":{"distinct\u005fid":"\u0075\u0031"}}"#, &["u1"]);
    }

    #[test]
    fn an_id_that_stands_twice_or_is_no_id_is_ambiguous() {
        for record in [
            r#"{"distinct_id":"u1","distinct_id":"u1"}"#,
            r#"{"properties":{"distinct_id":"u1","distinct\u005fid":"u2"}}"#,
            r#"{"properties":{"distinct_id":"u1"},"properties":{"distinct_id":"u2"}}"#,
            r#"{"event":"a","event":"b","distinct_id":"u1"}"#,
            r#"{"distinct_id":{"a":1}}"#,
            r#"{"distinct_id":["u1"]}"#,
            r#"{"distinct_id":1.5}"#,
            r#"{"distinct_id":true}"#,
        ] {
            assert_eq!(ids(record), Err(Unreadable::Ambiguous), "{record}");
        }
    }

    #[test]
    fn an_ambiguous_record_still_tells_whom_it_names() {
        let twice = br#"{"distinct_id":"u1","properties":{"distinct_id":"u2","distinct_id":"u3"}}"#;
        assert_eq!(read_all(twice).1, ["u1", "u2", "u3"]);
        let list = br#"{"distinct_id":["u1",["u2"],{"distinct_id":"u3"},null]}"#;
        assert_eq!(read_all(list), (Err(Unreadable::Ambiguous), vec!["u1".into(), "u2".into()]));
    }

    #[test]
    fn what_is_not_one_json_object_is_malformed() {
        for record in [
            "",
            "[]",
            "3",
            r#"{"distinct_id":"u1""#,
            r#"{"distinct_id":"u1"} x"#,
            r#"{"distinct_id":"u1"}{}"#,
            r#"{"distinct_id":"u1","x":01}"#,
            r#"{"distinct_id":"u1","x":"\q"}"#,
            "{\"distinct_id\":\"u1\",\"x\":\"\u{1}\"}",
        ] {
            assert_eq!(ids(record), Err(Unreadable::Malformed), "{record}");
        }
        let not_utf8 = b"{\"distinct_id\":\"u1\",\"x\":\"\xff\"}";
        assert_eq!(read_all(not_utf8).0, Err(Unreadable::Malformed));
    }

    #[test]
    fn deep_nesting_is_read_without_recursion() {
        let deep =
            format!(r#"{{"x":{}{},"distinct_id":"u1"}}"#, "[".repeat(200_000), "]".repeat(200_000));
        assert_ids(&deep, &["u1"]);
    }

    #[test]
    fn the_keys_tell_events_from_profiles() {
        for (record, folder) in [
            (r#"{"event":"a","$distinct_id":"u1"}"#, Folder::Events),
            (r#"{"$distinct_id":"u1","$set":{}}"#, Folder::Profiles),
            (r#"{"distinct_id":"u1","$properties":{}}"#, Folder::Profiles),
            (r#"{"distinct_id":"u1"}"#, Folder::Events),
        ] {
            assert_eq!(read_all(record.as_bytes()).0, Ok(folder), "{record}");
        }
    }

    /// Members, a few of them ids, some of them broken.
    fn members() -> impl Strategy<Value = String> {
        let key = prop_oneof![
            4 => Just("distinct_id"), 2 => Just("$distinct_id"), 2 => Just("$user_id"), 2 => Just("$device_id"),
            1 => Just("$distinct_id_before_identity"), 2 => Just("event"), 2 => Just("$properties"),
            2 => Just("properties"), 6 => Just("x"), 1 => Just("distinct\\u005fid"), 1 => Just("\""),
        ];
        let value = prop_oneof![
            6 => Just("\"u1\""), 4 => Just("\"u2\""), 2 => Just("null"), 2 => Just("7"), 1 => Just("-0.5"),
            1 => Just("1e3"), 1 => Just("01"), 1 => Just("true"), 1 => Just("\"\\u0075\\\"1\""), 1 => Just("[\"u3\"]"),
            1 => Just("{\"distinct_id\":\"u4\"}"), 1 => Just("{}"), 1 => Just("\"é\""), 1 => Just("\""),
        ];
        let colon = prop_oneof![9 => Just(":"), 1 => Just(" : ")];
        let member =
            (key, colon, value).prop_map(|(key, colon, value)| format!("\"{key}\"{colon}{value}"));
        prop::collection::vec(member, 0..5).prop_map(|members| members.join(","))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 5_000, ..ProptestConfig::default() })]

        #[test]
        fn plain_records_are_read_as_any_others(
            before in members(), name in "properties|x", inside in members(), after in members(),
        ) {
            let object = format!("\"{name}\":{{{inside}}}");
            let members = [before, object, after];
            let record = members.into_iter().filter(|members| !members.is_empty()).collect::<Vec<_>>().join(",");
            for record in [format!("{{{record}}}"), format!("{{{record}}}}}"), record] {
                let mut ids = Vec::new();
                let outcome = read_any(&record, &mut |id| ids.push(match id {
                    Id::Distinct(id) => id.to_owned(),
                    Id::Device(id) => format!("device {id}"),
                }));
                prop_assert_eq!(read_all(record.as_bytes()), (outcome, ids), "{}", record);
            }
        }
    }
}
