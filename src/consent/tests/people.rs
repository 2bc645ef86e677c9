//! Whom a record names, whose and when it is.

use super::*;

fn people(kind: RecordKind, json: &str) -> Vec<String> {
    let people = Record::read(kind, raw(json)).unwrap().people();
    people.iter().map(|id| id.expose().to_owned()).collect()
}

fn owner(kind: RecordKind, json: &str) -> Option<String> {
    Record::read(kind, raw(json)).unwrap().owner().map(|id| id.expose().to_owned())
}

#[test]
fn an_event_names_everybody_in_it_once() {
    let json = r#"{"event":"A","properties":{"distinct_id":"u1","$user_id":"u1","$anon_id":"a1",
        "$anon_distinct_id":"a2","$identified_id":"u2","$distinct_id_before_identity":"u3","alias":"u4",
        "$distinct_ids":["u5",6,["u7"]],"mp_original_distinct_id":"u8","x":"u9","o":{"distinct_id":"u10"}}}"#;
    assert_eq!(people(Event, json), ["u1", "a1", "a2", "u2", "u3", "u4", "u5", "6", "u7", "u8"]);
}

#[test]
fn a_device_is_named_with_and_without_its_prefix() {
    let event = |ids: &str| people(Event, &format!(r#"{{"event":"A","properties":{{{ids}}}}}"#));
    assert_eq!(event(r#""$device_id":"d1""#), ["d1", "$device:d1"]);
    assert_eq!(event(r#""distinct_id":"$device:d1","$device_id":"d1""#), ["$device:d1", "d1"]);
    assert_eq!(event(r#""$device_id":"$device:d1""#), ["$device:d1", "d1"]);
    assert_eq!(event(r#""$device_id":7"#), ["7", "$device:7"]);
    assert!(event(r#""$device_id":"","distinct_id":"""#).is_empty());
}

#[test]
fn a_profile_names_people_above_and_in_its_operators() {
    let json = r#"{"$distinct_id":"u1","$device_id":"d1","$user_id":2,"$identified_id":"u3","alias":"u4",
        "$set":{"$user_id":"u5","distinct_id":"u6"},"$append":{"alias":"u7"}}"#;
    let expected = ["u1", "d1", "$device:d1", "2", "u3", "u4", "u5", "u6", "u7"];
    assert_eq!(people(Profile, json), expected);
}

#[test]
fn numbers_are_named_as_they_are_written_and_as_the_number_that_they_are() {
    let json = r#"{"event":"A","properties":{"distinct_id":42.0,"$user_id":42,"$anon_id":null}}"#;
    assert_eq!(people(Event, json), ["42.0", "42"]);
}

#[test]
fn the_owner_is_whose_profile_or_events_these_are() {
    for (ids, expected) in [
        (r#""distinct_id":"u1","$user_id":"u2""#, Some("u1")),
        (r#""$user_id":"u2","$device_id":"d1""#, Some("u2")),
        (r#""$device_id":"d1""#, Some("$device:d1")),
        (r#""distinct_id":42"#, Some("42")),
        (r#""distinct_id":"","$user_id":"u2""#, None),
        (r#""x":1"#, None),
    ] {
        let json = format!(r#"{{"event":"A","properties":{{{ids}}}}}"#);
        assert_eq!(owner(Event, &json).as_deref(), expected, "{ids}");
    }
    let json = r#"{"$distinct_id":"u1","$user_id":"u2","$set":{}}"#;
    assert_eq!(owner(Profile, json).as_deref(), Some("u1"));
}

#[test]
fn an_event_says_when_it_was() {
    let time = |json: &str| Record::read(Event, raw(json)).unwrap().time();
    assert_eq!(
        time(r#"{"event":"A","properties":{"time":"1700000000"}}"#),
        Some(1_700_000_000_000)
    );
    assert_eq!(time(r#"{"event":"A","time":1,"properties":{}}"#), None);
    assert_eq!(time(r#"{"event":"A"}"#), None);
}

#[test]
fn an_alias_is_the_same_whether_ids_are_hashed_now_or_not() {
    let id = DistinctId::new("u1");
    let alias = filter(&anonymizing()).alias_of(&id).unwrap();
    assert_eq!(alias.expose().len(), 64);
    assert_eq!(filter(&defaults()).alias_of(&id), Some(alias));
    assert!(filter(&anonymizing()).hashes_ids() && !filter(&defaults()).hashes_ids());
}

#[test]
fn debug_output_has_nothing_of_the_record_or_the_secrets() {
    let json = event(r#""x":"ada@example.test""#);
    let record = Record::read(Event, raw(&json)).unwrap();
    let shown = format!("{record:?} {:?} {:?}", filter(&anonymizing()), record.people());
    assert!(!shown.contains("ada") && !shown.contains("u1") && !shown.contains(TOKEN), "{shown}");
}
