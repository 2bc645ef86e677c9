//! A made-up history as the files of a folder.

use std::{fmt::Write as _, fs, path::Path};

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use crate::draft::{BEGAN_MS, Draft};

fn lines_of(values: &[Value]) -> String {
    crate::zips::lines(values.iter())
}

impl Draft {
    /// Entries of the stream, hashed.
    fn chain(&self) -> Vec<(String, Vec<String>)> {
        let (mut entries, mut before, mut last) = (Vec::new(), String::new(), (0, 0));
        for event in &self.events {
            let mut text = before;
            let mut fields = Vec::new();
            for (name, value) in &event.fields {
                let length = if name == "at" { String::new() } else { format!("{}:", value.len()) };
                let _ = write!(text, "\n{name}\n{length}{value}");
                fields.extend([name.clone(), value.clone()]);
            }
            before = HEXLOWER.encode(&Sha1::digest(text.as_bytes()));
            fields.extend(["hash".to_owned(), before.clone()]);
            last = if event.ms == last.0 { (event.ms, last.1 + 1) } else { (event.ms, 0) };
            entries.push((format!("{}-{}", last.0, last.1), fields));
        }
        entries
    }

    pub(crate) fn write(&self, folder: &Path) {
        let mut chain = self.chain();
        let (entry, fields) = chain.last().unwrap();
        let hash = self.checkpoint_hash.as_ref().unwrap_or_else(|| fields.last().unwrap());
        let checkpoint = json!({ "entry": entry, "hash": hash, "events": chain.len() });
        let mut state = self.state.clone();
        if state.get("ledger").is_none() {
            state["ledger"] =
                json!({ "length": chain.len(), "added": chain.len(), "deleted": "0-0" });
        }
        if let Some(tamper) = self.tampering {
            tamper(&mut chain);
        }
        let put = |name: &str, text: String| fs::write(folder.join(name), text).unwrap();
        put("run.json", self.run.to_string());
        put("producers.jsonl", lines_of(&self.producers));
        put("calls.jsonl", lines_of(&self.calls));
        let entries: Vec<Value> = chain
            .iter()
            .map(|(entry, fields)| json!({ "entry": entry, "fields": fields }))
            .collect();
        put("ledger.jsonl", lines_of(&entries));
        let hashes = self
            .hashes
            .iter()
            .map(|(key, (ttl, fields))| json!({ "key": key, "ttl_ms": ttl, "fields": fields }));
        put("hashes.jsonl", lines_of(&hashes.collect::<Vec<_>>()));
        put("state.json", state.to_string());
        if !self.ingested.is_empty() {
            put("ingested.jsonl", lines_of(&self.ingested));
        }
        if !self.delivered.is_empty() {
            put("delivered.jsonl", lines_of(&self.delivered));
        }
        put("checkpoints.jsonl", lines_of(&[checkpoint]));
        put("kills.jsonl", lines_of(&[json!({ "ms": BEGAN_MS, "what": "worker" })]));
        put("worker.log", self.log.clone());
        for (name, bytes) in &self.store {
            let path = folder.join("archives").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }
}
