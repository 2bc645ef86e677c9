//! What leaves of profile updates.

use serde_json::json;

use super::*;

#[test]
fn with_the_defaults_an_update_leaves_as_it_came_with_the_projects_token() {
    let own = r#""$set":{"plan":"pro","$city":"X"},"$unset":["a"],"$ip":"203.0.113.7","$ignore_time":true,"other":{ "a":1}"#;
    let json = format!(r#"{{"$token":"of another","$distinct_id":"u1",{own}}}"#);
    let (text, changes) = write_text(&defaults(), Profile, &json).unwrap();
    assert_eq!(text, format!(r#"{{"$token":"{TOKEN}","$distinct_id":"u1",{own}}}"#));
    assert_eq!(changes, Changes::default());
}

#[test]
fn with_geolocation_off_no_place_leaves_in_any_operator() {
    let place = r#"{"$city":"A","$ip":"203.0.113.7","ip":"203.0.113.7","$timezone":"Z","x":1}"#;
    let operators = ["$set", "$set_once", "$add", "$append", "$union", "$remove"];
    for operator in operators {
        let own = format!(
            "\"{operator}\":{place},\"$latitude\":1,\"$longitude\":2,\"$ip\":\"203.0.113.7\""
        );
        let (written, changes) = update(&no_places(&[]), &own);
        assert_eq!(written, json!({operator: {"x": 1}, "$ip": "0"}));
        assert_eq!(changes, Changes { geolocation: 7, ..Changes::default() });
    }
    let (written, changes) = update(&no_places(&[]), r#""$unset":["$city"],"$ip":"0""#);
    assert_eq!(written, json!({"$unset": ["$city"], "$ip": "0"}));
    assert_eq!(changes, Changes::default());
}

#[test]
fn names_of_the_blacklist_go_from_every_operator() {
    let own = r#""$set":{"plan":1,"x":1},"$set_once":{"plan":1,"x":1},"$add":{"plan":1,"x":1},
        "$append":{"plan":1,"x":1},"$union":{"plan":[1],"x":[1]},"$remove":{"plan":1,"x":1},"$unset":["plan"],"plan":1"#;
    let (written, changes) = update(&blacklisting(&["plan", "$set", "$token", "$unset"]), own);
    assert_eq!(
        written,
        json!({"$set": {"x": 1}, "$set_once": {"x": 1}, "$add": {"x": 1}, "$append": {"x": 1},
            "$union": {"x": [1]}, "$remove": {"x": 1}, "$unset": ["plan"]})
    );
    assert_eq!(changes, Changes { blacklisted: 7, ..Changes::default() });
}

#[test]
fn an_operator_that_becomes_empty_goes_and_without_any_nothing_is_left() {
    let privacy = blacklisting(&["plan"]);
    let (written, _) = update(&privacy, r#""$set":{"plan":1},"$add":{"x":1}"#);
    assert_eq!(written, json!({"$add": {"x": 1}}));
    for own in
        [r#""$set":{"plan":1}"#, r#""$set":{"plan":1},"$ignore_time":true"#, r#""other":{"a":1}"#]
    {
        let json = format!(r#"{{"$distinct_id":"u1",{own}}}"#);
        assert_eq!(write_text(&privacy, Profile, &json), Err(Refusal::NothingLeft), "{own}");
    }
    assert_eq!(update(&privacy, r#""$set":{}"#).0, json!({"$set": {}}), "as it came");
}

#[test]
fn ids_leave_as_hashes_above_and_in_operators() {
    let json = r#"{"$distinct_id":"$device:d1","$device_id":"d1","$user_id":7,"alias":"u2","$identified_id":"u1",
        "$set":{"$user_id":"u1","distinct_id":"u1","name":"u1"},"$union":{"$distinct_ids":["u1","u2"]}}"#;
    let (written, changes) = write(&anonymizing(), Profile, json);
    assert_eq!(
        written,
        json!({"$token": TOKEN, "$distinct_id": format!("$device:{}", alias("d1")), "$device_id": alias("d1"),
            "$user_id": alias("7"), "alias": alias("u2"), "$identified_id": alias("u1"),
            "$set": {"$user_id": alias("u1"), "distinct_id": alias("u1"), "name": "u1"},
            "$union": {"$distinct_ids": [alias("u1"), alias("u2")]}})
    );
    assert_eq!(changes, Changes { anonymized: 9, ..Changes::default() });
}

#[test]
fn personal_values_go_from_operators() {
    let own = r#""$set":{"$email":"x","mail":"ada@example.test","n":1},"$union":{"mails":["ada@example.test"]},
        "$append":{"people":{"phone":"+49 30 123456"}},"$unset":["$email"]"#;
    let (written, changes) = update(&dropping(), own);
    assert_eq!(written, json!({"$set": {"n": 1}, "$unset": ["$email"]}));
    assert_eq!(changes, Changes { email: 3, phone: 1, dropped_values: 4, ..Changes::default() });
}

#[test]
fn a_deletion_is_nothing_but_a_deletion() {
    let deletion = |own: &str| {
        let json = format!(r#"{{"$token":"t","$distinct_id":"u1",{own}}}"#);
        Record::read(Profile, raw(&json)).unwrap().is_profile_deletion()
    };
    for own in [
        r#""$delete":null"#,
        r#""$delete":"","$ignore_alias":true"#,
        r#""$delete":"u1","$ignore_alias":"true","$ignore_time":true,"$ip":"0""#,
        r#""$delete":{},"$time":1,"$mp_metadata":{"$mp_event_id":"x"},"$device_id":"d","$user_id":"u1","$had_persisted_distinct_id":false"#,
    ] {
        assert!(deletion(own), "{own}");
    }
    for own in [
        r#""$set":{"a":1}"#,
        r#""$delete":null,"$set":{"a":1}"#,
        r#""$delete":null,"$set":{}"#,
        r#""$delete":null,"$unset":["a"]"#,
        r#""$delete":null,"note":"ada@example.test""#,
        r#""$delete":null,"$ignore_alias":{"note":"x"}"#,
        r#""$delete":null,"$ignore_alias":"ada@example.test""#,
        r#""$delete":null,"alias":"ada@example.test""#,
    ] {
        assert!(!deletion(own), "{own}");
    }
    let event = r#"{"event":"A","$delete":null,"properties":{}}"#;
    assert!(!Record::read(Event, raw(event)).unwrap().is_profile_deletion());
}

#[test]
fn nothing_but_the_deletion_leaves_with_a_deletion() {
    let own = r#""$delete":"u1","$time":1,"$mp_metadata":{"a":1},"$ip":"203.0.113.7","$ignore_alias":true"#;
    assert_eq!(update(&defaults(), own).0, json!({"$delete": "", "$ignore_alias": true}));
    assert_eq!(
        update(&no_places(&[]), own).0,
        json!({"$delete": "", "$ignore_alias": true, "$ip": "0"})
    );
    for value in ["null", "\"\"", "{}", "true", "\"null\""] {
        let (written, _) = update(&strictest(), &format!("\"$delete\":{value}"));
        assert_eq!(written["$delete"].to_string(), value);
    }
}
