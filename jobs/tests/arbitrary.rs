//! Whatever stands on the stream: parsing does not panic, and a rejection quotes none of it.
#![expect(clippy::unwrap_used, reason = "tests")]

use chrono::{DateTime, Utc};
use gdpr_jobs::{DistinctId, Document, Kind, Regulation};
use proptest::{prelude::*, strategy::ValueTree};
use serde_json::{Map, Value, json};

/// No word of ours: if it shows up in a rejection, it came from the document.
const CANARY: &str = "zqxcanary";

fn now() -> DateTime<Utc> {
    "2026-11-18T12:00:00Z".parse().unwrap()
}

/// Any JSON in which every key and every text is the canary, or holds it.
fn canary_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(CANARY)),
        "[ -~]{0,8}".prop_map(|text| json!(format!("{text}{CANARY}{text}"))),
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            inner.prop_map(|value| json!({ CANARY: value })),
        ]
    })
}

const FIELDS: [&str; 9] = [
    "kind",
    "distinct_ids",
    "id",
    "request_id",
    "regulation",
    "disclosure_type",
    "received_at",
    "properties",
    CANARY,
];

/// An almost good document with some fields replaced.
fn spoilt_document() -> impl Strategy<Value = String> {
    let kind = prop::sample::select(Kind::ALL);
    let spoilt = prop::collection::vec((prop::sample::select(&FIELDS[..]), canary_value()), 1..4);
    (kind, spoilt, 0_usize..3).prop_map(|(kind, spoilt, cut)| {
        let mut document = Map::new();
        document.insert("kind".into(), json!(kind));
        document.insert("distinct_ids".into(), json!([CANARY]));
        document.extend(spoilt.into_iter().map(|(name, value)| (name.to_owned(), value)));
        let mut text = Value::from(document).to_string();
        text.truncate(text.len() - cut);
        text
    })
}

fn document() -> impl Strategy<Value = Document> {
    let id = prop::option::of("[A-Za-z0-9._-]{1,64}");
    let person = prop::collection::btree_set("user-[0-9]{1,5}", 1..20);
    let second = 0_i64..1_795_000_000;
    let kind = prop::sample::select(Kind::ALL);
    let regulation = prop::sample::select(Regulation::ALL);
    (kind, person, id, regulation, prop::option::of(second)).prop_map(
        |(kind, person, id, regulation, second)| Document {
            id: id.map(|id| id.parse().unwrap()),
            request_id: (kind == Kind::Cancellation).then(|| "target-1".parse().unwrap()),
            regulation,
            received_at: second.and_then(|second| DateTime::from_timestamp(second, 0)),
            properties: (kind == Kind::OptIn).then(Map::new),
            ..Document::new(kind, person.into_iter().map(DistinctId::new))
        },
    )
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        let _ = Document::parse(&bytes, now());
    }

    #[test]
    fn arbitrary_text_never_panics(text in "[\\[\\]{}\":,a-z0-9\\\\ \n]{0,200}") {
        let _ = Document::parse(text.as_bytes(), now());
    }

    #[test]
    fn no_rejection_quotes_the_document(text in spoilt_document()) {
        if let Err(rejection) = Document::parse(text.as_bytes(), now()) {
            let shown = format!("{rejection} {rejection:?}");
            prop_assert!(!shown.contains(CANARY), "{}", shown);
        }
    }

    #[test]
    fn an_accepted_document_reads_back_the_same(document in document()) {
        prop_assume!(document.id.is_none() || document.id != document.request_id);
        let read = Document::parse(document.to_json().as_bytes(), now());
        prop_assert_eq!(read, Ok(document));
    }
}

#[test]
fn most_spoilt_documents_are_refused() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let refused = (0..200).filter(|_| {
        let text = spoilt_document().new_tree(&mut runner).unwrap().current();
        Document::parse(text.as_bytes(), now()).is_err()
    });
    assert!(refused.count() > 100);
}
