//! Takes the fields out of a document's object, each by its own rule. What stays in the object
//! afterwards is unknown to the contract.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::{
    distinct_id::{self, DistinctId},
    document::{CLOCK_TOLERANCE, MAX_DISTINCT_IDS},
    rejection::Rejection,
    request_id::RequestId,
    vocabulary::Kind,
};

/// A field that holds one word of a vocabulary.
pub(crate) fn word<T: FromStr>(
    fields: &mut Map<String, Value>,
    name: &'static str,
    expected: &'static str,
) -> Result<Option<T>, Rejection> {
    let invalid = Rejection::Invalid(name, expected);
    match fields.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => text.parse().map(Some).map_err(|_| invalid),
        Some(_) => Err(invalid),
    }
}

/// `id` and `request_id`.
pub(crate) fn request_id(
    fields: &mut Map<String, Value>,
    name: &'static str,
) -> Result<Option<RequestId>, Rejection> {
    word(fields, name, "1 to 64 letters, digits, '.', '_' or '-'")
}

/// `received_at`, at most `now`: a clock that runs a little fast is forgiven.
pub(crate) fn received_at(
    fields: &mut Map<String, Value>,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, Rejection> {
    const INVALID: Rejection =
        Rejection::Invalid("received_at", "a time as in RFC 3339, such as 2026-01-31T09:30:00Z");
    let Some(value) = fields.remove("received_at") else { return Ok(None) };
    let text = value.as_str().filter(|text| has_rfc3339_shape(text)).ok_or(INVALID)?;
    let time = DateTime::parse_from_rfc3339(text).map_err(|_| INVALID)?.with_timezone(&Utc);
    if time.signed_duration_since(now) > CLOCK_TOLERANCE {
        return Err(Rejection::InTheFuture);
    }
    Ok(Some(time.min(now)))
}

/// chrono also takes a blank for the `T` and a typographic minus sign; RFC 3339's grammar does not.
fn has_rfc3339_shape(text: &str) -> bool {
    text.is_ascii() && matches!(text.as_bytes().get(10), Some(b'T' | b't'))
}

/// `properties`.
pub(crate) fn properties(
    fields: &mut Map<String, Value>,
) -> Result<Option<Map<String, Value>>, Rejection> {
    match fields.remove("properties") {
        None => Ok(None),
        Some(Value::Object(map)) => Ok(Some(map)),
        Some(_) => Err(Rejection::Invalid("properties", "an object")),
    }
}

/// `distinct_ids`, each once, in the order given.
pub(crate) fn distinct_ids(
    fields: &mut Map<String, Value>,
    kind: Kind,
) -> Result<Vec<DistinctId>, Rejection> {
    const NAME: &str = "distinct_ids";
    const INVALID: Rejection = Rejection::Invalid(
        NAME,
        "an array of 1 to 100 strings of 1 to 512 bytes, all of one person",
    );
    let values = match fields.remove(NAME) {
        None if kind == Kind::Cancellation => return Ok(Vec::new()),
        None => {
            let hint = "expected the ids of one person, as an array of strings";
            return Err(Rejection::Missing(NAME, hint));
        }
        Some(Value::Array(values)) => values,
        Some(_) => return Err(INVALID),
    };
    if values.is_empty() || values.len() > MAX_DISTINCT_IDS {
        return Err(INVALID);
    }
    let mut ids: Vec<DistinctId> = Vec::with_capacity(values.len());
    for (position, value) in values.into_iter().enumerate() {
        let Value::String(text) = value else { return Err(INVALID) };
        let id = DistinctId::new(text);
        if id.is_reserved() {
            return Err(Rejection::ReservedId(position));
        }
        if id.expose().len() > distinct_id::MAX_BYTES {
            return Err(INVALID);
        }
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(ids)
}
