//! What leaves of events.

use serde_json::json;

use super::*;

#[test]
fn with_the_defaults_an_event_leaves_as_it_came() {
    let own = r#""n":1.50,"big":123456789012345678901234567890,"e":1E+2,"t":"\u00e9\/","o":{ "a" : [1, 2] },"ip":"203.0.113.7","$city":"X""#;
    let json = event(own);
    let (text, changes) = write_text(&defaults(), Event, &json).unwrap();
    assert_eq!(changes, Changes::default());
    for member in own.split_inclusive(",\"").map(|member| member.trim_end_matches(",\"")) {
        assert!(text.contains(member), "{member} in {text}");
    }
    let (before, after): (Value, Value) =
        (serde_json::from_str(&json).unwrap(), serde_json::from_str(&text).unwrap());
    assert_eq!(before, after);
}

#[test]
fn with_geolocation_off_no_place_leaves_and_the_address_is_none() {
    let own = r#""ip":"203.0.113.7","$ip":"203.0.113.7","$city":"A","$region":"B","mp_country_code":"DE",
        "$country_code":"DE","$timezone":"Europe/Berlin","$geo_source":null,"$latitude":1,"$longitude":2,"x":1"#;
    let (written, changes) = properties(&no_places(&[]), own);
    assert_eq!(written, json!({"ip": "0", "x": 1}));
    assert_eq!(changes, Changes { geolocation: 10, ..Changes::default() });

    let (written, changes) = properties(&no_places(&[]), r#""x":1"#);
    assert_eq!(written, json!({"ip": "0", "x": 1}));
    assert_eq!(changes, Changes::default());
}

#[test]
fn one_entry_can_switch_geolocation_off() {
    let json = event(r#""ip":"203.0.113.7","$city":"A""#);
    let record = Record::read(Event, raw(&json)).unwrap();
    let origin = Origin { geolocation_off: true, ..ENTRY };
    let mut out = Vec::new();
    let changes = filter(&defaults()).write(&record, &origin, &mut out).unwrap();
    let written: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!((&written["properties"]["ip"], changes.geolocation), (&json!("0"), 2));
    assert!(written["properties"].get("$city").is_none());
}

#[test]
fn names_of_the_blacklist_go_exactly_as_they_are_written() {
    let privacy = blacklisting(&["plan", "$os"]);
    let (written, changes) = properties(&privacy, r#""plan":"pro","Plan":1,"plan ":2,"$os":"x""#);
    assert_eq!(written, json!({"Plan": 1, "plan ": 2}));
    assert_eq!(changes, Changes { blacklisted: 2, ..Changes::default() });
}

#[test]
fn what_an_event_cannot_be_understood_without_stays() {
    let names = [
        "event",
        "properties",
        "token",
        "time",
        "distinct_id",
        "$insert_id",
        "$device_id",
        "$user_id",
        "$identified_id",
        "$anon_id",
        "$had_persisted_distinct_id",
        "alias",
        "$distinct_ids",
        "ip",
        "$ignore",
    ];
    let json = r#"{"event":"A","properties":{"token":"t","time":1700000000,"distinct_id":"u1",
        "$insert_id":"i-1","$device_id":"d","$user_id":"u1","$identified_id":"u1","$anon_id":"a",
        "$had_persisted_distinct_id":true,"alias":"u2","$distinct_ids":["u1","u2"],"ip":"203.0.113.7","$ignore":true}}"#;
    let (written, changes) = write(&blacklisting(&names), Event, json);
    assert_eq!(changes, Changes::default());
    assert_eq!(written["properties"].as_object().unwrap().len(), names.len() - 2);
}

#[test]
fn ids_leave_as_hashes_wherever_they_stand() {
    let json = r#"{"event":"$merge","distinct_id":"u1","properties":{"distinct_id":"$device:d1","$device_id":"d1",
        "$user_id":42,"$anon_id":"a1","$anon_distinct_id":"a1","$identified_id":"u1","alias":"u2",
        "$distinct_id_before_identity":"u3","mp_original_distinct_id":"u4","$distinct_ids":["u1",42,["u2"],null],
        "time":1,"$insert_id":"i-1","x":"u1"}}"#;
    let (written, changes) = write(&anonymizing(), Event, json);
    let device = alias("d1");
    assert_eq!(
        written,
        json!({"event": "$merge", "distinct_id": alias("u1"), "properties": {
            "distinct_id": format!("$device:{device}"), "$device_id": device, "$user_id": alias("42"),
            "$anon_id": alias("a1"), "$anon_distinct_id": alias("a1"), "$identified_id": alias("u1"),
            "alias": alias("u2"), "$distinct_id_before_identity": alias("u3"),
            "mp_original_distinct_id": alias("u4"),
            "$distinct_ids": [alias("u1"), alias("42"), [alias("u2")], null],
            "time": 1, "$insert_id": "i-1", "x": "u1"}})
    );
    assert_eq!(changes, Changes { anonymized: 13, ..Changes::default() });
}

#[test]
fn ids_that_name_nobody_are_not_made_into_somebody() {
    for id in [r#""""#, r#""undefined""#, "null", "true", "0"] {
        let (written, changes) = properties(&anonymizing(), &format!("\"$user_id\":{id}"));
        assert_eq!(written["$user_id"].to_string(), id);
        assert_eq!(changes.anonymized, 1, "only distinct_id");
    }
}

#[test]
fn personal_values_are_counted_and_leave_unless_they_are_to_go() {
    let own = r#""mail":"ada@example.test","url":"https:\/\/x.test\/?m=ada\u0040example.test","tel":"+49 30 123456",
        "card":"4111 1111 1111 1111","list":["x","ada@example.test"],"all":["ada@example.test"],
        "deep":{"a":[{"b":"ada@example.test","c":1}]},"$email":"hidden","$phone":4930123456,"x":1"#;
    let found = Changes { email: 6, phone: 2, card: 1, ..Changes::default() };
    let (kept, changes) = properties(&defaults(), own);
    assert_eq!((kept.as_object().unwrap().len(), changes), (10, found));

    let (written, changes) = properties(&dropping(), own);
    assert_eq!(written, json!({"list": ["x"], "deep": {"a": [{"c": 1}]}, "x": 1}));
    assert_eq!(changes, Changes { dropped_values: 9, ..found });
    assert_eq!(
        properties(&dropping(), &written.to_string()[1..written.to_string().len() - 1]).1,
        Changes::default()
    );
}

#[test]
fn an_id_that_is_an_address_is_an_id() {
    let json = r#"{"event":"A","properties":{"distinct_id":"ada@example.test"}}"#;
    let (written, changes) = write(&dropping(), Event, json);
    assert_eq!(written["properties"]["distinct_id"], "ada@example.test");
    assert_eq!(changes, Changes::default());
}

#[test]
fn the_token_is_the_projects_own() {
    assert_eq!(
        properties(&defaults(), r#""token":"of another project""#).0,
        json!({"token": TOKEN})
    );
    assert_eq!(properties(&defaults(), "").0, json!({}));
    let track = PrivacyConfig { event_endpoint: EventEndpoint::Track, ..defaults() };
    assert_eq!(properties(&track, "").0, json!({"token": TOKEN}));
}

#[test]
fn what_an_event_must_have_and_lacks_comes_from_its_entry() {
    let (written, changes) = write(&defaults(), Event, r#"{"event":"A"}"#);
    let expected = json!({"distinct_id": "", "time": 1_700_000_000_000_u64, "$insert_id": "1700000000000-2-5"});
    assert_eq!(written, json!({"event": "A", "properties": expected}));
    assert_eq!(changes, Changes::default());
}

/// It may look like a card number, as some times in microseconds do. Whether it is a good time is for Mixpanel to say.
#[test]
fn a_number_at_time_is_the_time() {
    let json = r#"{"event":"A","properties":{"time":"4111111111111111","x":"4111111111111111"}}"#;
    let (written, changes) = write(&strictest(), Event, json);
    assert_eq!(written["properties"]["time"], 4_111_111_111_111_111_u64);
    assert_eq!(written["properties"].get("x"), None);
    assert_eq!(changes.card, 1);
}

#[test]
fn a_time_is_kept_if_it_is_one() {
    for (time, expected) in [
        ("1700000000.5", json!(1_700_000_000.5)),
        (r#""1700000000""#, json!(1_700_000_000)),
        ("\"soon\"", json!(1_700_000_000_000_u64)),
        ("null", json!(1_700_000_000_000_u64)),
        ("[1700000000]", json!(1_700_000_000_000_u64)),
    ] {
        let json = format!(r#"{{"event":"A","properties":{{"time":{time}}}}}"#);
        assert_eq!(write(&defaults(), Event, &json).0["properties"]["time"], expected, "{time}");
    }
}

#[test]
fn an_event_without_a_distinct_id_gets_the_one_that_mixpanel_would_make() {
    for (ids, expected) in [
        (r#""$user_id":"u1","$device_id":"d1""#, "u1"),
        (r#""$user_id":null,"$device_id":"d1""#, "$device:d1"),
        (r#""$user_id":"","$device_id":"$device:d1""#, "$device:d1"),
        (r#""distinct_id":null,"$user_id":42"#, "42"),
        (r#""distinct_id":"","$user_id":"u1""#, ""),
        (r#""$distinct_id":"u2","$user_id":"u1""#, "u2"),
        (r#""x":1"#, ""),
    ] {
        let json = format!(r#"{{"event":"A","properties":{{{ids}}}}}"#);
        let (written, _) = write(&defaults(), Event, &json);
        assert_eq!(written["properties"]["distinct_id"], expected, "{ids}");
        let (written, _) = write(&anonymizing(), Event, &json);
        let hashed = if expected.is_empty() { String::new() } else { alias(expected) };
        assert_eq!(written["properties"]["distinct_id"], hashed, "{ids}");
    }
}

#[test]
fn the_same_record_from_the_same_entry_is_written_the_same() {
    let json = event(r#""b":1,"a":{"z":1,"y":"ada@example.test"},"plan":2"#);
    let (one, two) = (
        write_text(&strictest(), Event, &json).unwrap(),
        write_text(&strictest(), Event, &json).unwrap(),
    );
    assert_eq!(one, two);
}
