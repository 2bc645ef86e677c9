//! A history that is being made up: what happens is told, the ledger, hashes and indexes follow.

use std::{collections::BTreeMap, fmt::Display};

use chrono::{DateTime, Days, Months};
use serde_json::{Value, json};

use crate::zips;

pub(crate) const BEGAN_MS: u64 = 1_795_000_000_000;
pub(crate) const PEPPER: &str = "a pepper that is long enough, made up";
const TOKEN: &str = "emulator-project-token";

/// An event: time, and its fields without the hash.
#[derive(Clone)]
pub(crate) struct Event {
    pub(crate) ms: u64,
    pub(crate) fields: Vec<(String, String)>,
}

impl Event {
    pub(crate) fn get(&self, name: &str) -> &str {
        self.fields.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    pub(crate) fn set(&mut self, name: &str, value: impl Display) {
        let field = self.fields.iter_mut().find(|(known, _)| known == name).unwrap();
        field.1 = value.to_string();
    }

    pub(crate) fn names(&self, request: &str) -> bool {
        self.get("requests").split(' ').any(|one| one == request)
    }
}

/// What is done to the ledger after its hashes were made: entry ids and all fields.
pub(crate) type Tampering = fn(&mut Vec<(String, Vec<String>)>);

pub(crate) struct Draft {
    pub(crate) run: Value,
    pub(crate) producers: Vec<Value>,
    pub(crate) calls: Vec<Value>,
    pub(crate) events: Vec<Event>,
    /// Key → time to live, fields.
    pub(crate) hashes: BTreeMap<String, (i64, BTreeMap<String, String>)>,
    pub(crate) state: Value,
    pub(crate) ingested: Vec<Value>,
    pub(crate) delivered: Vec<Value>,
    /// Path in the store → bytes.
    pub(crate) store: BTreeMap<String, Vec<u8>>,
    pub(crate) log: String,
    pub(crate) tampering: Option<Tampering>,
    pub(crate) checkpoint_hash: Option<String>,
    kinds: BTreeMap<String, String>,
    pub(crate) now: u64,
}

impl Draft {
    pub(crate) fn new() -> Self {
        Self {
            run: json!({ "pepper": PEPPER, "batch_retrieval": 3, "batch_deletion": 3, "searched": ["worker.log"], "canaries": ["oauth-secret"] }),
            producers: Vec::new(),
            calls: Vec::new(),
            events: Vec::new(),
            hashes: BTreeMap::new(),
            state: json!({ "stats": {}, "due": {} }),
            ingested: Vec::new(),
            delivered: Vec::new(),
            store: BTreeMap::from([(".project".to_owned(), b"default".to_vec())]),
            log: "working\n".to_owned(),
            tampering: None,
            checkpoint_hash: None,
            kinds: BTreeMap::new(),
            now: BEGAN_MS,
        }
    }

    pub(crate) fn pass(&mut self, ms: u64) {
        self.now += ms;
    }

    /// A document is acknowledged, and nothing more.
    pub(crate) fn acknowledge(&mut self, id: &str, document: &Value, refused: bool) {
        let entry = format!("{}-0", self.now);
        self.producers.push(json!({ "request": id, "entry": entry, "ms": self.now, "document": document.to_string(), "refused": refused }));
    }

    /// A document is acknowledged and taken in, as `to`.
    pub(crate) fn ask(&mut self, id: &str, kind: &str, ids: &[&str], to: &str) {
        let regulation = if kind == "ccpa" { "CCPA" } else { "GDPR" };
        let kind = if kind == "ccpa" { "retrieval" } else { kind };
        self.acknowledge(
            id,
            &json!({ "kind": kind, "distinct_ids": ids, "regulation": regulation }),
            kind.is_empty(),
        );
        let entry_s = i64::try_from(self.now / 1000).unwrap();
        self.pass(7);
        let kind = if kind.is_empty() { "unknown" } else { kind };
        let received = DateTime::from_timestamp(entry_s, 0).unwrap();
        let due = match regulation {
            "CCPA" => received.checked_add_days(Days::new(45)).unwrap(),
            _ => received.checked_add_months(Months::new(1)).unwrap(),
        };
        let tags: Vec<String> =
            ids.iter().map(|id| checker::history::tag(PEPPER, "default", id)).collect();
        let due = due.format("%FT%TZ");
        self.event(&[
            ("requests", &id),
            ("kind", &kind),
            ("to", &to),
            ("why", &"asked"),
            ("due_at", &due),
            ("tags", &tags.join(",")),
        ]);
        self.kinds.insert(id.to_owned(), kind.to_owned());
        let request = self.hashes.entry(format!("request:{id}")).or_default();
        request.1.insert("due_at".to_owned(), due.to_string());
        for tag in tags {
            let user = self.hashes.entry(format!("user:{tag}")).or_insert((-1, BTreeMap::new()));
            let consent = match kind {
                "deletion" | "opt_out" => "opted_out",
                "opt_in" => "opted_in",
                _ => continue,
            };
            user.1.insert("consent".to_owned(), consent.to_owned());
        }
        self.set_status(id, to);
    }

    pub(crate) fn event(&mut self, fields: &[(&str, &dyn Display)]) {
        let at = DateTime::from_timestamp_millis(i64::try_from(self.now).unwrap()).unwrap();
        let mut all = vec![("at".to_owned(), at.format("%FT%TZ").to_string())];
        let given = fields.iter().map(|(name, value)| ((*name).to_owned(), value.to_string()));
        all.extend(given.filter(|(_, value)| !value.is_empty()));
        all.push(("worker".to_owned(), "replica-1".to_owned()));
        self.events.push(Event { ms: self.now, fields: all });
        self.pass(3);
    }

    /// Requests that are in one status move to another.
    pub(crate) fn moves(&mut self, requests: &[&str], to: &str, fields: &[(&str, &dyn Display)]) {
        let from = self.status(requests[0]);
        let (names, kind) = (requests.join(" "), self.kinds[requests[0]].clone());
        let mut all: Vec<(&str, &dyn Display)> =
            vec![("requests", &names), ("kind", &kind), ("from", &from), ("to", &to)];
        all.extend(fields);
        self.event(&all);
        for request in requests {
            self.set_status(request, to);
        }
    }

    pub(crate) fn status(&self, request: &str) -> String {
        let hash = self.hashes.get(&format!("request:{request}"));
        hash.and_then(|(_, fields)| fields.get("status").cloned()).unwrap_or_default()
    }

    /// What the hash, `stats` and `due` say of a request.
    pub(crate) fn set_status(&mut self, request: &str, to: &str) {
        let (from, kind) = (self.status(request), self.kinds[request].clone());
        let stats = self.state["stats"].as_object_mut().unwrap();
        for (status, by) in [(from.as_str(), -1), (to, 1)] {
            let name = format!("{kind}.{status}");
            let count = stats.get(&name).and_then(Value::as_i64).unwrap_or(0) + by;
            stats.remove(&name);
            if count != 0 && !status.is_empty() {
                stats.insert(name, count.into());
            }
        }
        let is_open = matches!(to, "queued" | "submitting" | "submitted" | "packaging" | "held");
        let hash = self.hashes.get_mut(&format!("request:{request}")).unwrap();
        hash.0 =
            if is_open || (kind == "retrieval" && to == "completed") { -1 } else { 86_400_000 };
        hash.1.insert("status".to_owned(), to.to_owned());
        let due = DateTime::parse_from_rfc3339(&hash.1["due_at"]).unwrap().timestamp();
        let list = self.state["due"].as_object_mut().unwrap();
        list.remove(request);
        if is_open {
            list.insert(request.to_owned(), due.into());
        }
    }

    /// A call reaches the emulator, long after the one before; `more` overwrites what a create would be.
    pub(crate) fn call(&mut self, kind: &str, task: &str, more: Value) -> &mut Value {
        self.pass(2_200);
        let seq = self.calls.len() + 1;
        let ms = self.now - BEGAN_MS;
        let mut call = json!({ "seq": seq, "ms": ms, "unix_ms": self.now, "kind": kind, "project": TOKEN, "ids": [],
            "status": 200, "acted": true, "task": task, "task_status": null });
        for (name, value) in more.as_object().unwrap() {
            call[name] = value.clone();
        }
        self.calls.push(call);
        self.pass(50);
        self.calls.last_mut().unwrap()
    }

    /// Records reach the ingestion API in one call.
    pub(crate) fn ingest(&mut self, record: Value) {
        let call = self.call("import", "", json!({})).clone();
        self.ingested
            .push(json!({ "seq": call["seq"], "index": 0, "ms": call["ms"], "record": record }));
    }

    /// An event about a person at a moment, in a call of its own that is squeezed in.
    pub(crate) fn smuggle(&mut self, ms: u64, record: Value) {
        let seq = self.calls.len() + 1;
        self.calls.push(json!({ "seq": seq, "ms": ms - BEGAN_MS, "unix_ms": ms, "kind": "import", "project": TOKEN, "status": 200, "acted": true }));
        self.ingested.push(json!({ "seq": seq, "ms": ms - BEGAN_MS, "record": record }));
    }

    /// The event that moved a request to a status.
    pub(crate) fn moved(&mut self, request: &str, to: &str) -> &mut Event {
        self.events.iter_mut().find(|event| event.names(request) && event.get("to") == to).unwrap()
    }

    /// The call that made a task, or asked for it.
    pub(crate) fn call_of(&mut self, kind: &str, task: &str) -> &mut Value {
        self.calls.iter_mut().find(|call| call["kind"] == kind && call["task"] == task).unwrap()
    }

    /// An archive is in the store; the ledger, if it has it already, says the same.
    pub(crate) fn put_archive(&mut self, request: &str, bytes: Vec<u8>) {
        let (hash, size) = (zips::sha256(&bytes), bytes.len());
        for event in &mut self.events {
            if event.names(request) && !event.get("archive_sha256").is_empty() {
                event.set("archive_sha256", &hash);
                event.set("archive_bytes", size);
            }
        }
        self.store.insert(format!("{request}.zip"), bytes);
    }
}
