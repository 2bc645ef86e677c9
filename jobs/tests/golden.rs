//! The wire form, byte for byte. A golden file is never changed: producers out there write what it
//! says, so a new form gets a new file.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{collections::BTreeMap, fs, path::Path};

use chrono::{DateTime, Utc};
use gdpr_jobs::{Disclosure, DistinctId, Document, Kind, Regulation};
use serde_json::json;

fn now() -> DateTime<Utc> {
    "2026-11-18T12:00:00Z".parse().unwrap()
}

/// A document about `user-001`.
fn about_user(kind: Kind) -> Document {
    Document::new(kind, [DistinctId::new("user-001")])
}

fn expected() -> BTreeMap<String, Document> {
    let retrieval = Document {
        distinct_ids: ["user-001", "$device:77ab"].map(DistinctId::new).to_vec(),
        received_at: Some("2026-01-31T09:30:00Z".parse().unwrap()),
        ..about_user(Kind::Retrieval).with_id("order-1".parse().unwrap())
    };
    let retrieval_ccpa = Document {
        regulation: Regulation::Ccpa,
        disclosure: Disclosure::Categories,
        ..about_user(Kind::Retrieval)
    };
    let cancellation = Document::cancellation("1795000000000-0".parse().unwrap());
    let opt_out = Document {
        received_at: Some("2026-01-31T09:30:00.25Z".parse().unwrap()),
        ..Document::new(Kind::OptOut, [DistinctId::new("ünïcode \"quoted\"")])
    };
    let properties = json!({ "banner": 7, "source": { "page": "settings" } });
    let opt_in =
        Document { properties: properties.as_object().cloned(), ..about_user(Kind::OptIn) };
    [
        ("retrieval.json", retrieval),
        ("retrieval_ccpa.json", retrieval_ccpa),
        ("deletion.json", about_user(Kind::Deletion)),
        ("cancellation.json", cancellation.with_id("order-2".parse().unwrap())),
        ("opt_out.json", opt_out),
        ("opt_in.json", opt_in),
    ]
    .map(|(name, document)| (name.to_owned(), document))
    .into()
}

fn golden_files() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let files = fs::read_dir(folder).unwrap().map(|file| {
        let file = file.unwrap();
        let text = fs::read_to_string(file.path()).unwrap();
        (file.file_name().into_string().unwrap(), text)
    });
    files.collect()
}

#[test]
fn every_golden_file_parses_to_the_expected_document() {
    let read = golden_files().into_iter().map(|(name, text)| {
        let document = Document::parse(text.as_bytes(), now()).unwrap();
        (name, document)
    });
    assert_eq!(read.collect::<BTreeMap<_, _>>(), expected());
}

#[test]
fn every_kind_has_a_golden_file() {
    let documents = expected();
    for kind in Kind::ALL {
        assert!(documents.values().any(|document| document.kind == *kind), "{kind}");
    }
}

#[test]
fn documents_are_written_as_the_golden_files_say() {
    let files = golden_files();
    for (name, document) in expected() {
        assert_eq!(Some(document.to_json().as_str()), files.get(&name).map(|f| f.trim_end()));
        assert_eq!(Document::parse(document.to_json().as_bytes(), now()), Ok(document));
    }
}
