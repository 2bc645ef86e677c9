//! What `/import` asks of one event.

use super::Record;

const FORBIDDEN: [&str; 17] = [
    "00000000-0000-0000-0000-000000000000",
    "anon",
    "anonymous",
    "nil",
    "none",
    "null",
    "n/a",
    "na",
    "undefined",
    "unknown",
    "<nil>",
    "0",
    "-1",
    "true",
    "false",
    "[]",
    "{}",
];
const FIRST_SECOND: i64 = 365 * 86_400;

/// The field that is wrong and why; `now` is in Unix seconds.
pub(super) fn import_fault(record: &Record, now: i64) -> Option<(&'static str, &'static str)> {
    if record.event().as_str().is_none_or(str::is_empty) {
        return Some(("event", "'event' must be a non-empty string"));
    }
    let time = record.time().as_f64();
    let Some(seconds) = time.map(in_seconds) else {
        return Some(("properties.time", "'properties.time' is invalid: must be a timestamp"));
    };
    if seconds < FIRST_SECOND || seconds > now + 3600 {
        return Some(("properties.time", "'properties.time' is invalid: out of range"));
    }
    insert_id_fault(record.insert_id().as_str()).or_else(|| {
        let id = record.distinct_id().as_str()?;
        is_forbidden(id).then_some(("properties.distinct_id", "'distinct_id' is a reserved value"))
    })
}

fn insert_id_fault(id: Option<&str>) -> Option<(&'static str, &'static str)> {
    const FIELD: &str = "properties.$insert_id";
    let Some(id) = id.filter(|id| !id.is_empty()) else {
        return Some((FIELD, "'$insert_id' is required"));
    };
    let allowed = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if id.len() > 36 || !allowed || is_forbidden(id) {
        return Some((FIELD, "'$insert_id' is invalid: at most 36 letters, digits or dashes"));
    }
    None
}

fn is_forbidden(id: &str) -> bool {
    FORBIDDEN.iter().any(|forbidden| forbidden.eq_ignore_ascii_case(id))
}

/// Times may be given in seconds or in milliseconds.
#[expect(clippy::cast_possible_truncation, reason = "out of range is out of range")]
pub(super) fn in_seconds(time: f64) -> i64 {
    if time.abs() > 1e11 { (time / 1000.0) as i64 } else { time as i64 }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn fault_with(name: &str, value: &Value) -> Option<&'static str> {
        let mut properties =
            json!({"time": 1_700_000_000, "distinct_id": "u1", "$insert_id": "i-1"});
        properties[name] = value.clone();
        let record = json!({"event": "A", "properties": properties});
        import_fault(&Record::from(record), 1_800_000_000).map(|(field, _)| field)
    }

    #[test]
    fn a_complete_event_is_accepted_in_seconds_and_milliseconds() {
        assert_eq!(fault_with("time", &json!(1_700_000_000)), None);
        assert_eq!(fault_with("time", &json!(1_700_000_000_000_i64)), None);
    }

    #[test]
    fn the_wrong_field_is_named() {
        for (name, value, expected) in [
            ("time", json!("soon"), "properties.time"),
            ("time", json!(5), "properties.time"),
            ("time", json!(1_800_003_601), "properties.time"),
            ("$insert_id", Value::Null, "properties.$insert_id"),
            ("$insert_id", json!("a b"), "properties.$insert_id"),
            ("$insert_id", json!("x".repeat(37)), "properties.$insert_id"),
            ("distinct_id", json!("Anonymous"), "properties.distinct_id"),
        ] {
            assert_eq!(fault_with(name, &value), Some(expected), "{name} {value}");
        }
        assert_eq!(fault_with("distinct_id", &json!("")), None);
    }
}
