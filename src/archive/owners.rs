//! Reads one record: what it is and whose ids it names.
//!
//! The whole record is parsed by serde_json, so that text inside strings, nested objects and
//! escaped keys cannot pass for an id. Ids are looked for at the top level and in `properties`,
//! nowhere else.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize,
    de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

/// Which file of the archive a record goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Folder {
    /// Events, and whatever is not recognised as a profile.
    Events,
    /// User profiles.
    Profiles,
}

/// Why a record names nobody for certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// Not one JSON object in UTF-8.
    Malformed,
    /// An id stands there twice, or is no text and no whole number.
    Ambiguous,
}

/// A record that was read.
pub(super) struct Reading<'a> {
    pub(super) folder: Folder,
    /// Values of `distinct_id` and its like.
    pub(super) ids: Vec<Cow<'a, str>>,
    /// Values of `$device_id`, which may lack the prefix that they have as a distinct_id.
    pub(super) device_ids: Vec<Cow<'a, str>>,
}

/// Reads `record`, the text of one JSON value.
pub(super) fn read(record: &[u8]) -> Result<Reading<'_>, Unreadable> {
    let text = std::str::from_utf8(record).map_err(|_| Unreadable::Malformed)?;
    let TopLevel(top) = serde_json::from_str(text).map_err(|_| Unreadable::Malformed)?;
    if top.ambiguous {
        return Err(Unreadable::Ambiguous);
    }
    let profile = !top.has(Key::Event) && (top.has(Key::ProfileId) || top.has(Key::Profile));
    let folder = if profile { Folder::Profiles } else { Folder::Events };
    Ok(Reading { folder, ids: top.ids, device_ids: top.device_ids })
}

/// The keys that matter. Each may stand only once in its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Event,
    Properties,
    Profile,
    DistinctId,
    ProfileId,
    UserId,
    DeviceId,
    IdBeforeIdentity,
    Other,
}

impl Key {
    fn of(name: &str) -> Self {
        match name {
            "event" => Self::Event,
            "properties" => Self::Properties,
            "$properties" => Self::Profile,
            "distinct_id" => Self::DistinctId,
            "$distinct_id" => Self::ProfileId,
            "$user_id" => Self::UserId,
            "$device_id" => Self::DeviceId,
            "$distinct_id_before_identity" => Self::IdBeforeIdentity,
            _ => Self::Other,
        }
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl Visitor<'_> for Name {
            type Value = Key;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_str<E>(self, name: &str) -> Result<Key, E> {
                Ok(Key::of(name))
            }
        }
        deserializer.deserialize_str(Name)
    }
}

/// What was found in one object, or in a record as a whole.
#[derive(Default)]
struct Found<'a> {
    seen: u16,
    ambiguous: bool,
    ids: Vec<Cow<'a, str>>,
    device_ids: Vec<Cow<'a, str>>,
}

impl<'a> Found<'a> {
    fn has(&self, key: Key) -> bool {
        self.seen & (1 << key as u16) != 0
    }

    fn see(&mut self, key: Key) {
        self.ambiguous |= key != Key::Other && self.has(key);
        self.seen |= 1 << key as u16;
    }

    fn add(&mut self, key: Key, value: IdValue<'a>) {
        match value {
            IdValue::Absent => {}
            IdValue::Unreadable => self.ambiguous = true,
            IdValue::Id(id) if key == Key::DeviceId => self.device_ids.push(id),
            IdValue::Id(id) => self.ids.push(id),
        }
    }

    fn absorb(&mut self, inner: Found<'a>) {
        self.ambiguous |= inner.ambiguous;
        self.ids.extend(inner.ids);
        self.device_ids.extend(inner.device_ids);
    }

    /// Reads an object; `descend` tells whether `properties` in it is one to look into.
    fn read<A: MapAccess<'a>>(map: &mut A, descend: bool) -> Result<Self, A::Error> {
        let mut found = Self::default();
        while let Some(key) = map.next_key()? {
            found.see(key);
            match key {
                Key::Properties if descend => {
                    let Properties(inner) = map.next_value()?;
                    found.absorb(inner);
                }
                Key::Event | Key::Properties | Key::Profile | Key::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
                _ => found.add(key, map.next_value()?),
            }
        }
        Ok(found)
    }
}

struct TopLevel<'a>(Found<'a>);

impl<'de> Deserialize<'de> for TopLevel<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = TopLevel<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TopLevel<'de>, A::Error> {
                Found::read(&mut map, true).map(TopLevel)
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// The value of an id key. Whole numbers count as their digits.
enum IdValue<'a> {
    Id(Cow<'a, str>),
    Absent,
    Unreadable,
}

/// The object `properties`; any other value has no ids in it.
struct Properties<'a>(Found<'a>);

/// Reads any JSON value; the two types above are made of it.
enum Any<'a> {
    Text(Cow<'a, str>),
    Null,
    Object(Found<'a>),
    Else,
}

impl<'de> Deserialize<'de> for IdValue<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match deserializer.deserialize_any(AnyValue)? {
            Any::Text(id) => Self::Id(id),
            Any::Null => Self::Absent,
            Any::Object(_) | Any::Else => Self::Unreadable,
        })
    }
}

impl<'de> Deserialize<'de> for Properties<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match deserializer.deserialize_any(AnyValue)? {
            Any::Object(found) => Self(found),
            Any::Text(_) | Any::Null | Any::Else => Self(Found::default()),
        })
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Any<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Any<'de>, E> {
        Ok(Any::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Any<'de>, E> {
        Ok(Any::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Any<'de>, E> {
        Ok(Any::Text(Cow::Owned(number.to_string())))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Any<'de>, E> {
        Ok(Any::Text(Cow::Owned(number.to_string())))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Any<'de>, E> {
        Ok(Any::Else)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Any<'de>, E> {
        Ok(Any::Else)
    }

    fn visit_unit<E>(self) -> Result<Any<'de>, E> {
        Ok(Any::Null)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Any<'de>, A::Error> {
        Found::read(&mut map, false).map(Any::Object)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Any<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Any::Else)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(record: &str) -> Result<Vec<String>, Unreadable> {
        let reading = read(record.as_bytes())?;
        let devices = reading.device_ids.iter().map(|id| format!("device {id}"));
        Ok(reading.ids.iter().map(ToString::to_string).chain(devices).collect())
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
            &["u1", "u2", "u3", "device d"],
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
        assert_eq!(read(not_utf8).err(), Some(Unreadable::Malformed));
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
            assert_eq!(read(record.as_bytes()).map(|r| r.folder), Ok(folder), "{record}");
        }
    }
}
