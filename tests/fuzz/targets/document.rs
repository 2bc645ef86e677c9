//! A request document and its signature, as they stand on the stream.
//!
//! The first line is the signature (key, time, nonce and HMAC, separated by blanks), the rest the document.
//!
//! Dictionary: document
#![no_main]

use std::{collections::HashSet, sync::LazyLock};

use chrono::{DateTime, Utc};
use gdpr_jobs::{
    DistinctId, Document, DocumentKey, DocumentSignature, Kind, Project, Rejection, distinct_id,
    document::{MAX_DISTINCT_IDS, MAX_DOCUMENT_BYTES},
};
use libfuzzer_sys::fuzz_target;

const NOW: i64 = 1_795_000_000;
const NONCE: &str = "nonce-0123456789";

static NOW_AS_TIME: LazyLock<DateTime<Utc>> =
    LazyLock::new(|| DateTime::from_timestamp(NOW, 0).expect("a time"));
static PROJECT: LazyLock<Project> = LazyLock::new(|| "default".parse().expect("a name"));
static KEYS: LazyLock<[DocumentKey; 2]> = LazyLock::new(|| {
    ["shop", "app"]
        .map(|name| format!("{name}:0123456789abcdef0123456789abcdef").parse().expect("a key"))
});

fuzz_target!(|data: &[u8]| {
    let split = data.iter().position(|&byte| byte == b'\n').unwrap_or(data.len());
    let (signature, document) = data.split_at(split);
    let document = document.get(1..).unwrap_or_default();
    if let Ok(document) = Document::parse(document, *NOW_AS_TIME) {
        accepted(&document);
    }
    as_large_as_may_be(document);
    forged(signature, document);
});

/// What is accepted keeps every rule of the contract, and reads back the same.
fn accepted(document: &Document) {
    let ids: HashSet<&str> = document.distinct_ids.iter().map(DistinctId::expose).collect();
    assert_eq!(ids.len(), document.distinct_ids.len(), "an id stands twice");
    assert!(ids.len() <= MAX_DISTINCT_IDS);
    assert!(!ids.is_empty() || document.kind == Kind::Cancellation);
    assert!(ids.iter().all(|id| (1..=distinct_id::MAX_BYTES).contains(&id.len())));
    assert!(document.distinct_ids.iter().all(|id| !id.is_reserved()));
    assert_eq!(document.request_id.is_some(), document.kind == Kind::Cancellation);
    assert!(document.request_id.is_none() || document.request_id != document.id);
    assert!(document.received_at.is_none_or(|at| at <= *NOW_AS_TIME));
    assert!(document.properties.is_none() || document.kind == Kind::OptIn);

    let json = document.to_json();
    let again = Document::parse(json.as_bytes(), *NOW_AS_TIME);
    if json.len() > MAX_DOCUMENT_BYTES {
        // Numbers and texts may be longer in the form in which we write them.
        assert_eq!(again, Err(Rejection::TooLarge(json.len())));
        return;
    }
    assert_eq!(again.as_ref(), Ok(document), "it does not read back the same");
    assert_eq!(document.validate(*NOW_AS_TIME), Ok(()));
}

/// White space changes nothing up to the limit, and one byte more is too much.
fn as_large_as_may_be(document: &[u8]) {
    if document.len() > MAX_DOCUMENT_BYTES {
        assert_eq!(
            Document::parse(document, *NOW_AS_TIME),
            Err(Rejection::TooLarge(document.len()))
        );
        return;
    }
    if Document::parse(document, *NOW_AS_TIME).is_err() {
        return;
    }
    let mut padded = document.to_vec();
    padded.resize(MAX_DOCUMENT_BYTES, b' ');
    assert_eq!(Document::parse(&padded, *NOW_AS_TIME), Document::parse(document, *NOW_AS_TIME));
    padded.push(b' ');
    assert_eq!(
        Document::parse(&padded, *NOW_AS_TIME),
        Err(Rejection::TooLarge(MAX_DOCUMENT_BYTES + 1))
    );
}

/// Nobody without the secret signs anything, and a true signature is good for one document only.
fn forged(signature: &[u8], document: &[u8]) {
    let text = String::from_utf8_lossy(signature);
    let mut fields = text.splitn(4, ' ').map(str::to_owned);
    let mut field = || fields.next().unwrap_or_default();
    let given =
        DocumentSignature { key: field(), time: field(), nonce: field(), signature: field() };
    if given.verify(&*KEYS, &PROJECT, document, NOW).is_ok() {
        let key = KEYS.iter().find(|key| key.name() == given.key).expect("a key of ours");
        let time = given.time.parse().expect("a time");
        let own = key.sign(&PROJECT, document, time, given.nonce.clone());
        assert_eq!(own, given, "a signature that the key did not make");
    }
    let [shop, _] = &*KEYS;
    let own = shop.sign(&PROJECT, document, NOW, NONCE.to_owned());
    assert_eq!(own.verify(&*KEYS, &PROJECT, document, NOW), Ok(NOW));
    let other = [document, b" "].concat();
    assert!(own.verify(&*KEYS, &PROJECT, &other, NOW).is_err());
    for changed in [
        DocumentSignature { key: given.key, ..own.clone() },
        DocumentSignature { time: given.time, ..own.clone() },
        DocumentSignature { nonce: given.nonce, ..own.clone() },
        DocumentSignature { signature: given.signature, ..own.clone() },
    ] {
        let taken = changed.verify(&*KEYS, &PROJECT, document, NOW).is_ok();
        assert_eq!(taken, changed == own, "another signature was taken");
    }
}
