//! The members of an object: names unescaped, values as they stand in the text.
//!
//! Nothing is copied but names with escapes. Where a name stands twice, the last one counts and the others
//! are as if they were not there, as most readers have it.

use std::{borrow::Cow, collections::HashMap, fmt};

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;

use super::{
    names::Meaning,
    records::{self, Unreadable},
};

/// Up to this many members, comparing each with each is the fastest way to find repeated names.
const FEW: usize = 32;

/// A name and its value.
pub(super) struct Member<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) meaning: Meaning,
    pub(super) value: Value<'a>,
}

/// A value of an object that was read.
pub(super) enum Value<'a> {
    /// Its text.
    Raw(&'a str),
    /// Its members: it was to be opened and is an object.
    Object(Vec<Member<'a>>),
    /// It was to be opened and is no object.
    NoObject,
}

impl<'a> Value<'a> {
    /// The text of a value that was not opened.
    pub(super) fn raw(&self) -> Option<&'a str> {
        match self {
            Self::Raw(raw) => Some(raw),
            Self::Object(_) | Self::NoObject => None,
        }
    }
}

/// The members of an object, and how many others had the name of a later one.
pub(super) struct Members<'a> {
    pub(super) members: Vec<Member<'a>>,
    pub(super) repeated: usize,
}

impl<'a> Members<'a> {
    /// Reads `json`, the text of an object. Values whose name `opens` are opened as well.
    pub(super) fn read(json: &'a str, opens: fn(Meaning) -> bool) -> Result<Self, Unreadable> {
        let mut text = serde_json::Deserializer::from_str(json);
        let members = text.deserialize_map(Object { opens });
        let members = members.and_then(|members| text.end().map(|()| members));
        let members = members.map_err(|_| records::fault(json))?;
        let (members, repeated) = last_of_each(members);
        Ok(Self { members, repeated })
    }
}

/// Leaves the last member of each name, in order.
fn last_of_each(mut members: Vec<Member<'_>>) -> (Vec<Member<'_>>, usize) {
    let count = members.len();
    let mut stays: Vec<bool> = Vec::new();
    if count <= FEW {
        let again =
            |at: usize| members[at + 1..].iter().any(|later| later.name == members[at].name);
        if (0..count).any(again) {
            stays = (0..count).map(|at| !again(at)).collect();
        }
    } else {
        let last: HashMap<&str, usize> =
            members.iter().enumerate().map(|(at, member)| (&*member.name, at)).collect();
        if last.len() < count {
            stays =
                members.iter().enumerate().map(|(at, m)| last.get(&*m.name) == Some(&at)).collect();
        }
    }
    if !stays.is_empty() {
        let mut stays = stays.into_iter();
        members.retain(|_| stays.next().unwrap_or(true));
    }
    let repeated = count - members.len();
    (members, repeated)
}

/// An object that is read.
struct Object {
    opens: fn(Meaning) -> bool,
}

impl<'de> Visitor<'de> for Object {
    type Value = Vec<Member<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::with_capacity(8);
        while let Some(Name(name)) = map.next_key()? {
            let meaning = Meaning::of(&name);
            let value = if (self.opens)(meaning) {
                map.next_value_seed(Opened)?
            } else {
                Value::Raw(map.next_value::<&RawValue>()?.get())
            };
            members.push(Member { name, meaning, value });
        }
        Ok(members)
    }
}

/// A name, borrowed where it has no escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Name<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }
            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(name)))
            }
            fn visit_str<E>(self, name: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// A value that ought to be an object and is opened.
struct Opened;

impl<'de> DeserializeSeed<'de> for Opened {
    type Value = Value<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Opened {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value<'de>, A::Error> {
        let members = Object { opens: |_| false }.visit_map(map)?;
        Ok(Value::Object(last_of_each(members).0))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::NoObject)
    }

    fn visit_str<E>(self, _: &str) -> Result<Value<'de>, E> {
        Ok(Value::NoObject)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Value<'de>, E> {
        Ok(Value::NoObject)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value<'de>, E> {
        Ok(Value::NoObject)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value<'de>, E> {
        Ok(Value::NoObject)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Value<'de>, E> {
        Ok(Value::NoObject)
    }

    fn visit_unit<E>(self) -> Result<Value<'de>, E> {
        Ok(Value::NoObject)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn shown(members: &[Member<'_>]) -> String {
        let one = |m: &Member<'_>| match &m.value {
            Value::Raw(raw) => format!("{}={raw}", m.name),
            Value::Object(members) => format!("{}({})", m.name, shown(members)),
            Value::NoObject => format!("{}!", m.name),
        };
        members.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    fn read(json: &str) -> (String, usize) {
        let read = Members::read(json, |meaning| meaning == Meaning::Properties).unwrap();
        (shown(&read.members), read.repeated)
    }

    #[test]
    fn values_stand_as_they_were_written() {
        let json = r#"{ "a" : 1.50e+2 , "b":{ "c" : [ 1 ] } , "properties": {"d":"\u0041"} }"#;
        assert_eq!(read(json), (r#"a=1.50e+2 b={ "c" : [ 1 ] } properties(d="\u0041")"#.into(), 0));
    }

    #[test]
    fn the_last_of_a_repeated_name_counts_however_it_is_written() {
        assert_eq!(read(r#"{"a":1,"b":2,"\u0061":3}"#), ("b=2 a=3".into(), 1));
        let json = r#"{"properties":{"a":1},"properties":{"b":1,"b":2}}"#;
        assert_eq!(read(json), ("properties(b=2)".into(), 1));
    }

    #[test]
    fn many_members_follow_the_same_rule_as_few() {
        for count in [FEW - 2, FEW, 500] {
            let members: Vec<String> = (0..count).map(|n| format!("\"n{}\":{n}", n % 20)).collect();
            let (shown, repeated) = read(&format!("{{{}}}", members.join(",")));
            let expected: Vec<String> =
                (count - 20..count).map(|n| format!("n{}={n}", n % 20)).collect();
            assert_eq!((shown, repeated), (expected.join(" "), count - 20));
        }
    }

    #[test]
    fn what_ought_to_be_an_object_and_is_none_is_seen() {
        for value in ["1", "-1", "1.5", "null", "true", "\"x\"", "[{}]"] {
            let json = format!("{{\"properties\":{value}}}");
            assert_eq!(read(&json).0, "properties!", "{value}");
        }
    }

    #[test]
    fn half_a_character_in_a_name_is_refused() {
        let read = Members::read(r#"{"\ud800":1}"#, |_| false);
        assert_eq!(read.err(), Some(Unreadable::Name));
    }
}
