//! What the emulator saw: its log, the records that reached it, what its retrievals delivered.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use super::names;

/// An entry of the emulator's log, as far as it matters here.
#[derive(Clone, Debug, Deserialize)]
pub struct Call {
    /// Its number.
    pub seq: u64,
    /// When its head arrived, in ms of a clock that never jumps.
    pub ms: f64,
    /// The same in Unix ms.
    pub unix_ms: f64,
    /// What was asked for.
    pub kind: String,
    /// The project's token.
    pub project: Option<String>,
    /// The ids in the body.
    #[serde(default)]
    pub ids: Vec<String>,
    /// `GDPR` or `CCPA`, if it is to make a task.
    #[serde(default)]
    pub compliance: Option<String>,
    /// What is to be disclosed, in capitals.
    #[serde(default)]
    pub disclosure: Option<String>,
    /// What was answered, if anything.
    pub status: Option<u16>,
    /// Whether it took effect.
    pub acted: bool,
    /// The task that it made or was about.
    pub task: Option<String>,
    /// The word that a poll was answered with.
    pub task_status: Option<String>,
}

impl Call {
    /// Whether it counts against the pace of one call a second.
    pub fn is_gdpr(&self) -> bool {
        self.creates().is_some() || self.kind.starts_with("poll-") || self.kind == "cancel"
    }

    /// The kind of request that it makes a task for, if it makes one.
    pub fn creates(&self) -> Option<&str> {
        self.kind.strip_prefix("create-")
    }

    /// Unix ms, whole, rounded down as Redis' are.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a time after 1970"
    )]
    pub fn at(&self) -> u64 {
        self.unix_ms as u64
    }
}

/// A line of `/_emulator/ingested`.
#[derive(Deserialize)]
pub(super) struct Kept {
    seq: u64,
    ms: f64,
    record: Value,
}

/// A record that reached the ingestion API.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The call it came in.
    pub call: u64,
    /// When the head of the call arrived, in Unix ms.
    pub ms: u64,
    /// Everybody it names.
    pub ids: Vec<String>,
    /// Whether it only deletes a profile: that may pass at any time.
    pub deletes: bool,
}

/// Joins records with their calls, which have the time of day.
pub(super) fn arrivals(kept: Vec<Kept>, calls: &[Call]) -> Vec<Arrival> {
    let times: HashMap<u64, u64> = calls.iter().map(|call| (call.seq, call.at())).collect();
    let began = calls.first().map_or(0.0, |call| call.unix_ms - call.ms);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a time after 1970"
    )]
    let arrival = |one: Kept| Arrival {
        call: one.seq,
        ms: times.get(&one.seq).copied().unwrap_or((began + one.ms) as u64),
        ids: names::of(&one.record),
        deletes: one.record.get("$delete").is_some(),
    };
    kept.into_iter().map(arrival).collect()
}

#[derive(Deserialize)]
struct Line {
    task: String,
    id: String,
    records: Vec<Value>,
}

/// What a finished retrieval holds about one of its ids: a line of `/_emulator/delivered`.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Line")]
pub struct Delivered {
    /// The task.
    pub task: String,
    /// The distinct_id.
    pub id: String,
    /// A digest of each record, sorted.
    pub records: Vec<u128>,
}

impl From<Line> for Delivered {
    fn from(line: Line) -> Self {
        let mut records: Vec<u128> = line.records.iter().map(names::digest).collect();
        records.sort_unstable();
        Self { task: line.task, id: line.id, records }
    }
}
