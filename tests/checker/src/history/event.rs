//! `ledger.jsonl`, entry by entry as the stream had them, and `checkpoints.jsonl`.

use std::collections::{BTreeSet, HashMap};

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
    /// If it is about a whole batch, those whom events before put there.
    members: Vec<String>,
}

impl From<Line> for Event {
    fn from(line: Line) -> Self {
        Self {
            ms: entry_order(&line.entry).0,
            entry: line.entry,
            fields: line.fields,
            members: Vec::new(),
        }
    }
}

impl Event {
    /// The value of a field, or nothing.
    pub fn get(&self, name: &str) -> &str {
        let found = self.fields.chunks_exact(2).find(|pair| pair[0] == name);
        found.map_or("", |pair| pair[1].as_str())
    }

    /// The word of a field that is about one of the requests that it names.
    pub fn word_of(&self, request: &str, name: &str) -> &str {
        let place = self.get("requests").split_ascii_whitespace().position(|id| id == request);
        place.and_then(|place| self.get(name).split_ascii_whitespace().nth(place)).unwrap_or("")
    }

    /// The requests that it is about: it names them, or their batch.
    pub fn requests(&self) -> impl Iterator<Item = &str> {
        let named = self.get("requests").split_ascii_whitespace();
        named.chain(self.members.iter().map(String::as_str))
    }
}

/// Tells events about whole batches who is in those. One that counts others than were put there is about nobody: their lives
/// lack that step then, which no invariant overlooks.
pub(super) fn resolve(ledger: &mut [Event]) {
    let mut batches: HashMap<String, BTreeSet<String>> = HashMap::new();
    for event in ledger {
        let batch = event.get("batch");
        if event.get("whole_batch").is_empty() {
            if !batch.is_empty() && matches!(event.get("to"), "submitting" | "submitted") {
                let members = batches.entry(batch.to_owned()).or_default();
                members.extend(event.requests().map(str::to_owned));
            }
        } else if let Some(members) = batches.get(batch)
            && event.get("whole_batch") == members.len().to_string()
        {
            event.members = members.iter().cloned().collect();
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(events: &[&[(&str, &str)]]) -> Vec<Event> {
        let event = |fields: &[(&str, &str)]| Event {
            entry: "1-0".to_owned(),
            ms: 1,
            fields: fields
                .iter()
                .flat_map(|(name, value)| [*name, *value].map(str::to_owned))
                .collect(),
            members: Vec::new(),
        };
        let mut ledger: Vec<_> = events.iter().map(|fields| event(fields)).collect();
        resolve(&mut ledger);
        ledger
    }

    #[test]
    fn what_is_about_a_whole_batch_is_about_those_who_were_put_there_if_it_counts_as_many() {
        let ledger = ledger(&[
            &[("requests", "a b"), ("to", "submitting"), ("batch", "b1")],
            &[("requests", "c"), ("to", "submitted"), ("batch", "b2")],
            &[("whole_batch", "2"), ("to", "submitted"), ("batch", "b1")],
            &[("whole_batch", "3"), ("to", "completed"), ("batch", "b1")],
            &[("whole_batch", "2"), ("to", "completed"), ("batch", "b3")],
            &[("batch", "b1"), ("why", "task status")],
        ]);
        let about: Vec<String> =
            ledger.iter().map(|event| event.requests().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(about, ["a b", "c", "a b", "", "", ""]);
    }

    #[test]
    fn a_word_is_that_of_the_request_in_the_same_place() {
        let ledger = ledger(&[&[("requests", "a b"), ("archive_bytes", "10 20")]]);
        let words = ["a", "b", "c"].map(|id| ledger[0].word_of(id, "archive_bytes"));
        assert_eq!(words, ["10", "20", ""]);
    }
}
