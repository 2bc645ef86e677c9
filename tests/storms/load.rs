//! Producers: a mixed load, each document with an id of its own, offered until it is acknowledged.

use std::{
    io::Write as _,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use gdpr_worker::queue::Connector;
use rand::{RngExt, rngs::StdRng};
use redis::aio::MultiplexedConnection;
use serde_json::{Value, json};

const REQUESTS: &str = "gdpr:{default}:requests";
/// Documents in one pipeline.
const AT_ONCE: usize = 20;
/// How long a producer waits before it offers documents again.
const OFFER_AGAIN: Duration = Duration::from_millis(100);
/// How long replicas may take until they have it, in ms.
const REPLICAS_MS: u64 = 1000;

/// What is enqueued, by weight.
#[derive(Clone, Copy)]
pub(crate) struct Mix {
    pub(crate) deletions: u32,
    pub(crate) retrievals: u32,
    pub(crate) opt_outs: u32,
    pub(crate) opt_ins: u32,
    pub(crate) cancellations: u32,
    pub(crate) malformed: u32,
    /// How many people of a hundred have devices, besides their own id.
    pub(crate) devices: u32,
}

impl Mix {
    /// Something of everything.
    pub(crate) const ALL: Self = Self {
        deletions: 50,
        retrievals: 30,
        opt_outs: 8,
        opt_ins: 5,
        cancellations: 4,
        malformed: 3,
        devices: 20,
    };
    /// What goes to the API in batches.
    pub(crate) const BATCHES: Self =
        Self { opt_outs: 0, opt_ins: 0, cancellations: 0, malformed: 0, ..Self::ALL };
    /// What a year may bring.
    pub(crate) const GOOD: Self = Self {
        deletions: 85,
        retrievals: 10,
        opt_outs: 3,
        opt_ins: 2,
        cancellations: 0,
        malformed: 0,
        devices: 0,
    };
    /// One good document for each bad one.
    pub(crate) const HALF_MALFORMED: Self = Self { malformed: 88, ..Self::BATCHES };
}

/// A document on its way.
struct Document {
    /// Its id; nothing if it is malformed.
    id: Option<String>,
    text: String,
}

/// The producers of a field.
pub(crate) struct Load {
    redis: Connector,
    /// Without so many replicas that have it, nothing counts as acknowledged.
    replicas: usize,
    mix: Mix,
    dice: StdRng,
    connection: Option<MultiplexedConnection>,
    journal: std::fs::File,
    made: usize,
    everything: Vec<Document>,
}

impl Load {
    /// Producers for the Redis at `url` that keep what was acknowledged in the folder `history`.
    pub(crate) fn new(url: &str, mix: Mix, dice: StdRng, history: &std::path::Path) -> Self {
        let journal = std::fs::File::create(history.join("producers.jsonl")).unwrap();
        let (redis, everything) = (Connector::new(url).unwrap().towards(REQUESTS), Vec::new());
        Self { redis, replicas: 0, mix, dice, connection: None, journal, made: 0, everything }
    }

    /// From now on a document is acknowledged when so many replicas have it.
    pub(crate) fn wait_for_replicas(&mut self, replicas: usize) {
        self.replicas = replicas;
    }

    /// Makes so many documents and offers them until all are acknowledged.
    pub(crate) async fn enqueue(&mut self, count: usize) {
        let mut left = count;
        while left > 0 {
            let some: Vec<Document> = (0..left.min(AT_ONCE)).map(|_| self.document()).collect();
            left -= some.len();
            let entries = self.offer(&some).await;
            let ms = now_ms();
            for (document, entry) in some.iter().zip(entries) {
                let line = json!({
                    "request": document.id.as_ref().unwrap_or(&entry), "entry": entry, "ms": ms,
                    "document": document.text, "refused": document.id.is_none(),
                });
                writeln!(self.journal, "{line}").unwrap();
            }
            self.everything.extend(some.into_iter().filter(|document| document.id.is_some()));
        }
    }

    /// Enqueues every good document a second time, as they were.
    pub(crate) async fn repeat(&mut self) {
        let everything = std::mem::take(&mut self.everything);
        for some in everything.chunks(500) {
            self.offer(some).await;
        }
    }

    /// XADDs documents until each has its entry. What was accepted without an answer is offered again: it has an id.
    async fn offer(&mut self, documents: &[Document]) -> Vec<String> {
        loop {
            let mut pipe = redis::pipe();
            for document in documents {
                let add = pipe.cmd("XADD").arg(REQUESTS).arg("*");
                add.arg("request").arg(&document.text);
            }
            let mut wait = redis::cmd("WAIT");
            wait.arg(self.replicas).arg(REPLICAS_MS);
            let wanted = self.replicas;
            if let Some(connection) = self.connect().await
                && let Ok(entries) = pipe.query_async::<Vec<String>>(connection).await
                && (wanted == 0
                    || wait.query_async::<usize>(connection).await.is_ok_and(|have| have >= wanted))
            {
                return entries;
            }
            self.connection = None;
            tokio::time::sleep(OFFER_AGAIN).await;
        }
    }

    async fn connect(&mut self) -> Option<&mut MultiplexedConnection> {
        if self.connection.is_none() {
            self.connection = self.redis.connect().await.ok();
        }
        self.connection.as_mut()
    }

    fn document(&mut self) -> Document {
        self.made += 1;
        let number = self.made;
        let Mix { deletions, retrievals, opt_outs, opt_ins, cancellations, malformed, .. } =
            self.mix;
        let kinds = [
            ("deletion", deletions),
            ("retrieval", retrievals),
            ("opt_out", opt_outs),
            ("opt_in", opt_ins),
            ("cancellation", cancellations),
            ("", malformed),
        ];
        let all: u32 = kinds.iter().map(|(_, weight)| weight).sum();
        let mut ticket = self.dice.random_range(0..all);
        let mut kind = "";
        for (name, weight) in kinds {
            if ticket < weight {
                kind = name;
                break;
            }
            ticket -= weight;
        }
        // The first one has nothing to cancel.
        let kind = if number == 1 { "deletion" } else { kind };
        let id = format!("storm-{number}");
        let text = match kind {
            "" => return Document { id: None, text: self.malformed() },
            "cancellation" => {
                let of = number.saturating_sub(self.dice.random_range(1..30)).max(1);
                json!({ "id": id, "kind": kind, "request_id": format!("storm-{of}") })
            }
            kind => json!({ "id": id, "kind": kind, "distinct_ids": self.person(number) }),
        };
        Document { id: Some(id), text: text.to_string() }
    }

    /// Mostly somebody new; at times one of a few who ask again and again.
    fn person(&mut self, number: usize) -> Value {
        if self.dice.random_bool(0.1) {
            return json!([format!("regular-{}@example.test", self.dice.random_range(0..20))]);
        }
        let has_devices = self.dice.random_ratio(self.mix.devices, 100);
        let devices = if has_devices { self.dice.random_range(1..4) } else { 0 };
        let mut ids = vec![format!("person-{number}@example.test")];
        ids.extend((0..devices).map(|device| format!("$device:{number}-{device}")));
        json!(ids)
    }

    fn malformed(&mut self) -> String {
        let bad = [
            "{",
            "",
            "[]",
            "null",
            r#"{"kind":"deletion"}"#,
            r#"{"kind":"erasure","distinct_ids":["nobody@example.test"]}"#,
            r#"{"kind":"deletion","distinct_ids":[]}"#,
            r#"{"kind":"deletion","distinct_ids":["nobody@example.test",""]}"#,
            r#"{"kind":"deletion","distinct_ids":["nobody@example.test"],"more":1}"#,
            r#"{"kind":"deletion","kind":"retrieval","distinct_ids":["nobody@example.test"]}"#,
        ];
        let long = format!(r#"{{"kind":"deletion","distinct_ids":["{}"]}}"#, "x".repeat(70_000));
        match self.dice.random_range(0..=bad.len()) {
            n if n < bad.len() => bad[n].to_owned(),
            _ => long,
        }
    }
}

pub(crate) fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}
