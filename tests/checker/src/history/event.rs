//! `ledger.jsonl`, entry by entry as the stream had them, and `checkpoints.jsonl`.

use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Line {
    entry: String,
    fields: Vec<String>,
}

/// One event of the ledger.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Line")]
pub struct Event {
    /// The entry's id.
    pub entry: String,
    /// The time in it, in Unix ms.
    pub ms: u64,
    /// Names and values by turns, in the order of the stream: the hash depends on it.
    pub fields: Vec<String>,
}

impl From<Line> for Event {
    fn from(line: Line) -> Self {
        Self { ms: entry_order(&line.entry).0, entry: line.entry, fields: line.fields }
    }
}

impl Event {
    /// The value of a field, or nothing.
    pub fn get(&self, name: &str) -> &str {
        let found = self.fields.chunks_exact(2).find(|pair| pair[0] == name);
        found.map_or("", |pair| pair[1].as_str())
    }

    /// The requests that it names.
    pub fn requests(&self) -> impl Iterator<Item = &str> {
        self.get("requests").split_ascii_whitespace()
    }
}

/// The two numbers of an entry's id, by which entries are ordered.
pub(super) fn entry_order(entry: &str) -> (u64, u64) {
    let (ms, seq) = entry.split_once('-').unwrap_or((entry, "0"));
    (ms.parse().unwrap_or(0), seq.parse().unwrap_or(0))
}

impl Event {
    /// The two numbers of its id.
    pub fn order(&self) -> (u64, u64) {
        entry_order(&self.entry)
    }
}

/// A head of the ledger as it was at some time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The last event's id.
    pub entry: String,
    /// Its hash.
    pub hash: String,
    /// How many events there were.
    pub events: usize,
}
