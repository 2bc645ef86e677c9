//! A call of an SDK at the door.
//!
//! The first line is the endpoint (`track`, `engage`, `import` or `strict`) and the content encoding, the second the
//! query, the rest the body.
//!
//! Dictionary: json
#![no_main]

use std::io::Read;

use flate2::{Compression, read::GzEncoder};
use gdpr_worker::{
    consent::{self, RecordKind},
    door::fuzzing::{Called, Endpoint, Taken, records},
};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const MOST: usize = 64 * 1024;
const NOW: i64 = 1_795_000_000;

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(3, |&byte| byte == b'\n');
    let mut part = || parts.next().unwrap_or_default();
    let (head, query, body) = (part(), part(), part());
    let (head, query) = (String::from_utf8_lossy(head), String::from_utf8_lossy(query));
    let (endpoint, content_encoding) = head.split_once(' ').unwrap_or((&head, ""));
    let (endpoint, kind) = match endpoint {
        "engage" => (Endpoint::Engage, RecordKind::Profile),
        "import" => (Endpoint::Import(NOW, false), RecordKind::Event),
        "strict" => (Endpoint::Import(NOW, true), RecordKind::Event),
        _ => (Endpoint::Track, RecordKind::Event),
    };
    let called = Called { query: &query, content_encoding, body, most: MOST };
    let Ok(taken) = records(&called, endpoint) else { return };
    assert!(taken.len() <= 2_000);
    let mut bytes = 0;
    for record in &taken {
        bytes += record.json.len();
        readable(&record.json, kind);
        if let Some(located) = &record.located {
            readable(located, kind);
            assert_eq!(without_address(located, kind), value(&record.json), "not the same record");
        }
    }
    // The body, its `data`, or what is packed in one of them.
    assert!(bytes <= MOST.max(query.len()), "{bytes} bytes of records");
    let entry = taken.iter().map(|record| record.json.as_str()).collect::<Vec<_>>().join(",");
    if !taken.is_empty() {
        let cut = consent::records(format!("[{entry}]").as_bytes()).map(|records| records.len());
        assert_eq!(cut, Ok(taken.len()), "an entry that cannot be cut again");
    }
    if content_encoding.is_empty() && !body.starts_with(b"\x1f\x8b") {
        as_gzip(&called, endpoint, &taken);
    }
});

fn value(json: &str) -> Value {
    serde_json::from_str(json).expect("a record that any reader can read")
}

/// What was taken is one record to whoever reads the stream, which may still refuse it for what it says.
fn readable(json: &str, kind: RecordKind) {
    value(json);
    let cut = consent::records(json.as_bytes()).expect("one record");
    let [raw] = cut.as_slice() else { panic!("{} records in one", cut.len()) };
    let _ = consent::Record::read(kind, raw);
}

fn without_address(located: &str, kind: RecordKind) -> Value {
    let mut record = value(located);
    let (object, name) = match kind {
        RecordKind::Event => (record.get_mut("properties"), "ip"),
        RecordKind::Profile => (Some(&mut record), "$ip"),
    };
    let object = object.and_then(Value::as_object_mut).expect("an object");
    assert_eq!(object.remove(name), Some("127.0.0.1".into()), "no address was put in");
    record
}

/// A body gives the same records when it is gzipped.
fn as_gzip(called: &Called<'_>, endpoint: Endpoint, plain: &[Taken]) {
    let mut body = Vec::new();
    GzEncoder::new(called.body, Compression::fast()).read_to_end(&mut body).expect("memory");
    let called = Called { body: &body, content_encoding: "gzip", ..*called };
    let again = records(&called, endpoint).expect("the same call, gzipped");
    assert!(
        again.iter().map(|one| &one.json).eq(plain.iter().map(|one| &one.json)),
        "the packing makes a difference"
    );
}
