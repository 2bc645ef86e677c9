//! The one form in which a statement is written: JSON as RFC 8785 has it (members sorted, no blanks), of texts, whole numbers,
//! truth values, lists and objects only. Whoever signs and whoever checks have the same bytes, in any language.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// The largest whole number that every JSON reader takes exactly.
const LARGEST: u64 = (1 << 53) - 1;

/// Writes an object in its canonical form; nothing if it holds a fraction, a negative or too large number, or a null.
pub(super) fn write(object: &Map<String, Value>) -> Option<String> {
    let mut text = String::new();
    put_object(&mut text, object)?;
    Some(text)
}

fn put(text: &mut String, value: &Value) -> Option<()> {
    match value {
        Value::Null => return None,
        Value::Bool(truth) => write!(text, "{truth}").ok()?,
        Value::Number(number) => {
            let number = number.as_u64().filter(|number| *number <= LARGEST)?;
            write!(text, "{number}").ok()?;
        }
        Value::String(string) => put_string(text, string)?,
        Value::Array(list) => {
            text.push('[');
            for (i, item) in list.iter().enumerate() {
                if i > 0 {
                    text.push(',');
                }
                put(text, item)?;
            }
            text.push(']');
        }
        Value::Object(object) => put_object(text, object)?,
    }
    Some(())
}

fn put_object(text: &mut String, object: &Map<String, Value>) -> Option<()> {
    let mut members: Vec<_> = object.iter().collect();
    members.sort_by_key(|(name, _)| name.as_str());
    text.push('{');
    for (i, (name, value)) in members.into_iter().enumerate() {
        if i > 0 {
            text.push(',');
        }
        put_string(text, name)?;
        text.push(':');
        put(text, value)?;
    }
    text.push('}');
    Some(())
}

fn put_string(text: &mut String, string: &str) -> Option<()> {
    text.push_str(&serde_json::to_string(string).ok()?);
    Some(())
}
