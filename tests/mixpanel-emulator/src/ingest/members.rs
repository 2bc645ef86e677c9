//! Some members of a JSON object, read without building the rest of it; whatever is no object has none.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// Members of a record.
#[derive(Debug, Default)]
pub(super) struct Outer {
    pub(super) event: Value,
    pub(super) properties: Inner,
    pub(super) set: Inner,
    pub(super) distinct_id: Value,
    pub(super) group_id: Value,
    pub(super) token: Value,
}

/// Members of its properties.
#[derive(Debug, Default)]
pub(super) struct Inner {
    pub(super) distinct_id: Value,
    pub(super) time: Value,
    pub(super) insert_id: Value,
    pub(super) token: Value,
    pub(super) fail: Value,
}

/// Something that takes members of an object, by their names; of two with the same name the last one counts.
trait Members: Default {
    fn take<'de, A: MapAccess<'de>>(&mut self, name: Name, map: &mut A) -> Result<(), A::Error>;
}

impl Members for Outer {
    fn take<'de, A: MapAccess<'de>>(&mut self, name: Name, map: &mut A) -> Result<(), A::Error> {
        match name {
            Name::Event => self.event = map.next_value()?,
            Name::Properties => Lenient(self.properties) = map.next_value()?,
            Name::Set => Lenient(self.set) = map.next_value()?,
            Name::ProfileId => self.distinct_id = map.next_value()?,
            Name::GroupId => self.group_id = map.next_value()?,
            Name::ProfileToken => self.token = map.next_value()?,
            _ => {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

impl Members for Inner {
    fn take<'de, A: MapAccess<'de>>(&mut self, name: Name, map: &mut A) -> Result<(), A::Error> {
        match name {
            Name::DistinctId => self.distinct_id = map.next_value()?,
            Name::Time => self.time = map.next_value()?,
            Name::InsertId => self.insert_id = map.next_value()?,
            Name::Token => self.token = map.next_value()?,
            Name::Fail => self.fail = map.next_value()?,
            _ => {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// A name that is looked for.
#[derive(Clone, Copy)]
enum Name {
    Event,
    Properties,
    Set,
    ProfileId,
    GroupId,
    ProfileToken,
    DistinctId,
    Time,
    InsertId,
    Token,
    Fail,
    Other,
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Word;
        impl Visitor<'_> for Word {
            type Value = Name;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a name")
            }

            fn visit_str<E>(self, name: &str) -> Result<Name, E> {
                Ok(match name {
                    "event" => Name::Event,
                    "properties" => Name::Properties,
                    "$set" => Name::Set,
                    "$distinct_id" => Name::ProfileId,
                    "$group_id" => Name::GroupId,
                    "$token" => Name::ProfileToken,
                    "distinct_id" => Name::DistinctId,
                    "time" => Name::Time,
                    "$insert_id" => Name::InsertId,
                    "token" => Name::Token,
                    "$fail" => Name::Fail,
                    _ => Name::Other,
                })
            }
        }
        deserializer.deserialize_identifier(Word)
    }
}

/// The members of an object; of anything else none.
pub(super) struct Lenient<T>(pub(super) T);

impl<'de, T: Members> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue(PhantomData)).map(Lenient)
    }
}

struct AnyValue<T>(PhantomData<T>);

impl<'de, T: Members> Visitor<'de> for AnyValue<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let mut members = T::default();
        while let Some(name) = map.next_key()? {
            members.take(name, &mut map)?;
        }
        Ok(members)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<T, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(T::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_str<E>(self, _: &str) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(T::default())
    }
}
