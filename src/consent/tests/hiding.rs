//! Ways to get a listed property, a place, an id or a person past the filter. None of them may work.

use serde_json::json;

use super::*;

/// The secret must be nowhere in what leaves; the record may also be refused.
fn assert_hidden(privacy: &PrivacyConfig, kind: RecordKind, json: &str, secret: &str) {
    if let Ok(record) = Record::read(kind, raw(json)) {
        let mut out = Vec::new();
        if filter(privacy).write(&record, &ENTRY, &mut out).is_ok() {
            let text = String::from_utf8(out).unwrap();
            assert!(!text.contains(secret), "{json} left as {text}");
        }
    }
}

#[test]
fn a_listed_name_does_not_leave_in_disguise() {
    let privacy = blacklisting(&["plan"]);
    for json in [
        r#"{"event":"A","properties":{"pl\u0061n":"S3"}}"#,
        r#"{"event":"A","properties":{"plan":1,"pl\u0061n":"S3"}}"#,
        r#"{"event":"A","properties":{"plan":"S3"},"properties":{"x":1}}"#,
        r#"{"event":"A","properties":{"x":1},"properti\u0065s":{"plan":"S3"}}"#,
        r#"{"event":"A","plan":"S3","properties":{}}"#,
        r#"{"event":"A","other":{"plan":"S3"},"properties":{}}"#,
        r#"{"event":"A","properties":{"o":{"plan":"S3"}}}"#,
        r#"{"event":"A","properties":{"o":{"plan":"S3"},"o":1}}"#,
        r#"{"event":"A","properties":{"p":{"o":{"plan":"S3"},"o":1}}}"#,
        r#"{"event":"A","properties":{"o":[[{"a":{"pl\u0061n":"S3"}}]]}}"#,
        r#"{"event":"A","properties":{"distinct_id":["u1",{"plan":"S3"}]}}"#,
        r#"{"event":"A","properties":{"$had_persisted_distinct_id":{"plan":"S3"}}}"#,
        r#"{"event":"A","properties":{"time":{"plan":"S3"},"token":{"plan":"S3"},"$insert_id":{"plan":"S3"}}}"#,
        r#"{"event":"A","properties":[{"plan":"S3"}]}"#,
        r#"{"event":"A","$set":{"plan":"S3"}}"#,
        r#"{"event":{"plan":"S3"},"properties":{}}"#,
    ] {
        assert_hidden(&privacy, Event, json, "S3");
    }
    for own in [
        r#""\u0024set":{"plan":"S3","x":1}"#,
        r#""$set":{"plan":"S3"},"$set":{"x":1}"#,
        r#""$set":[{"plan":"S3"}]"#,
        r#""$append":{"orders":{"plan":"S3","n":1}}"#,
        r#""$union":{"orders":[{"plan":"S3","n":1}]}"#,
        r#""$unset":{"plan":"S3"}"#,
        r#""$unset":[{"plan":"S3"}]"#,
        r#""$delete":{"plan":"S3"}"#,
        r#""$set":{"a":1},"$increment":{"plan":"S3"}"#,
        r#""$set":{"a":1},"properties":{"plan":"S3"}"#,
        r#""$delete":"","$mp_metadata":{"plan":"S3"}"#,
        r#""$set":{"a":1},"$ignore_alias":{"plan":"S3"}"#,
        r#""$set":{"a":1},"$token":{"plan":"S3"}"#,
    ] {
        assert_hidden(&privacy, Profile, &format!(r#"{{"$distinct_id":"u1",{own}}}"#), "S3");
    }
}

#[test]
fn a_name_is_not_safe_because_it_means_something_elsewhere() {
    let privacy = blacklisting(&["event", "properties", "$set", "time", "token", "$ip"]);
    for own in
        [r#""event":"S3""#, r#""properties":{"a":"S3"}"#, r#""$set":{"a":"S3"}"#, r#""$ip":"S3""#]
    {
        assert_hidden(&privacy, Event, &event(own), "S3");
    }
    for own in [
        r#""$set":{"a":1,"time":"S3"}"#,
        r#""$set":{"a":1,"token":"S3"}"#,
        r#""$add":{"b":1},"time":"S3""#,
    ] {
        assert_hidden(&privacy, Profile, &format!(r#"{{"$distinct_id":"u1",{own}}}"#), "S3");
    }
}

#[test]
fn no_place_leaves_in_disguise() {
    let privacy = no_places(&[]);
    for json in [
        r#"{"event":"A","properties":{"$ci\u0074y":"S3"}}"#,
        r#"{"event":"A","properties":{"ip":"0","i\u0070":"S3"}}"#,
        r#"{"event":"A","ip":"S3","$ip":"S3","$city":"S3","properties":{}}"#,
        r#"{"event":"A","properties":{"ip":{"a":"S3"}}}"#,
        r#"{"event":"A","properties":{"$ip":"S3","where":{"$city":"S3","x":[{"$latitude":"S3"}]}}}"#,
    ] {
        assert_hidden(&privacy, Event, json, "S3");
    }
    for own in [
        r#""$ip":"0","\u0024ip":"S3","$set":{"a":1}"#,
        r#""ip":"S3","$city":"S3","$latitude":"S3","$set":{"a":1}"#,
        r#""$set":{"a":{"$city":"S3","x":1}}"#,
        r#""$delete":"","$ip":"S3""#,
    ] {
        assert_hidden(&privacy, Profile, &format!(r#"{{"$distinct_id":"u1",{own}}}"#), "S3");
    }
}

#[test]
fn no_raw_id_leaves_in_disguise() {
    let privacy = anonymizing();
    for json in [
        r#"{"event":"A","properties":{"distinct\u005fid":"\u0053333"}}"#,
        r#"{"event":"A","properties":{"distinct_id":"S333","distinct_id":"S333"}}"#,
        r#"{"event":"A","distinct_id":"S333","properties":{}}"#,
        r#"{"event":"A","properties":{"distinct_id":["S333"]}}"#,
        r#"{"event":"A","properties":{"distinct_id":{"a":"S333"}}}"#,
        r#"{"event":"A","properties":{"$distinct_ids":"[\"S333\",[\"S333\"]]"}}"#,
        r#"{"event":"A","properties":{"$distinct_ids":[[["S333"]]]}}"#,
        r#"{"event":"$create_alias","properties":{"alias":"S333","distinct_id":"u1"}}"#,
        r#"{"event":"$identify","properties":{"$identified_id":"S333","$anon_id":"S333"}}"#,
        r#"{"event":"A","properties":{"$user_id":"S333"}}"#,
        r#"{"event":"A","properties":{"$device_id":"S333"}}"#,
        r#"{"event":"A","properties":{"distinct_id":"$device:S333"}}"#,
        r#"{"event":"A","properties":{"inviter":{"distinct_id":"S333","list":[{"$user_id":"S333"}]}}}"#,
        r#"{"event":"A","properties":{"inviter":{"distinct_id":"S333\ud800","x":1}}}"#,
        r#"{"event":"A","properties":{"distinct_id":"S333","$insert_id":"S333-1"}}"#,
        r#"{"event":"A","properties":{"distinct_id":"S333","$insert_id":"S333@"}}"#,
    ] {
        assert_hidden(&privacy, Event, json, "S333");
    }
    for json in [
        r#"{"$distinct_id":"S333","$delete":"S333"}"#,
        r#"{"$distinct_id":"S333","$delete":["S333"],"$set":{"a":1}}"#,
        r#"{"$distinct_id":"u1","$set":{"$distinct_id":"S333"}}"#,
        r#"{"$distinct_id":"u1","$union":{"$distinct_ids":["S333"]}}"#,
        r#"{"$distinct_id":"u1","$append":{"friends":{"distinct_id":"S333"}}}"#,
    ] {
        assert_hidden(&privacy, Profile, json, "S333");
    }
    let (written, _) = properties(&privacy, r#""$distinct_ids":"[\"u1\", 2]""#);
    let expected = json!([alias("u1"), alias("2")]).to_string();
    assert_eq!(written["$distinct_ids"], expected, "still a list in a text");
}

#[test]
fn nobody_hides_from_the_look_up() {
    for json in [
        r#"{"event":"A","properties":{"distinct\u005fid":"S3"}}"#,
        r#"{"event":"A","properties":{"distinct_id":"u1","distinct_id":"\u00533"}}"#,
        r#"{"event":"A","distinct_id":"S3","properties":{"distinct_id":"u1"}}"#,
        r#"{"event":"A","properties":{"distinct_id":["u1",["S3"]]}}"#,
        r#"{"event":"A","properties":{"$distinct_ids":"[\"u1\",\"S3\"]"}}"#,
        r#"{"event":"$identify","properties":{"distinct_id":"u1","$anon_distinct_id":"S3"}}"#,
        r#"{"event":"A","properties":{"distinct_id":"$device:S3"}}"#,
    ] {
        let people = Record::read(Event, raw(json)).unwrap().people();
        assert!(people.contains(&DistinctId::new("S3")), "{json}");
    }
}

#[test]
fn what_could_hide_somebody_is_refused_with_a_reason() {
    let bomb =
        |levels: usize| event(&format!("\"a\":{}{}", "[".repeat(levels), "]".repeat(levels)));
    for (json, expected) in [
        ("[]".to_owned(), Unreadable::NotAnObject),
        ("3".to_owned(), Unreadable::NotAnObject),
        ("{}".to_owned(), Unreadable::NoEventName),
        (r#"{"event":1,"properties":{}}"#.to_owned(), Unreadable::NoEventName),
        (r#"{"event":"A","properties":null}"#.to_owned(), Unreadable::Properties),
        (r#"{"event":"A","properties":[]}"#.to_owned(), Unreadable::Properties),
        (r#"{"event":"A","properties":{"\udc00":1}}"#.to_owned(), Unreadable::Name),
        (event(r#""$user_id":{}"#), Unreadable::Id("$user_id")),
        (event(r#""alias":["u1",{}]"#), Unreadable::Id("alias")),
        (event(r#""$device_id":"\ud800""#), Unreadable::Id("$device_id")),
        (event(&format!("\"$distinct_ids\":[{}1]", "1,".repeat(254))), Unreadable::Crowd),
        (bomb(31), Unreadable::TooDeep),
        (bomb(200_000), Unreadable::TooDeep),
        (event(&format!("\"a\":\"{}\"", "x".repeat(1024 * 1024))), Unreadable::TooLong(1_048_667)),
    ] {
        assert_eq!(refused(Event, &json), Some(expected));
        assert!(!expected.to_string().contains("u1") && !expected.reason().is_empty());
    }
    assert_eq!(refused(Event, &bomb(30)), None);
    let crowd = event(&format!("\"$distinct_ids\":[{}1]", "1,".repeat(253)));
    assert_eq!(refused(Event, &crowd), None, "254 and the owner");

    for (json, expected) in [
        (r#"{"$set":{}}"#, Unreadable::NobodysProfile),
        (r#"{"$distinct_id":"","$set":{}}"#, Unreadable::NobodysProfile),
        (r#"{"$distinct_id":null,"$set":{}}"#, Unreadable::NobodysProfile),
        (r#"{"$distinct_id":["u1"],"$set":{}}"#, Unreadable::NobodysProfile),
        (r#"{"distinct_id":"u1","$set":{}}"#, Unreadable::NobodysProfile),
        (r#"{"$group_key":"c","$group_id":"x","$set":{}}"#, Unreadable::Group),
        (r#"{"$distinct_id":"u1","$group_id":"x","$set":{}}"#, Unreadable::Group),
        (r#"{"$distinct_id":"u1","$set":[]}"#, Unreadable::Operator("$set")),
        (r#"{"$distinct_id":"u1","$append":null}"#, Unreadable::Operator("$append")),
        (r#"{"$distinct_id":"u1","$unset":{"a":1}}"#, Unreadable::Operator("$unset")),
        (r#"{"$distinct_id":{"a":"u1"},"$set":{}}"#, Unreadable::Id("$distinct_id")),
    ] {
        assert_eq!(refused(Profile, json), Some(expected), "{json}");
    }
}

#[test]
fn half_a_character_deep_inside_is_refused_and_leaves_nothing() {
    let json = event(r#""a":{"\ud800":1}"#);
    assert_eq!(write_text(&defaults(), Event, &json), Err(Refusal::Unreadable(Unreadable::Name)));
}

#[test]
fn the_deepest_record_that_is_read_is_written() {
    let json = event(&format!("\"a\":{}\"ada@example.test\"{}", "[".repeat(30), "]".repeat(30)));
    assert_eq!(write(&defaults(), Event, &json).1.email, 1);
    assert_eq!(write(&dropping(), Event, &json).0["properties"].get("a"), None);
}
