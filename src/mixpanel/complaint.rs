//! Bodies of refusals: which of our people a conflict or an error names, and why a call was
//! throttled.
//!
//! Invariant: of what Mixpanel writes, only ids that we sent ourselves and task ids leave this
//! file; free text stays here.

use std::collections::HashSet;

use gdpr_jobs::DistinctId;
use serde_json::{Map, Value};

use super::{
    outcome::{Conflict, Throttle},
    task::TrackingId,
    wire,
};

/// Reads a 409: the ids may stand in an `error` object, at the top or in `results`.
pub(super) fn conflict(body: &[u8], sent: &[DistinctId]) -> Conflict {
    let Some(answer) = wire::object(body) else { return Conflict::default() };
    let within = |field: &str| answer.get(field).and_then(Value::as_object);
    let places = [within("error"), Some(&answer), within("results")];
    let mut conflict = Conflict::default();
    let sent: HashSet<&str> = sent.iter().map(DistinctId::expose).collect();
    for place in places.into_iter().flatten() {
        for id in texts(place, "conflicting_distinct_ids") {
            if sent.contains(id.as_str()) {
                push_new(&mut conflict.ids, DistinctId::new(id));
            } else {
                conflict.foreign += 1;
            }
        }
        for task in texts(place, "conflicting_task_ids") {
            if let Ok(task) = TrackingId::new(task.trim()) {
                push_new(&mut conflict.tasks, task);
            }
        }
    }
    conflict
}

/// A list of ids; a single id without its list counts, too.
fn texts(place: &Map<String, Value>, field: &str) -> Vec<String> {
    match place.get(field) {
        Some(Value::Array(list)) => list.iter().filter_map(wire::text).collect(),
        Some(single) => wire::text(single).into_iter().collect(),
        None => Vec::new(),
    }
}

fn push_new<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if !list.contains(&item) {
        list.push(item);
    }
}

/// Which of the people we sent the body quotes, each as a whole JSON string: the likely culprits.
///
/// Only members of lists and values of fields that speak of ids count. A person may be called
/// `error`, and must not be blamed for the word in every error body.
pub(super) fn named(body: &[u8], sent: &[DistinctId]) -> Vec<DistinctId> {
    let Ok(answer) = serde_json::from_slice::<Value>(body) else { return Vec::new() };
    let mut quoted = HashSet::new();
    collect_quoted(&answer, false, &mut quoted);
    sent.iter().filter(|id| quoted.contains(id.expose())).cloned().collect()
}

fn collect_quoted<'a>(value: &'a Value, about_ids: bool, quoted: &mut HashSet<&'a str>) {
    match value {
        Value::String(text) if about_ids => {
            quoted.insert(text);
        }
        Value::Array(list) => list.iter().for_each(|v| collect_quoted(v, true, quoted)),
        Value::Object(fields) => {
            for (field, value) in fields {
                let about_ids = field.ends_with("id") || field.ends_with("ids");
                collect_quoted(value, about_ids, quoted);
            }
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Which of the two limits a 429 speaks of. Its text is no contract: a hint only.
pub(super) fn throttle(body: &[u8]) -> Throttle {
    let text = String::from_utf8_lossy(body).to_lowercase();
    let speaks_of = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if speaks_of(&["req/s", "requests per second", "request per second"]) {
        Throttle::Pace
    } else if speaks_of(&["pending", "outstanding", "scan", "queue", "days"]) {
        Throttle::Scans
    } else if speaks_of(&["limited to"]) {
        Throttle::Pace
    } else {
        Throttle::Unspecified
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(ids: &[&str]) -> Vec<DistinctId> {
        ids.iter().copied().map(DistinctId::new).collect()
    }

    #[test]
    fn a_conflict_is_read_wherever_its_ids_stand() {
        for body in [
            include_bytes!("fixtures/s10_conflict_object.json").as_slice(),
            include_bytes!("fixtures/s10_conflict_results.json"),
            include_bytes!("fixtures/s10_conflict_top.json"),
        ] {
            let conflict = conflict(body, &ids(&["u1", "u2"]));
            assert_eq!(conflict.ids, ids(&["u1"]));
            assert_eq!(conflict.tasks[0].as_str(), "00000000-1111-2222-3333-444444444444");
            assert_eq!((conflict.tasks.len(), conflict.foreign), (1, 0));
        }
    }

    #[test]
    fn a_conflict_may_name_nothing_or_strangers() {
        let sent = ids(&["u1", "7"]);
        for body in
            [include_bytes!("fixtures/s10_conflict_text.json").as_slice(), b"", b"<html>", b"[1]"]
        {
            assert_eq!(conflict(body, &sent), Conflict::default());
        }
        let body =
            br#"{"error":{"conflicting_distinct_ids":["stranger",7],"conflicting_task_ids":"t1"}}"#;
        let conflict = conflict(body, &sent);
        assert_eq!((conflict.ids, conflict.foreign), (ids(&["7"]), 1));
        assert_eq!(conflict.tasks[0].as_str(), "t1");
    }

    #[test]
    fn only_people_quoted_as_whole_ids_are_named() {
        let sent = ids(&["u1", "u2", "error", "bad"]);
        let body = br#"{"status":"error","error":{"message":"bad","invalid_ids":["u2"],
            "details":[{"distinct_id":"bad","why":"error"}],"hint":"u1 is fine"}}"#;
        assert_eq!(named(body, &sent), ids(&["u2", "bad"]));
        assert_eq!(named(b"u1", &sent), ids(&[]));
        assert_eq!(named(include_bytes!("fixtures/s9_error_text.json"), &sent), ids(&[]));
    }

    #[test]
    fn the_text_of_a_429_hints_at_its_limit() {
        for (body, throttle_seen) in [
            (include_bytes!("fixtures/s11_throttled.json").as_slice(), Throttle::Pace),
            (b"Too Many Requests, this API is limited to 1 req/s", Throttle::Pace),
            (b"Too many pending requests", Throttle::Scans),
            (b"You have too many outstanding day scans", Throttle::Scans),
            (b"limited to 1826 days", Throttle::Scans),
            (b"Too Many Requests", Throttle::Unspecified),
            (b"\xff\xfe", Throttle::Unspecified),
            (b"", Throttle::Unspecified),
        ] {
            assert_eq!(throttle(body), throttle_seen);
        }
    }
}
