//! What the targets share: a reader of JSON that has nothing in common with the worker's own.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// The members of an object as they stand there, repeated ones too.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// The members of `json`: names unescaped, values as they are written. `None` if it is no object with readable names.
pub fn members(json: &str) -> Option<Vec<(String, &str)>> {
    let Members(members) = serde_json::from_str(json).ok()?;
    Some(members.into_iter().map(|(name, value)| (name, value.get())).collect())
}

/// The items of `json`, if it is an array.
pub fn items(json: &str) -> Option<Vec<&str>> {
    let items: Vec<&RawValue> = serde_json::from_str(json).ok()?;
    Some(items.into_iter().map(RawValue::get).collect())
}

/// Hands every object in `json`, at any depth, to `look`: its members, and how deep it lies, from 0.
pub fn each_object<'a>(json: &'a str, look: &mut dyn FnMut(usize, &[(String, &'a str)])) {
    each_below(json, 0, look);
}

fn each_below<'a>(json: &'a str, depth: usize, look: &mut dyn FnMut(usize, &[(String, &'a str)])) {
    if json.starts_with('[') {
        for item in items(json).expect("an array of a valid text") {
            each_below(item, depth + 1, look);
        }
    } else if json.starts_with('{') {
        let members = members(json).expect("an object of a valid text, with readable names");
        look(depth, &members);
        for (_, value) in members {
            each_below(value, depth + 1, look);
        }
    }
}
