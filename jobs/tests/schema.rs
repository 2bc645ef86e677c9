//! The JSON Schema and `Document::parse` say the same of every document in a table. What a schema
//! cannot say is a listed exception: the schema takes the document and `parse` refuses it.
#![expect(clippy::unwrap_used, reason = "tests")]

use chrono::{DateTime, Utc};
use gdpr_jobs::{Document, SCHEMA};
use serde_json::{Value, json};

fn validator() -> jsonschema::Validator {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    assert!(jsonschema::draft202012::meta::is_valid(&schema));
    jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap()
}

fn now() -> DateTime<Utc> {
    "2026-11-18T12:00:00Z".parse().unwrap()
}

fn parses(json: &str) -> bool {
    Document::parse(json.as_bytes(), now()).is_ok()
}

/// A deletion with these fields added or replaced.
fn deletion(fields: Value) -> Value {
    with(json!({ "kind": "deletion", "distinct_ids": ["user-001"] }), fields)
}

fn with(mut document: Value, fields: Value) -> Value {
    let Value::Object(fields) = fields else { panic!("not an object") };
    document.as_object_mut().unwrap().extend(fields);
    document
}

fn cancellation(fields: Value) -> Value {
    with(json!({ "kind": "cancellation", "request_id": "order-1" }), fields)
}

fn good() -> Vec<Value> {
    let ids: Vec<_> = (0..100).map(|n| format!("user-{n:03}")).collect();
    let kinds = ["retrieval", "deletion", "opt_out", "opt_in"];
    let mut documents: Vec<_> =
        kinds.iter().map(|k| json!({ "kind": k, "distinct_ids": ["user-001"] })).collect();
    documents.extend([
        deletion(json!({ "distinct_ids": ids })),
        deletion(json!({ "distinct_ids": ["user-001", "user-001", "$device:77ab"] })),
        deletion(json!({ "distinct_ids": ["x".repeat(512)] })),
        deletion(json!({ "distinct_ids": ["00", "nullable", " user ", "é", "device:0"] })),
        deletion(json!({ "distinct_ids": ["0\u{200b}", "$device:$device:0", "\u{feff}0"] })),
        deletion(json!({ "id": "order-17.A_b" })),
        deletion(json!({ "id": "x".repeat(64) })),
        deletion(json!({ "regulation": "CCPA", "disclosure_type": "Data" })),
        deletion(json!({ "disclosure_type": "Data" })),
        deletion(json!({ "received_at": "2026-01-31T09:30:00Z" })),
        deletion(json!({ "received_at": "2024-02-29t09:30:00.123456789+05:30" })),
        deletion(
            json!({ "kind": "retrieval", "regulation": "CCPA", "disclosure_type": "Sources" }),
        ),
        deletion(json!({ "kind": "retrieval", "regulation": "CCPA", "disclosure_type": "Data" })),
        deletion(json!({ "kind": "opt_in", "properties": {} })),
        deletion(json!({ "kind": "opt_in", "properties": { "a": [1, { "b": null }] } })),
        cancellation(json!({})),
        cancellation(json!({ "id": "order-2", "distinct_ids": ["user-001"] })),
        cancellation(json!({ "request_id": "1795000000000-0", "regulation": "CCPA" })),
    ]);
    documents
}

fn bad() -> Vec<Value> {
    let ids: Vec<_> = (0..101).map(|n| format!("user-{n:03}")).collect();
    let mut documents = vec![
        json!(null),
        json!([]),
        json!("deletion"),
        json!({}),
        json!({ "kind": "deletion" }),
        json!({ "distinct_ids": ["user-001"] }),
        json!({ "kind": "opt_out" }),
        json!({ "kind": "cancellation" }),
        deletion(json!({ "kind": "Deletion" })),
        deletion(json!({ "kind": null })),
        deletion(json!({ "unknown": 1 })),
        deletion(json!({ "distinct_ids": ids })),
        deletion(json!({ "distinct_ids": [] })),
        deletion(json!({ "distinct_ids": "user-001" })),
        deletion(json!({ "distinct_ids": [1] })),
        deletion(json!({ "distinct_ids": [["user-001"]] })),
        deletion(json!({ "distinct_ids": ["user-001", null] })),
        deletion(json!({ "distinct_ids": ["x".repeat(513)] })),
        deletion(json!({ "id": "" })),
        deletion(json!({ "id": null })),
        deletion(json!({ "id": "x".repeat(65) })),
        deletion(json!({ "id": "a:b" })),
        deletion(json!({ "id": "a\n" })),
        deletion(json!({ "id": 17 })),
        deletion(json!({ "request_id": "order-1" })),
        deletion(json!({ "regulation": "gdpr" })),
        deletion(json!({ "regulation": null })),
        deletion(json!({ "disclosure_type": "Sources" })),
        deletion(json!({ "regulation": "CCPA", "disclosure_type": "Sources" })),
        deletion(json!({ "kind": "retrieval", "disclosure_type": "Categories" })),
        deletion(json!({ "disclosure_type": "data" })),
        deletion(json!({ "received_at": "2026-01-31" })),
        deletion(json!({ "received_at": "2026-01-31 09:30:00Z" })),
        deletion(json!({ "received_at": "2026-01-31T09:30:00" })),
        deletion(json!({ "received_at": "2026-02-30T09:30:00Z" })),
        deletion(json!({ "received_at": 1_795_000_000 })),
        deletion(json!({ "properties": {} })),
        deletion(json!({ "kind": "opt_in", "properties": [] })),
        deletion(json!({ "kind": "opt_in", "properties": null })),
        deletion(json!({ "kind": "opt_in", "request_id": "order-1" })),
        cancellation(json!({ "distinct_ids": [] })),
        cancellation(json!({ "distinct_ids": ["anonymous"] })),
        cancellation(json!({ "request_id": "a b" })),
        cancellation(json!({ "properties": {} })),
    ];
    let reserved = [
        "",
        " ",
        "0",
        "-1",
        "null",
        "NULL",
        "None",
        "nil",
        "<nil>",
        "n/a",
        "NA",
        "anon",
        "Anonymous",
        "undefined",
        "unknown",
        "TRUE",
        "false",
        "[]",
        "{}",
        "NaN",
        "lmy47d",
        "00000000-0000-0000-0000-000000000000",
        " null\t",
        "\u{3000}0\u{a0}",
        "$device:",
        "$device:undefined",
        "$DEVICE:0",
    ];
    documents.extend(reserved.map(|id| deletion(json!({ "distinct_ids": ["user-001", id] }))));
    documents
}

/// What a schema cannot say, each with a document that shows it.
fn beyond_a_schema() -> Vec<(&'static str, String)> {
    let text = |document: Value| document.to_string();
    let pad = " ".repeat(64 * 1024);
    vec![
        ("bytes, not characters", text(deletion(json!({ "distinct_ids": ["é".repeat(257)] })))),
        ("total size", format!("{}{pad}", deletion(json!({})))),
        ("the future", text(deletion(json!({ "received_at": "2026-11-18T12:01:01Z" })))),
        ("repeated key", r#"{"kind":"opt_out","kind":"opt_out","distinct_ids":["u"]}"#.into()),
        (
            "repeated key further in",
            r#"{"kind":"opt_in","distinct_ids":["u"],"properties":{"a":1,"a":1}}"#.into(),
        ),
        ("its own target", text(cancellation(json!({ "id": "order-1" })))),
    ]
}

#[test]
fn schema_and_parser_take_the_same_documents() {
    let validator = validator();
    for document in good() {
        assert!(parses(&document.to_string()), "refused by the parser: {document}");
        let error = validator.validate(&document).err().map(|e| e.to_string());
        assert_eq!(error, None, "refused by the schema: {document}");
    }
}

#[test]
fn schema_and_parser_refuse_the_same_documents() {
    let validator = validator();
    for document in bad() {
        assert!(!parses(&document.to_string()), "taken by the parser: {document}");
        assert!(!validator.is_valid(&document), "taken by the schema: {document}");
    }
}

#[test]
fn what_a_schema_cannot_say_is_refused_by_the_parser_alone() {
    let validator = validator();
    for (rule, text) in beyond_a_schema() {
        assert!(!parses(&text), "{rule}");
        assert!(validator.is_valid(&serde_json::from_str(&text).unwrap()), "{rule}");
    }
}
