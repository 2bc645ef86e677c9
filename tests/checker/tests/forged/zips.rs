//! Archives as the worker makes them: records, a manifest with the hash of each entry.

use std::{
    fmt::Write as _,
    io::{Cursor, Write},
};

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use zip::{ZipWriter, write::SimpleFileOptions};

pub(crate) fn sha256(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}

/// One value a line.
pub(crate) fn lines<'v>(values: impl Iterator<Item = &'v Value>) -> String {
    values.fold(String::new(), |mut text, value| {
        let _ = writeln!(text, "{value}");
        text
    })
}

/// An archive; `listed` may change the manifest before it is written.
pub(crate) fn archive(
    request: &str,
    task: &str,
    records: &[Value],
    listed: impl FnOnce(&mut Value),
) -> Vec<u8> {
    let is_profile = |record: &&Value| record.get("$distinct_id").is_some();
    let events = lines(records.iter().filter(|record| !is_profile(record)));
    let profiles: Vec<&Value> = records.iter().filter(is_profile).collect();
    let entries = [
        ("README.txt", "For you.\n".to_owned()),
        ("events.ndjson", events),
        ("profile.json", json!(profiles).to_string()),
    ];
    let facts = entries.iter().map(|(name, text)| {
        json!({ "name": name, "bytes": text.len(), "sha256": sha256(text.as_bytes()) })
    });
    let mut manifest = json!({ "format": 1, "request": request, "tracking_id": task, "entries": facts.collect::<Vec<_>>() });
    listed(&mut manifest);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let texts = entries.into_iter();
    for (name, text) in texts.chain([("manifest.json", manifest.to_string())]) {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}
