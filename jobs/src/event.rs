//! Events and profile updates on their way to Mixpanel, checked and made complete before they are sent.
//!
//! The JSON is that of Mixpanel's `/track` and `/engage`. A repeat of the same [`Event`] is one event to
//! Mixpanel, which counts events of the same `event`, `time`, `distinct_id` and `$insert_id` once (API
//! reference, "Event Deduplication"); so both are put in where they are absent.

use std::fmt;

use chrono::Utc;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{rejection::Rejection, strict_json};

/// Largest event or profile update, in bytes of JSON: Mixpanel takes no larger one.
pub const MAX_RECORD_BYTES: usize = 1024 * 1024;
/// Deepest nesting of arrays and objects: what any JSON parser reads. Mixpanel shows three levels.
pub const MAX_DEPTH: usize = 100;
/// Properties of an event that name a person; the last three are those of `$identify` and `$create_alias`.
const IDS: [&str; 6] =
    ["distinct_id", "$device_id", "$user_id", "$anon_id", "$identified_id", "alias"];

/// Why an event or a profile update is not sent. Quotes nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventRejection {
    /// Not JSON, or not an object, or a repeated key.
    #[error(
        "not a JSON object (line {line}, column {column}): expected one object, in UTF-8, each key once"
    )]
    NotAnObject {
        /// Line of the fault, from 1.
        line: usize,
        /// Column of the fault, from 1; 0 when the fault is the whole.
        column: usize,
    },
    /// An event without a name.
    #[error("event is missing or no text: expected the name of the event")]
    NoName,
    /// An event without properties.
    #[error("properties is missing or no object: expected one with the distinct_id of a person")]
    NoProperties,
    /// Nobody is named, so nobody's consent could be asked for.
    #[error(
        "no person is named: expected a text or number in properties.distinct_id, $device_id or $user_id, or the ids that $identify, $create_alias and $merge have (an event of nobody has the distinct_id \"\")"
    )]
    NobodyInEvent,
    /// The same in a profile update.
    #[error("no person is named: expected a text or number in $distinct_id")]
    NobodyInProfile,
    /// Over the size limit.
    #[error("it has {0} bytes: at most {MAX_RECORD_BYTES} are allowed")]
    TooLarge(usize),
    /// Nested so deep that a parser would give up.
    #[error("it is nested deeper than {MAX_DEPTH} levels: expected the few that Mixpanel shows")]
    TooDeep,
}

impl From<Rejection> for EventRejection {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::NotAnObject { line, column } => Self::NotAnObject { line, column },
            // Reading an object ends in no other way.
            _ => Self::NotAnObject { line: 1, column: 0 },
        }
    }
}

/// An event that may be sent, as often as need be.
#[derive(Clone, PartialEq, Eq)]
pub struct Event(String);

impl Event {
    /// Checks an event in the form of Mixpanel's `/track`, and gives it a random `$insert_id` and the
    /// present `time` if it has none. Keep it for repeats: a second `new` would make a second event.
    pub fn new(event: impl Serialize) -> Result<Self, EventRejection> {
        Self::complete(object(event)?)
    }

    /// The same from JSON text.
    pub fn parse(json: &str) -> Result<Self, EventRejection> {
        Self::complete(strict_json::object(json.as_bytes())?)
    }

    /// The JSON that is sent.
    pub fn as_json(&self) -> &str {
        &self.0
    }

    fn complete(mut event: Map<String, Value>) -> Result<Self, EventRejection> {
        if event.get("event").and_then(Value::as_str).is_none_or(str::is_empty) {
            return Err(EventRejection::NoName);
        }
        let Some(Value::Object(properties)) = event.get_mut("properties") else {
            return Err(EventRejection::NoProperties);
        };
        if !names_somebody(properties) {
            return Err(EventRejection::NobodyInEvent);
        }
        let insert_id = properties.entry("$insert_id").or_insert(Value::Null);
        if insert_id.is_null() || insert_id == "" {
            *insert_id = format!("{:032x}", rand::random::<u128>()).into();
        }
        let time = properties.entry("time").or_insert(Value::Null);
        if time.is_null() {
            *time = Utc::now().timestamp_millis().into();
        }
        wire_form(event).map(Self)
    }
}

/// A profile update that may be sent. `$set` and its like may be repeated; after a repeat of `$add` or
/// `$append` Mixpanel has added twice.
#[derive(Clone, PartialEq, Eq)]
pub struct Profile(String);

impl Profile {
    /// Checks a profile update in the form of Mixpanel's `/engage`.
    pub fn new(update: impl Serialize) -> Result<Self, EventRejection> {
        Self::check(object(update)?)
    }

    /// The same from JSON text.
    pub fn parse(json: &str) -> Result<Self, EventRejection> {
        Self::check(strict_json::object(json.as_bytes())?)
    }

    /// The JSON that is sent.
    pub fn as_json(&self) -> &str {
        &self.0
    }

    fn check(update: Map<String, Value>) -> Result<Self, EventRejection> {
        if !update.get("$distinct_id").is_some_and(|id| names(id) && id != "") {
            return Err(EventRejection::NobodyInProfile);
        }
        wire_form(update).map(Self)
    }
}

macro_rules! prints_hidden {
    ($($name:ident),+) => {
        $(impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(hidden)"))
            }
        })+
    };
}

prints_hidden!(Event, Profile);

fn object(value: impl Serialize) -> Result<Map<String, Value>, EventRejection> {
    match serde_json::to_value(value) {
        Ok(Value::Object(object)) => Ok(object),
        _ => Err(EventRejection::NotAnObject { line: 1, column: 0 }),
    }
}

fn names_somebody(properties: &Map<String, Value>) -> bool {
    let merged = properties.get("$distinct_ids").and_then(Value::as_array);
    IDS.iter().filter_map(|id| properties.get(*id)).chain(merged.into_iter().flatten()).any(names)
}

/// Whether a value can be somebody's id: numbers stand for their decimal text.
fn names(id: &Value) -> bool {
    id.is_string() || id.is_number()
}

fn wire_form(object: Map<String, Value>) -> Result<String, EventRejection> {
    let value = Value::Object(object);
    if !fits(&value, MAX_DEPTH) {
        return Err(EventRejection::TooDeep);
    }
    let json = value.to_string();
    if json.len() > MAX_RECORD_BYTES { Err(EventRejection::TooLarge(json.len())) } else { Ok(json) }
}

/// Whether arrays and objects are nested at most `levels` deep.
fn fits(value: &Value, levels: usize) -> bool {
    let within = |value: &Value| levels > 0 && fits(value, levels - 1);
    match value {
        Value::Array(items) => levels > 0 && items.iter().all(within),
        Value::Object(fields) => levels > 0 && fields.values().all(within),
        _ => true,
    }
}

#[cfg(test)]
mod tests;
