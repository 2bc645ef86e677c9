//! Reads one JSON object in which no object, at any depth, repeats a key. serde_json alone would let
//! the last one win, and two readers could then understand two different requests.

use std::{collections::HashSet, fmt};

use serde::{Deserialize, Deserializer, de};
use serde_json::{Map, Value};

use crate::rejection::Rejection;

/// The object in `json`. Nesting is bounded by serde_json (128 levels).
pub(crate) fn object(json: &[u8]) -> Result<Map<String, Value>, Rejection> {
    let refuse =
        |e: serde_json::Error| Rejection::NotAnObject { line: e.line(), column: e.column() };
    let _: NoRepeats = serde_json::from_slice(json).map_err(refuse)?;
    match serde_json::from_slice(json).map_err(refuse)? {
        Value::Object(fields) => Ok(fields),
        _ => Err(Rejection::NotAnObject { line: 1, column: 0 }),
    }
}

/// Any JSON value without repeated keys. Keeps nothing of it: a second pass reads the value, so
/// that numbers are read as serde_json reads them under whatever features a caller switches on.
struct NoRepeats;

impl<'de> Deserialize<'de> for NoRepeats {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Walk)
    }
}

struct Walk;

impl<'de> de::Visitor<'de> for Walk {
    type Value = NoRepeats;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<NoRepeats, E> {
        Ok(NoRepeats)
    }

    fn visit_bool<E>(self, _: bool) -> Result<NoRepeats, E> {
        Ok(NoRepeats)
    }

    fn visit_i64<E>(self, _: i64) -> Result<NoRepeats, E> {
        Ok(NoRepeats)
    }

    fn visit_u64<E>(self, _: u64) -> Result<NoRepeats, E> {
        Ok(NoRepeats)
    }

    fn visit_f64<E>(self, _: f64) -> Result<NoRepeats, E> {
        Ok(NoRepeats)
    }

    fn visit_str<E>(self, _: &str) -> Result<NoRepeats, E> {
        Ok(NoRepeats)
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<NoRepeats, A::Error> {
        while items.next_element::<NoRepeats>()?.is_some() {}
        Ok(NoRepeats)
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut fields: A) -> Result<NoRepeats, A::Error> {
        let mut seen = HashSet::new();
        while let Some(key) = fields.next_key::<String>()? {
            if !seen.insert(key) {
                return Err(de::Error::custom("repeated key"));
            }
            fields.next_value::<NoRepeats>()?;
        }
        Ok(NoRepeats)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(json: &str) -> bool {
        matches!(object(json.as_bytes()), Err(Rejection::NotAnObject { .. }))
    }

    #[test]
    fn a_repeated_key_is_refused_at_any_depth_and_however_it_is_written() {
        assert!(refused(r#"{"a":1,"a":1}"#));
        assert!(refused(r#"{"a":1,"\u0061":2}"#));
        assert!(refused(r#"{"a":[{"b":{"c":1,"c":2}}]}"#));
        assert!(object(br#"{"a":{"b":1},"b":{"a":null,"c":[1,-2,0.5,true,"x"]}}"#).is_ok());
    }

    #[test]
    fn anything_but_one_object_is_refused() {
        for json in ["", " ", "null", "7", "[]", "[{}]", "\"x\"", "{}{}", "{} x", "{", "\u{feff}{}"]
        {
            assert!(refused(json), "{json:?}");
        }
        assert!(matches!(object(b"{\"a\":\"\xff\"}"), Err(Rejection::NotAnObject { .. })));
    }

    #[test]
    fn a_document_nested_beyond_measure_is_refused_and_not_followed() {
        let bomb = format!("{{\"a\":{}{}}}", "[".repeat(30_000), "]".repeat(30_000));
        assert!(refused(&bomb));
        assert!(refused(&"{\"a\":".repeat(10_000)));
    }

    #[test]
    fn the_position_of_the_fault_is_told() {
        assert_eq!(object(b"{\n  \"a\": x}"), Err(Rejection::NotAnObject { line: 2, column: 8 }));
        assert_eq!(object(b"[1]"), Err(Rejection::NotAnObject { line: 1, column: 0 }));
    }
}
