#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::door::refusal::Refusal;

const NOW: i64 = 1_800_000_000;

fn fault(record: &str, rules: Rules) -> Option<&'static str> {
    let raw: &RawValue = serde_json::from_str(record).unwrap();
    check(raw, rules).err().map(|fault| fault.field)
}

fn import_with(name: &str, value: &Value) -> Option<&'static str> {
    let mut properties = json!({"time": 1_700_000_000, "distinct_id": "u1", "$insert_id": "i-1"});
    properties[name] = value.clone();
    let record = json!({ "event": "A", "properties": properties }).to_string();
    fault(&record, Rules::Import { now: NOW, strict: true })
}

#[test]
fn an_event_needs_a_name_and_properties() {
    for (record, field) in [
        (r#"{"event":"A","properties":{"token":"t"}}"#, None),
        (r#"{"event":"","properties":{}}"#, Some("event")),
        (r#"{"event":7,"properties":{}}"#, Some("event")),
        (r#"{"properties":{}}"#, Some("event")),
        (r#"{"event":"A"}"#, Some("properties")),
        (r#"{"event":"A","properties":[]}"#, Some("properties")),
        (r#"{"event":"A","properties":null}"#, Some("properties")),
        ("[]", Some("")),
        ("7", Some("")),
        ("null", Some("")),
    ] {
        assert_eq!(fault(record, Rules::Track), field, "{record}");
    }
}

#[test]
fn a_key_that_stands_twice_is_refused_however_it_is_written() {
    for record in [
        r#"{"event":"A","properties":{"token":"a","\u0074oken":"b"}}"#,
        r#"{"event":"A","properties":{"distinct_id":"a","distinct_id":"b"}}"#,
        r#"{"event":"A","event":"B","properties":{}}"#,
    ] {
        assert!(fault(record, Rules::Track).is_some(), "{record}");
    }
    assert!(
        fault(r#"{"$token":"t","$distinct_id":"a","$distinct_id":"b"}"#, Rules::Engage).is_some()
    );
}

#[test]
fn a_profile_update_needs_somebody() {
    for (record, field) in [
        (r#"{"$token":"t","$distinct_id":"u1","$set":{}}"#, None),
        (r#"{"$token":"t","$distinct_id":17,"$delete":""}"#, None),
        (r#"{"$token":"t","$distinct_id":"","$set":{}}"#, Some("$distinct_id")),
        (r#"{"$token":"t","$set":{}}"#, Some("$distinct_id")),
        (r#"{"$token":"t","$distinct_id":null}"#, Some("$distinct_id")),
        (r#"[{"$token":"t"}]"#, Some("")),
    ] {
        assert_eq!(fault(record, Rules::Engage), field, "{record}");
    }
}

#[test]
fn an_import_names_the_field_at_fault() {
    for (name, value, expected) in [
        ("time", json!(1_700_000_000_123_i64), None),
        ("time", json!(1_700_000_000.5), None),
        ("time", json!(NOW + 3600), None),
        ("distinct_id", json!(""), None),
        ("time", json!(NOW + 3601), Some("properties.time")),
        ("time", json!("soon"), Some("properties.time")),
        ("time", json!(5), Some("properties.time")),
        ("time", Value::Null, Some("properties.time")),
        ("$insert_id", Value::Null, Some("properties.$insert_id")),
        ("$insert_id", json!("a b"), Some("properties.$insert_id")),
        ("$insert_id", json!("undefined"), Some("properties.$insert_id")),
        ("$insert_id", json!("x".repeat(36)), None),
        ("$insert_id", json!("x".repeat(37)), Some("properties.$insert_id")),
        ("distinct_id", json!("Anonymous"), Some("properties.distinct_id")),
    ] {
        assert_eq!(import_with(name, &value), expected, "{name} {value}");
    }
}

#[test]
fn an_import_that_is_not_strict_may_lack_an_insert_id_and_a_merge_all() {
    let bare = r#"{"event":"A","properties":{"time":1700000000}}"#;
    assert_eq!(fault(bare, Rules::Import { now: NOW, strict: false }), None);
    assert_eq!(
        fault(bare, Rules::Import { now: NOW, strict: true }),
        Some("properties.$insert_id")
    );
    let bad = r#"{"event":"A","properties":{"time":1700000000,"$insert_id":""}}"#;
    assert_eq!(
        fault(bad, Rules::Import { now: NOW, strict: false }),
        Some("properties.$insert_id")
    );
    let merge = r#"{"event":"$merge","properties":{"$distinct_ids":["a","b"]}}"#;
    assert_eq!(fault(merge, Rules::Import { now: NOW, strict: true }), None);
}

#[test]
fn what_a_reader_could_not_read_is_refused() {
    let deep = |levels: usize| {
        format!("{}{}", r#"{"a":"#.repeat(levels), format_args!("1{}", "}".repeat(levels)))
    };
    let event = |value: &str| format!(r#"{{"event":"A","properties":{{"x":{value}}}}}"#);
    assert_eq!(fault(&event(&deep(20)), Rules::Track), None);
    for value in
        [deep(200), "1e999".to_owned(), format!("{}{}", "[".repeat(5_000), "]".repeat(5_000))]
    {
        assert_eq!(fault(&event(&value), Rules::Track), Some(""));
    }
    assert_eq!(
        fault(&event(&format!("\"{}\"", "x".repeat(MAX_RECORD_BYTES))), Rules::Track),
        Some("")
    );
    // Brackets in a text are no nesting.
    assert_eq!(fault(&event(&format!("\"\\\"{}\"", "[".repeat(100))), Rules::Track), None);
}

#[test]
fn records_come_alone_in_an_array_or_one_after_the_other() {
    for text in
        ["[{\"a\":1.0},{ }]", "{\"a\":1.0}{ }", "{\"a\":1.0}\r\n{ }\n\n", " [ {\"a\":1.0} , { } ] "]
    {
        let records: Vec<&str> = several(text).unwrap().into_iter().map(RawValue::get).collect();
        assert_eq!(records, ["{\"a\":1.0}", "{ }"], "{text}");
    }
}

#[test]
fn records_are_counted_before_all_of_them_are_kept() {
    let many = |n: usize| vec!["1"; n];
    assert_eq!(several(&format!("[{}]", many(2_000).join(","))).unwrap().len(), 2_000);
    assert_eq!(several(&many(2_000).join("\n")).unwrap().len(), 2_000);
    for text in [format!("[{}]", many(2_001).join(",")), many(2_001).join("\n")] {
        assert_eq!(several(&text).err(), Some(Refusal::TooMany(2_000)));
    }
    for text in ["", "[]", "[1", "[1]2", "{\"a\":}", "{} nonsense", "[1,]"] {
        assert!(matches!(several(text), Err(Refusal::Unreadable(_))), "{text}");
    }
}

proptest! {
    /// What passes is readable, and the address lands inside the right object whatever is around it.
    #[test]
    fn an_address_lands_in_the_properties(
        before in "[a-z \"{}\\\\]{0,10}",
        key in "[a-z{}\"]{1,6}",
        value in ".{0,20}",
        spaces in " {0,3}",
    ) {
        let other = serde_json::to_string(&before).unwrap();
        let properties = json!({ (key.clone()): value, "token": "t" }).to_string();
        prop_assume!(key != "ip" && key != "token");
        let record = format!("{{\"x\":{other},{spaces}\"properties\":{spaces}{properties},\"event\":\"A\"}}");
        let raw: &RawValue = serde_json::from_str(&record).unwrap();
        let checked = check(raw, Rules::Track).unwrap();
        prop_assert_eq!(checked.token.as_deref(), Some("t"));
        let located = crate::door::place::located(checked.json, checked.address_at.unwrap(), Kind::Event, "192.0.2.7".parse().unwrap());
        let mut parsed: Value = serde_json::from_str(&located).unwrap();
        prop_assert_eq!(&parsed["properties"]["ip"], "192.0.2.7");
        parsed["properties"].as_object_mut().unwrap().remove("ip");
        prop_assert_eq!(parsed, serde_json::from_str::<Value>(&record).unwrap());
    }
}
