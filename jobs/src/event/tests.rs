#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::HashSet;

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn sent(event: &Event) -> Value {
    serde_json::from_str(event.as_json()).unwrap()
}

fn event(properties: &Value) -> Result<Event, EventRejection> {
    Event::new(json!({ "event": "Sign Up", "properties": properties }))
}

#[test]
fn what_an_event_lacks_to_be_counted_once_is_put_in() {
    let before = Utc::now().timestamp_millis();
    for lacking in [
        json!({ "distinct_id": "user-001" }),
        json!({ "distinct_id": "user-001", "$insert_id": null, "time": null }),
        json!({ "distinct_id": "user-001", "$insert_id": "" }),
    ] {
        let sent = sent(&event(&lacking).unwrap());
        let insert_id = sent["properties"]["$insert_id"].as_str().unwrap();
        assert_eq!(insert_id.len(), 32);
        assert!(insert_id.bytes().all(|b| b.is_ascii_hexdigit()));
        let time = sent["properties"]["time"].as_i64().unwrap();
        assert!((before..=Utc::now().timestamp_millis()).contains(&time));
    }
    let made =
        || sent(&event(&json!({ "distinct_id": "user-001" })).unwrap())["properties"].clone();
    let ids: HashSet<_> = (0..100).map(|_| made()["$insert_id"].to_string()).collect();
    assert_eq!(ids.len(), 100);
}

#[test]
fn what_an_event_brings_is_kept() {
    let whole = json!({
        "event": "Sign Up",
        "properties": {
            "distinct_id": 17, "$insert_id": "a-1", "time": 1_795_000_000, "price": 0.1,
            "nested": { "list": [1, null, { "ü": "\u{1f980}" }] },
        },
    });
    assert_eq!(sent(&Event::new(&whole).unwrap()), whole);
    assert_eq!(sent(&Event::parse(&whole.to_string()).unwrap()), whole);
}

#[test]
fn an_event_needs_a_name_and_a_person() {
    for (value, expected) in [
        (json!({ "properties": { "distinct_id": "u" } }), EventRejection::NoName),
        (json!({ "event": "", "properties": { "distinct_id": "u" } }), EventRejection::NoName),
        (json!({ "event": 7, "properties": { "distinct_id": "u" } }), EventRejection::NoName),
        (json!({ "event": "e" }), EventRejection::NoProperties),
        (json!({ "event": "e", "properties": [] }), EventRejection::NoProperties),
        (json!({ "event": "e", "properties": {} }), EventRejection::NobodyInEvent),
        (
            json!({ "event": "e", "properties": { "distinct_id": null, "$user_id": ["u"] } }),
            EventRejection::NobodyInEvent,
        ),
        (
            json!({ "event": "$merge", "properties": { "$distinct_ids": [] } }),
            EventRejection::NobodyInEvent,
        ),
        (json!(["event"]), EventRejection::NotAnObject { line: 1, column: 0 }),
        (json!("event"), EventRejection::NotAnObject { line: 1, column: 0 }),
    ] {
        assert_eq!(Event::new(value).err(), Some(expected));
    }
    for id in [
        json!({ "distinct_id": "" }),
        json!({ "$device_id": "77ab" }),
        json!({ "$user_id": 5 }),
        json!({ "$anon_id": "77ab", "$identified_id": "user-001" }),
        json!({ "$distinct_ids": ["user-001", "user-002"] }),
    ] {
        assert!(event(&id).is_ok());
    }
}

#[test]
fn a_profile_update_needs_a_person() {
    let update = json!({ "$distinct_id": "user-001", "$set": { "plan": "pro" } });
    let sent: Value = serde_json::from_str(Profile::new(&update).unwrap().as_json()).unwrap();
    assert_eq!(sent, update);
    for nobody in
        [json!({ "$set": {} }), json!({ "$distinct_id": "" }), json!({ "$distinct_id": {} })]
    {
        assert_eq!(Profile::new(nobody).err(), Some(EventRejection::NobodyInProfile));
    }
}

#[test]
fn text_with_a_repeated_key_is_refused_with_the_place() {
    let text = "{\"event\":\"e\",\n\"properties\":{\"distinct_id\":\"u\",\"distinct_id\":\"v\"}}";
    let place = Event::parse(text).err();
    assert!(matches!(place, Some(EventRejection::NotAnObject { line: 2, .. })), "{place:?}");
    for text in ["", "[]", "{} {}", "7"] {
        assert!(matches!(Profile::parse(text), Err(EventRejection::NotAnObject { .. })));
    }
}

#[test]
fn size_and_depth_have_a_limit() {
    let with = |length: usize| {
        event(&json!({ "distinct_id": "u", "$insert_id": "i", "time": 1, "x": "x".repeat(length) }))
    };
    let overhead = with(0).unwrap().as_json().len();
    assert_eq!(with(MAX_RECORD_BYTES - overhead).unwrap().as_json().len(), MAX_RECORD_BYTES);
    let over = with(MAX_RECORD_BYTES - overhead + 1).err();
    assert_eq!(over, Some(EventRejection::TooLarge(MAX_RECORD_BYTES + 1)));

    let nested =
        |levels: usize| (0..levels).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
    // Two levels are the event's own.
    let deep = |levels| event(&json!({ "distinct_id": "u", "x": nested(levels - 2) }));
    assert_eq!(deep(MAX_DEPTH + 1).err(), Some(EventRejection::TooDeep));
    // Within the array of an entry it is still what serde_json reads.
    let entry = format!("[{}]", deep(MAX_DEPTH).unwrap().as_json());
    assert!(serde_json::from_str::<Value>(&entry).is_ok());
}

#[test]
fn nothing_of_an_event_is_printed() {
    let event = event(&json!({ "distinct_id": "ada@example.test" })).unwrap();
    let profile = Profile::new(json!({ "$distinct_id": "ada@example.test" })).unwrap();
    assert!(!format!("{event:?} {profile:?}").contains("ada"));
    let refused = Event::parse("{\"ada\": \"ada@example.test\", ada}").unwrap_err();
    assert!(!format!("{refused} {refused:?}").contains("ada"));
}

proptest! {
    #[test]
    fn any_text_is_refused_or_read_back_as_an_object_of_a_person(text in "\\PC{0,40}") {
        for text in [text.clone(), format!(r#"{{"event":"e","properties":{{"distinct_id":{text}}}}}"#)] {
            if let Ok(event) = Event::parse(&text) {
                let sent: Value = serde_json::from_str(event.as_json()).unwrap();
                prop_assert!(sent["properties"].as_object().is_some_and(names_somebody));
                // What was complete stays as it is.
                prop_assert_eq!(Event::parse(event.as_json()), Ok(event));
            }
        }
    }
}
