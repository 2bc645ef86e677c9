//! An event of `/track` or `/import`.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Fault, Record, after_brace, import, text};

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    event: Option<&'a RawValue>,
    #[serde(borrow)]
    properties: Option<&'a RawValue>,
}

/// The properties that matter here. A key that stands twice is an error: whoever reads it later could read the other one.
#[derive(Deserialize)]
pub(super) struct Properties<'a> {
    #[serde(borrow)]
    token: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) time: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) distinct_id: Option<&'a RawValue>,
    #[serde(borrow, rename = "$insert_id")]
    pub(super) insert_id: Option<&'a RawValue>,
    #[serde(borrow)]
    ip: Option<&'a RawValue>,
}

/// A longer `$insert_id` is not told back, in bytes.
const MAX_ECHO: usize = 255;
/// What makes two people one: sent to `/import` by SDKs, with neither time nor `$insert_id`.
const MERGE: &str = "$merge";

/// Checks one event; by the rules of `/import` if a time (Unix seconds) is given, and whether they are strict.
pub(super) fn check(json: &str, import: Option<(i64, bool)>) -> Result<Record<'_>, Fault> {
    let event: Event<'_> = serde_json::from_str(json)
        .map_err(|_| Fault::new("", "an event must be a JSON object, each key once"))?;
    let Some(object) = event.properties.filter(|value| value.get().starts_with('{')) else {
        return Err(Fault::new("properties", "'properties' must be an object"));
    };
    let properties: Properties<'_> = serde_json::from_str(object.get())
        .map_err(|_| Fault::new("properties", "'properties' must have each key once"))?;
    let told = |fault| Fault {
        insert_id: text(properties.insert_id).filter(|id| id.len() <= MAX_ECHO),
        ..fault
    };
    let Some(name) = text(event.event).filter(|name| !name.is_empty()) else {
        return Err(told(Fault::new("event", "'event' must be a non-empty string")));
    };
    if let Some((now, strict)) = import.filter(|_| name != MERGE) {
        import::check(&properties, now, strict).map_err(told)?;
    }
    let token = text(properties.token).filter(|token| !token.is_empty());
    let address_at = properties.ip.is_none().then(|| after_brace(json, object));
    Ok(Record { json, token, address_at })
}
