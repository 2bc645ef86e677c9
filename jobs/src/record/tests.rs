//! What a hash reads as, and what it may not hold.

use serde_json::json;

use super::*;

fn hash(fields: &[(&str, &str)]) -> HashMap<String, String> {
    fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

const FULL: [(&str, &str); 19] = [
    ("kind", "retrieval"),
    ("status", "completed"),
    ("reason", "the archive is there"),
    ("regulation", "CCPA"),
    ("disclosure_type", "Sources"),
    ("distinct_ids", "2"),
    ("tags", "aaaa bbbb"),
    ("received_at", "2026-01-31T09:30:00Z"),
    ("due_at", "2026-03-17T09:30:00Z"),
    ("updated_at", "2026-02-01T10:00:00.5Z"),
    ("batch", "b-1"),
    ("tracking_id", "1234567890"),
    ("mixpanel_status", "SUCCESS"),
    ("attempts", "1"),
    ("merged_into", "1795000000000-0"),
    ("archive", "2026/01/order-1.zip"),
    ("archive_sha256", "00ff"),
    ("archive_bytes", "5000000000"),
    ("archive_expires_at", "2026-02-08T10:00:00Z"),
];

#[test]
fn a_full_hash_serialises_to_the_names_of_the_contract() {
    let record = Record::from_hash(hash(&FULL)).map(|record| json!(record));
    let mut expected = json!({});
    for (name, value) in FULL {
        expected[name] = json!(value);
    }
    expected["distinct_ids"] = json!(2);
    expected["attempts"] = json!(1);
    expected["archive_bytes"] = json!(5_000_000_000_u64);
    expected["tags"] = json!(["aaaa", "bbbb"]);
    expected["updated_at"] = json!("2026-02-01T10:00:00.500Z");
    assert_eq!(record, Ok(expected));
}

#[test]
fn a_refused_request_needs_no_more_than_a_status() {
    let record = Record::from_hash(hash(&[("status", "rejected"), ("reason", "x"), ("kind", "")]));
    assert_eq!(record.as_ref().map(Record::is_final), Ok(true));
    assert_eq!(record.map(|r| json!(r)), Ok(json!({ "status": "rejected", "reason": "x" })));
}

#[test]
fn fields_outside_the_contract_are_left_out() {
    let record = Record::from_hash(hash(&[("status", "held"), ("internal_lease", "x")]));
    assert_eq!(record.as_ref().map(Record::is_final), Ok(false));
    assert_eq!(record.map(|r| json!(r)), Ok(json!({ "status": "held" })));
}

#[test]
fn a_value_of_a_wrong_form_is_an_error_that_names_the_field_alone() {
    assert_eq!(Record::from_hash(hash(&[])), Err(RecordError::Missing("status")));
    for name in [
        "status",
        "kind",
        "regulation",
        "disclosure_type",
        "distinct_ids",
        "received_at",
        "due_at",
        "updated_at",
        "attempts",
        "merged_into",
        "archive_bytes",
        "archive_expires_at",
    ] {
        let mut fields = hash(&FULL);
        fields.insert(name.to_owned(), "canary!".to_owned());
        let error = Record::from_hash(fields).err();
        assert_eq!(error, Some(RecordError::Invalid(name)));
        assert!(!error.map(|e| e.to_string()).unwrap_or_default().contains("canary"));
    }
}

#[test]
fn a_person_reads_back_with_requests_in_order() {
    let user = UserRecord::from_hash(hash(&[
        ("consent", "opted_out"),
        ("consent_at", "2026-01-31T09:30:00Z"),
        ("deletion", "submitted"),
        ("deletion_at", "2026-01-31T09:31:00Z"),
        ("events_retained_until", "2028-01-31T00:00:00Z"),
        ("requests", "order-1 1795000000000-0"),
        ("internal", "x"),
    ]));
    let expected = json!({
        "consent": "opted_out",
        "consent_at": "2026-01-31T09:30:00Z",
        "deletion": "submitted",
        "deletion_at": "2026-01-31T09:31:00Z",
        "events_retained_until": "2028-01-31T00:00:00Z",
        "requests": ["order-1", "1795000000000-0"],
    });
    assert_eq!(user.map(|u| json!(u)), Ok(expected));
    assert_eq!(UserRecord::from_hash(hash(&[])), Ok(UserRecord::default()));
    let torn = UserRecord::from_hash(hash(&[("requests", "order-1 a:b")]));
    assert_eq!(torn, Err(RecordError::Invalid("requests")));
}
