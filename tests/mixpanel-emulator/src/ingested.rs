//! What arrived at the ingestion API: counted always, kept record by record if asked.
//!
//! Invariant: records are kept in the order in which their calls were decided, whatever they were answered; once
//! one could not be kept, nobody is told that what is there is all.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Serialize;
use serde_json::{Value, json};

use crate::ingest::Record;
use crate::kind::Kind;
use crate::log::Entry;

/// All records since the start or the last reset.
#[derive(Debug, Default)]
pub(crate) struct Ingested {
    kept: Vec<Kept>,
    not_kept: u64,
    arrived: u64,
    stored: u64,
    /// Hashes of what Mixpanel takes for one event.
    distinct: HashSet<u64>,
}

/// One record as it came.
#[derive(Debug, Serialize)]
pub(crate) struct Kept {
    /// Number of its call in the log.
    seq: u64,
    /// Place in its call.
    index: usize,
    kind: Kind,
    project: Option<String>,
    /// When the head of its call arrived, as in the log.
    ms: f64,
    /// When its call had arrived whole.
    whole_ms: Option<f64>,
    /// Whether it was accepted.
    stored: bool,
    record: Record,
}

/// What `GET /_emulator/ingested` asks for.
#[derive(Debug, Default)]
pub(crate) struct Query<'a> {
    pub(crate) since: u64,
    pub(crate) kind: Option<&'a str>,
    pub(crate) project: Option<&'a str>,
}

impl Ingested {
    /// Takes the records of a call that is already in the log; `most` may be kept in all.
    pub(crate) fn add(&mut self, entry: &Entry, records: Vec<Record>, most: usize) {
        let Some(call) = &entry.ingestion else { return };
        for (index, record) in records.into_iter().enumerate() {
            let stored = call.accepted.get(index).copied().unwrap_or(false);
            self.arrived += 1;
            self.stored += u64::from(stored);
            if stored && matches!(entry.kind, Kind::Import | Kind::Track) {
                self.distinct.insert(key(entry.project.as_deref(), &record, self.arrived));
            }
            if self.kept.len() >= most {
                self.not_kept += 1;
                continue;
            }
            self.kept.push(Kept {
                seq: entry.seq,
                index,
                kind: entry.kind,
                project: entry.project.clone(),
                ms: entry.ms,
                whole_ms: call.whole_ms,
                stored,
                record,
            });
        }
    }

    /// The kept records that fit, as lines; an error if any was not kept.
    pub(crate) fn lines(&self, query: &Query<'_>) -> Result<Vec<u8>, String> {
        if self.not_kept > 0 {
            return Err(format!(
                "{} records were not kept: set keep_records to more than {} and begin with a reset",
                self.not_kept,
                self.kept.len()
            ));
        }
        let kind = query.kind.map(|name| Kind::named(name).ok_or(format!("kind is {name:?}")));
        let kind = kind.transpose()?;
        let fits = |kept: &&Kept| {
            kept.seq > query.since
                && kind.is_none_or(|kind| kept.kind == kind)
                && query.project.is_none_or(|project| kept.project.as_deref() == Some(project))
        };
        let mut lines = Vec::new();
        for kept in self.kept.iter().filter(fits) {
            serde_json::to_writer(&mut lines, kept).map_err(|error| error.to_string())?;
            lines.push(b'\n');
        }
        Ok(lines)
    }

    /// The sums for the statistics.
    pub(crate) fn counts(&self) -> Value {
        json!({
            "arrived": self.arrived, "stored": self.stored, "distinct": self.distinct.len(),
            "kept": self.kept.len(), "not_kept": self.not_kept,
        })
    }
}

/// Project, event, time, distinct_id and `$insert_id`; without the last nothing is ever the same.
fn key(project: Option<&str>, record: &Record, number: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    match record.insert_id().as_str() {
        Some(id) => {
            (project, id, record.event(), record.time(), record.distinct_id()).hash(&mut hasher);
        }
        None => number.hash(&mut hasher),
    }
    hasher.finish()
}
