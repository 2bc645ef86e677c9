//! The keys and values of one record, as serde_json comes across them. Nothing is kept: ids are handed
//! on where they are found.

use std::fmt;

use serde::{
    Deserialize,
    de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::Id;

/// The keys that matter. Each may stand only once in its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
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
    pub(super) fn of(name: &str) -> Self {
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

    /// Whether its value is an id.
    pub(super) fn is_id(self) -> bool {
        !matches!(self, Self::Event | Self::Properties | Self::Profile | Self::Other)
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

/// The keys that an object has.
#[derive(Clone, Copy, Default)]
pub(super) struct Seen(u16);

impl Seen {
    pub(super) fn has(self, key: Key) -> bool {
        self.0 & (1 << key as u16) != 0
    }

    /// Adds `key`, and tells whether it was there and should not be again.
    pub(super) fn note(&mut self, key: Key) -> bool {
        let twice = key != Key::Other && self.has(key);
        self.0 |= 1 << key as u16;
        twice
    }
}

/// What is found in a record while it is read.
pub(super) struct Scan<'n> {
    pub(super) named: &'n mut dyn FnMut(Id<'_>),
    pub(super) ambiguous: bool,
}

impl Scan<'_> {
    fn id(&mut self, key: Key, id: &str) {
        (self.named)(Id::of(key, id));
    }

    /// Reads an object; `descend` tells whether `properties` in it is one to look into.
    fn object<'de, A: MapAccess<'de>>(
        &mut self,
        mut map: A,
        descend: bool,
    ) -> Result<Seen, A::Error> {
        let mut seen = Seen::default();
        while let Some(key) = map.next_key()? {
            self.ambiguous |= seen.note(key);
            match key {
                Key::Properties if descend => map.next_value_seed(Value(self, Role::Properties))?,
                _ if key.is_id() => map.next_value_seed(Value(self, Role::Id(key)))?,
                _ => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(seen)
    }
}

/// A record: an object.
pub(super) struct TopLevel<'s, 'n>(pub(super) &'s mut Scan<'n>);

impl<'de> DeserializeSeed<'de> for TopLevel<'_, '_> {
    type Value = Seen;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Seen, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for TopLevel<'_, '_> {
    type Value = Seen;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Seen, A::Error> {
        self.0.object(map, true)
    }
}

/// What a value is looked at for.
#[derive(Clone, Copy)]
enum Role {
    /// An object has ids in it; any other value has none.
    Properties,
    /// Text is an id, whole numbers count as their digits, and null is no id.
    Id(Key),
}

struct Value<'s, 'n>(&'s mut Scan<'n>, Role);

impl Value<'_, '_> {
    fn id(self, id: &str) {
        if let Role::Id(key) = self.1 {
            self.0.id(key, id);
        }
    }

    fn no_id(&mut self) {
        self.0.ambiguous |= matches!(self.1, Role::Id(_));
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.id(text);
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.id(&number.to_string());
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.id(&number.to_string());
        Ok(())
    }

    fn visit_f64<E>(mut self, _: f64) -> Result<(), E> {
        self.no_id();
        Ok(())
    }

    fn visit_bool<E>(mut self, _: bool) -> Result<(), E> {
        self.no_id();
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, map: A) -> Result<(), A::Error> {
        self.no_id();
        match self.1 {
            Role::Properties => self.0.object(map, false).map(|_| ()),
            Role::Id(_) => IgnoredAny.visit_map(map).map(|_| ()),
        }
    }

    /// A list is no id, but whoever stands in one may be meant.
    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        self.no_id();
        let Role::Id(key) = self.1 else { return IgnoredAny.visit_seq(seq).map(|_| ()) };
        while let Some(()) = seq.next_element_seed(Value(self.0, Role::Id(key)))? {}
        Ok(())
    }
}
