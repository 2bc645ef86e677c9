//! Every status and every known form of an answer.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{fmt::Write, time::Duration};

use proptest::prelude::*;

use super::*;

const PLAIN_OK: &str = r#"{"code":200,"num_records_imported":3,"status":"OK"}"#;

fn parcel(channel: Channel) -> Parcel {
    let mut parcel = Parcel::new(channel);
    for id in ["i-1", "i-2", "i-3"] {
        let record = format!(r#"{{"event":"A","properties":{{"$insert_id":"{id}"}}}}"#);
        parcel.push(record.into()).unwrap();
    }
    parcel
}

fn said(channel: Channel, status: u16, body: &str) -> Delivery {
    let body = Body::Whole(body.as_bytes().to_vec());
    delivery(&Attempt::Answered(Answer { status, retry_after: None, body }), &parcel(channel))
}

fn import(status: u16, body: &str) -> Delivery {
    said(Channel::Import, status, body)
}

const fn unreadable(status: u16) -> Delivery {
    unavailable(Outage::Unreadable { status }, true)
}

fn is_refused(delivery: &Delivery, words: &str) -> bool {
    matches!(delivery, Delivery::Refused { reason } if reason.as_str() == words)
}

/// `from-to delivery`, one line per run of statuses with one delivery.
fn table(delivery: impl Fn(u16) -> String) -> String {
    let mut lines = String::new();
    let mut from = 100;
    for status in 100..=599_u16 {
        let outcome = delivery(status).replace(&status.to_string(), "_");
        let next = delivery(status + 1).replace(&(status + 1).to_string(), "_");
        if status == 599 || next != outcome {
            let range = if from == status { format!("{from}") } else { format!("{from}-{status}") };
            let _ = writeln!(lines, "{range} {outcome}");
            from = status + 1;
        }
    }
    lines
}

const TABLE: &str = r#"100-199 Unavailable { why: Unreadable { status: _ }, sent: true }
200-299 Accepted { uncounted: 0 }
300-399 Unavailable { why: Misdirected { status: _ }, sent: true }
400 Refused { reason: Reason("") }
401 Unauthorized { status: _ }
402 Refused { reason: Reason("") }
403 Unauthorized { status: _ }
404-407 Unavailable { why: Misdirected { status: _ }, sent: true }
408 Unavailable { why: Server { status: _, retry_after: None }, sent: true }
409 Refused { reason: Reason("") }
410-411 Unavailable { why: Misdirected { status: _ }, sent: true }
412 Refused { reason: Reason("") }
413 TooLarge
414 Refused { reason: Reason("") }
415 Unavailable { why: Misdirected { status: _ }, sent: true }
416 Refused { reason: Reason("") }
417 Unavailable { why: Misdirected { status: _ }, sent: true }
418-420 Refused { reason: Reason("") }
421 Unavailable { why: Misdirected { status: _ }, sent: true }
422-424 Refused { reason: Reason("") }
425 Throttled { retry_after: None }
426 Unavailable { why: Misdirected { status: _ }, sent: true }
427 Refused { reason: Reason("") }
428 Unavailable { why: Misdirected { status: _ }, sent: true }
429 Throttled { retry_after: None }
430 Refused { reason: Reason("") }
431 Unavailable { why: Misdirected { status: _ }, sent: true }
432-450 Refused { reason: Reason("") }
451 Unavailable { why: Misdirected { status: _ }, sent: true }
452-498 Refused { reason: Reason("") }
499-599 Unavailable { why: Server { status: _, retry_after: None }, sent: true }
"#;

#[test]
fn every_status_has_its_delivery() {
    // A body that claims success changes nothing about a status that says otherwise.
    let seen = table(|status| format!("{:?}", import(status, PLAIN_OK)));
    assert_eq!(seen, TABLE, "{seen}");
}

#[test]
fn all_forms_of_a_yes_are_read() {
    let yes = Delivery::Accepted { uncounted: 0 };
    for body in ["1", "\"1\"", r#"{"status":1,"error":null}"#, r#"{"status":"1"}"#] {
        for channel in [Channel::Import, Channel::Track, Channel::Engage] {
            assert_eq!(said(channel, 200, body), yes, "{body}");
        }
    }
    for body in [
        PLAIN_OK,
        r#"{"num_records_imported":3}"#,
        r#"{"num_records_imported":"3","status":1}"#,
        r#"{"code":400,"num_records_imported":3,"status":"OK","failed_records":[]}"#,
    ] {
        assert_eq!(import(200, body), yes, "{body}");
    }
}

#[test]
fn a_count_that_is_short_is_told_and_only_import_counts() {
    let body = r#"{"num_records_imported":1,"status":"OK"}"#;
    assert_eq!(import(200, body), Delivery::Accepted { uncounted: 2 });
    assert_eq!(said(Channel::Track, 200, body), Delivery::Accepted { uncounted: 0 });
}

#[test]
fn all_forms_of_a_no_are_read() {
    for channel in [Channel::Import, Channel::Track, Channel::Engage] {
        assert!(is_refused(&said(channel, 200, "0"), "no reason given"));
        assert!(is_refused(
            &said(channel, 200, r#"{"status":0,"error":"'$distinct_id' is missing"}"#),
            "$distinct_id is missing"
        ));
        assert!(is_refused(
            &said(channel, 200, r#"{"status":"error","error":{"a":1}}"#),
            "no reason given"
        ));
    }
}

#[test]
fn success_that_is_not_mixpanels_is_no_success() {
    for body in ["", "<html></html>", "ok", "2", "null", "[]", "{}", r#"{"status":"maybe"}"#] {
        for channel in [Channel::Import, Channel::Track, Channel::Engage] {
            assert_eq!(said(channel, 200, body), unreadable(200), "{body}");
        }
    }
    let cut = Answer { status: 200, retry_after: None, body: Body::Unusable };
    assert_eq!(delivery(&Attempt::Answered(cut), &parcel(Channel::Track)), unreadable(200));
    // A count alone is an answer only where things are counted.
    assert_eq!(said(Channel::Engage, 200, r#"{"num_records_imported":3}"#), unreadable(200));
}

#[test]
fn a_refusal_that_speaks_of_the_rate_is_a_throttle() {
    let body = r#"{"error":"Project exceeded rate limits. Please retry.","status":0}"#;
    for status in [200, 400] {
        assert_eq!(import(status, body), Delivery::Throttled { retry_after: None });
    }
}

#[test]
fn a_page_instead_of_an_answer_blames_no_record() {
    assert_eq!(
        import(400, " \n<!doctype html>"),
        unavailable(Outage::Misdirected { status: 400 }, true)
    );
    assert!(is_refused(&import(400, "bad JSON"), "no reason given"));
    assert!(is_refused(&import(400, r#"{"error":"bad JSON"}"#), "bad JSON"));
}

fn failed(imported: &str, records: &str) -> Delivery {
    let body = format!(
        r#"{{"code":400,"error":"some data points in the request failed validation",
            "status":"Bad Request",{imported}"failed_records":[{records}]}}"#
    );
    import(400, &body)
}

fn indices(delivery: &Delivery) -> Vec<usize> {
    let Delivery::Partly { refused } = delivery else {
        panic!("expected some refused: {delivery:?}")
    };
    refused.iter().map(|record| record.index).collect()
}

#[test]
fn refused_records_are_told_by_index_once_and_in_order() {
    let delivery = failed(
        r#""num_records_imported":1,"#,
        r#"{"index":2,"insert_id":"i-3","field":"properties.time","message":"'properties.time' is invalid: jane"},
           {"index":"0","field":"jane@example.test","message":7},{"index":2}"#,
    );
    assert_eq!(indices(&delivery), [0, 2]);
    let Delivery::Partly { refused } = delivery else { panic!() };
    assert_eq!((refused[0].field.as_str(), refused[0].reason.as_str()), ("", "no reason given"));
    assert_eq!(refused[1].field, "properties.time");
    assert_eq!(refused[1].reason.as_str(), "properties.time is invalid …");
}

#[test]
fn without_an_index_the_insert_id_names_the_record() {
    for name in ["insert_id", "$insert_id"] {
        let delivery = failed("", &format!(r#"{{"{name}":"i-2","field":"event"}}"#));
        assert_eq!(indices(&delivery), [1]);
    }
}

#[test]
fn all_may_be_refused_by_name() {
    let delivery = failed(r#""num_records_imported":0,"#, r#"{"index":0},{"index":1},{"index":2}"#);
    assert_eq!(indices(&delivery), [0, 1, 2]);
}

#[test]
fn what_is_not_attributed_for_sure_is_a_refusal_of_the_whole() {
    let some = "some data points in the request failed validation";
    for (imported, records, words) in [
        ("", "", some),
        ("", r#"{"index":3,"message":"invalid"}"#, "invalid"),
        ("", r#"{"index":-1}"#, "no reason given"),
        ("", r#"{"insert_id":"stranger"}"#, "no reason given"),
        ("", r#""text""#, "no reason given"),
        // Two are missing, one is named.
        (r#""num_records_imported":1,"#, r#"{"index":0}"#, some),
    ] {
        let delivery = failed(imported, records);
        assert!(is_refused(&delivery, words), "{records}: {delivery:?}");
    }
}

#[test]
fn named_records_count_also_with_a_success() {
    let body =
        r#"{"code":200,"num_records_imported":2,"status":"OK","failed_records":[{"index":1}]}"#;
    assert_eq!(indices(&import(200, body)), [1]);
}

#[test]
fn what_mixpanel_asks_for_is_kept() {
    let retry_after = Some(Duration::from_secs(9));
    let answered = |status| {
        let answer = Answer { status, retry_after, body: Body::Unusable };
        delivery(&Attempt::Answered(answer), &parcel(Channel::Import))
    };
    assert_eq!(answered(429), Delivery::Throttled { retry_after });
    assert_eq!(answered(503), unavailable(Outage::Server { status: 503, retry_after }, true));
}

#[test]
fn no_answer_is_no_delivery() {
    let parcel = parcel(Channel::Import);
    for (attempt, expected) in [
        (Attempt::Late, Delivery::Late),
        (Attempt::Unreachable, unavailable(Outage::Unreachable, false)),
        (Attempt::TimedOut { sent: true }, unavailable(Outage::Timeout, true)),
        (Attempt::TimedOut { sent: false }, unavailable(Outage::Timeout, false)),
        (Attempt::Lost { sent: true }, unavailable(Outage::ConnectionLost, true)),
    ] {
        assert_eq!(delivery(&attempt, &parcel), expected);
    }
}

#[test]
fn the_same_insert_id_twice_names_nobody() {
    let mut parcel = parcel(Channel::Import);
    parcel.push(parcel.records()[0].clone()).unwrap();
    let body = Body::Whole(br#"{"failed_records":[{"insert_id":"i-1"}]}"#.to_vec());
    let answer = Answer { status: 400, retry_after: None, body };
    assert!(is_refused(&delivery(&Attempt::Answered(answer), &parcel), "no reason given"));
}

/// JSON with a canary wherever text can stand.
fn any_json() -> impl Strategy<Value = Value> {
    let words =
        ["canary", "is canary", "'canary'", "canary.time", "canary@example.test", "1", "OK"];
    let leaf = prop_oneof![
        prop::sample::select(words.to_vec()).prop_map(Value::from),
        (-1_i64..5).prop_map(Value::from),
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
    ];
    let names = [
        "status",
        "error",
        "failed_records",
        "index",
        "insert_id",
        "message",
        "canary",
        "num_records_imported",
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(prop::sample::select(names.to_vec()), inner, 0..7)
                .prop_map(|map| map.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_is_answered_nothing_of_it_is_repeated(
        json in any_json(),
        status in prop::sample::select(vec![200_u16, 400, 401, 413, 429, 503]),
    ) {
        let delivery = import(status, &json.to_string());
        let shown = format!("{delivery:?}");
        prop_assert!(!shown.contains("canary"));
        if let Delivery::Partly { refused } = &delivery {
            prop_assert!(!refused.is_empty() && refused.iter().all(|record| record.index < 3));
            prop_assert!(refused.windows(2).all(|pair| pair[0].index < pair[1].index));
        }
    }
}
