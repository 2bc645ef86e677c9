//! One test or row for each way to refuse a document, and for what the accepted one holds.

use serde_json::json;

use super::*;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_000_000, 0).unwrap_or_default()
}

fn parse(json: &str) -> Result<Document, Rejection> {
    Document::parse(json.as_bytes(), now())
}

fn rejected(json: &str) -> Rejection {
    match parse(json) {
        Err(rejection) => rejection,
        Ok(document) => panic!("accepted as {document:?}"),
    }
}

fn deletion_of(ids: &Value) -> Result<Document, Rejection> {
    parse(&json!({ "kind": "deletion", "distinct_ids": ids }).to_string())
}

fn received(at: &str) -> Result<Option<DateTime<Utc>>, Rejection> {
    let json = json!({ "kind": "deletion", "distinct_ids": ["user-001"], "received_at": at });
    parse(&json.to_string()).map(|document| document.received_at)
}

#[test]
fn the_least_document_gets_the_defaults_of_the_contract() {
    let expected = Document::new(Kind::Deletion, [DistinctId::new("user-001")]);
    assert_eq!(parse(r#"{"kind":"deletion","distinct_ids":["user-001"]}"#), Ok(expected));
}

#[test]
fn a_repeated_identifier_counts_once_and_order_is_kept() {
    let document = deletion_of(&json!(["b", "a", "b", "A"])).map(|d| d.distinct_ids);
    assert_eq!(document, Ok(["b", "a", "A"].map(DistinctId::new).to_vec()));
}

#[test]
fn a_document_over_the_size_limit_is_too_large_and_one_at_the_limit_is_not() {
    let least = r#"{"kind":"deletion","distinct_ids":["user-001"]}"#;
    let pad = |total: usize| format!("{least}{}", " ".repeat(total - least.len()));
    assert!(parse(&pad(MAX_DOCUMENT_BYTES)).is_ok());
    let over = MAX_DOCUMENT_BYTES + 1;
    assert_eq!(rejected(&pad(over)), Rejection::TooLarge(over));
}

#[test]
fn what_is_not_one_json_object_is_refused_with_its_position() {
    assert_eq!(rejected("[]"), Rejection::NotAnObject { line: 1, column: 0 });
    assert_eq!(rejected("{\n!"), Rejection::NotAnObject { line: 2, column: 1 });
    let twice = r#"{"kind":"deletion","kind":"retrieval","distinct_ids":["user-001"]}"#;
    assert!(matches!(rejected(twice), Rejection::NotAnObject { line: 1, .. }));
}

#[test]
fn an_unknown_field_is_refused() {
    let slip = r#"{"kind":"deletion","distinct_ids":["user-001"],"user_id":"user-001"}"#;
    assert_eq!(rejected(slip), Rejection::UnknownField("user_id".into()));
    let other = r#"{"kind":"deletion","distinct_ids":["user-001"],"ada_lovelace":1}"#;
    assert_eq!(rejected(other), Rejection::UnknownField("(name not shown)".into()));
}

#[test]
fn what_a_kind_requires_must_be_there() {
    for (json, field) in [
        ("{}", "kind"),
        (r#"{"distinct_ids":["user-001"]}"#, "kind"),
        (r#"{"kind":"retrieval"}"#, "distinct_ids"),
        (r#"{"kind":"opt_out"}"#, "distinct_ids"),
        (r#"{"kind":"cancellation"}"#, "request_id"),
    ] {
        assert!(matches!(rejected(json), Rejection::Missing(name, _) if name == field), "{json}");
    }
}

#[test]
fn a_field_of_another_form_is_invalid() {
    for (field, value) in [
        ("kind", json!("erase")),
        ("kind", json!(null)),
        ("id", json!("")),
        ("id", json!("a b")),
        ("id", json!(17)),
        ("request_id", json!("a:b")),
        ("regulation", json!("gdpr")),
        ("disclosure_type", json!("All")),
        ("received_at", json!(1_795_000_000)),
        ("properties", json!([])),
        ("distinct_ids", json!("user-001")),
        ("distinct_ids", json!([])),
        ("distinct_ids", json!([1])),
        ("distinct_ids", json!([null])),
    ] {
        let mut document = json!({ "kind": "deletion", "distinct_ids": ["user-001"] });
        document[field] = value;
        let rejection = rejected(&document.to_string());
        assert!(matches!(rejection, Rejection::Invalid(name, _) if name == field), "{document}");
    }
}

#[test]
fn the_identifiers_are_bounded_in_number_and_in_bytes() {
    let many = |count: usize| json!((0..count).map(|n| format!("u{n}")).collect::<Vec<_>>());
    assert!(deletion_of(&many(100)).is_ok());
    assert!(matches!(deletion_of(&many(101)), Err(Rejection::Invalid("distinct_ids", _))));
    for (id, fits) in [
        ("x".repeat(512), true),
        ("x".repeat(513), false),
        ("é".repeat(256), true),
        ("é".repeat(257), false),
    ] {
        assert_eq!(deletion_of(&json!([id])).is_ok(), fits);
    }
}

#[test]
fn a_reserved_identifier_is_refused_with_its_position() {
    for id in ["", "0", "null", "Anonymous", "undefined", "$device:null"] {
        let refused = deletion_of(&json!(["user-001", id]));
        assert_eq!(refused.err(), Some(Rejection::ReservedId(1)));
    }
}

#[test]
fn fields_of_another_kind_are_not_allowed() {
    for (extra, field) in [
        (json!({ "request_id": "order-1" }), "request_id"),
        (json!({ "disclosure_type": "Sources" }), "disclosure_type"),
        (json!({ "kind": "retrieval", "disclosure_type": "Sources" }), "disclosure_type"),
        (json!({ "regulation": "CCPA", "disclosure_type": "Sources" }), "disclosure_type"),
        (json!({ "properties": {} }), "properties"),
        (json!({ "kind": "opt_out", "properties": {} }), "properties"),
        (json!({ "kind": "cancellation", "request_id": "a", "id": "a" }), "request_id"),
    ] {
        let mut document = json!({ "kind": "deletion", "distinct_ids": ["user-001"] });
        for (name, value) in extra.as_object().into_iter().flatten() {
            document[name] = value.clone();
        }
        let rejection = rejected(&document.to_string());
        assert!(matches!(rejection, Rejection::NotAllowed(name, _) if name == field), "{document}");
    }
}

#[test]
fn received_at_may_lead_our_clock_by_a_minute_and_is_then_our_time() {
    assert_eq!(received("2026-11-18T12:00:00+02:00"), Ok("2026-11-18T10:00:00Z".parse().ok()));
    let ahead = |seconds| (now() + TimeDelta::seconds(seconds)).to_rfc3339();
    assert_eq!(received(&ahead(60)), Ok(Some(now())));
    assert_eq!(received(&ahead(61)), Err(Rejection::InTheFuture));
    assert_eq!(received("9999-12-31T23:59:59Z"), Err(Rejection::InTheFuture));
}

#[test]
fn received_at_follows_the_grammar_of_rfc_3339() {
    for good in ["2026-01-31t09:30:00z", "2024-02-29T23:59:59.123456789-00:00"] {
        assert!(received(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "2026-01-31",
        "2026-01-31T09:30:00",
        "2026-01-31 09:30:00Z",
        "2026-01-31T09:30Z",
        "2026-02-30T09:30:00Z",
        "2026-01-31T24:00:00Z",
        "2026-01-31T09:30:00+0200",
        "2026-01-31T09:30:00\u{2212}02:00",
        " 2026-01-31T09:30:00Z",
        "20260-01-31T09:30:00Z",
    ] {
        assert!(matches!(received(bad), Err(Rejection::Invalid("received_at", _))), "{bad}");
    }
}

#[test]
fn a_document_built_in_code_is_held_to_the_same_rules() {
    assert_eq!(Document::new(Kind::OptOut, [DistinctId::new("user-001")]).validate(now()), Ok(()));
    let nobody = Document::new(Kind::OptOut, [DistinctId::new("null")]);
    assert_eq!(nobody.validate(now()), Err(Rejection::ReservedId(0)));
    let future = Document {
        received_at: Some(DateTime::<Utc>::MAX_UTC),
        ..Document::new(Kind::Deletion, [DistinctId::new("user-001")])
    };
    assert!(future.validate(now()).is_err());
    assert!(Document::new(Kind::Deletion, []).validate(now()).is_err());
}

#[test]
fn debug_output_shows_nothing_of_the_person() {
    let shown = parse(
        r#"{"kind":"opt_in","distinct_ids":["ada@example.test"],"properties":{"name":"ada"}}"#,
    );
    let shown = format!("{shown:?}");
    assert!(shown.contains("OptIn") && !shown.contains("ada"), "{shown}");
}
