//! `hashes.jsonl` and `state.json`: what Redis held when it was collected.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

/// A hash of Redis.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hash {
    /// The key after `gdpr:{project}:`.
    pub key: String,
    /// Time to live in ms; -1 for ever.
    pub ttl_ms: i64,
    /// Its fields; values that are not text are left out.
    pub fields: BTreeMap<String, String>,
}

impl Hash {
    /// The value of a field, or nothing.
    pub fn get(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

/// What the ledger's stream says about itself.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Stream {
    /// Entries in it.
    pub length: usize,
    /// Entries that were ever added; absent before Redis 7.
    pub added: Option<usize>,
    /// The largest id that was ever removed; absent before Redis 7.
    pub deleted: Option<String>,
}

/// Indexes and sizes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// `kind.status` → how many.
    pub stats: HashMap<String, i64>,
    /// Request → deadline in Unix seconds.
    pub due: HashMap<String, i64>,
    /// `open:GROUP` → how many wait in it.
    pub open: BTreeMap<String, usize>,
    /// Requests whose identifiers are still there, sealed.
    pub sealed: Vec<String>,
    /// Batches that somebody must look after.
    pub batches: Vec<String>,
    /// `waiting:…` → how many wait.
    pub waiting: BTreeMap<String, usize>,
    /// Parcels that may still arrive: those whose time is not over.
    pub wire: usize,
    /// Jobs for later.
    pub delayed: Vec<String>,
    /// Jobs in the work stream.
    pub work: usize,
    /// Entries that a worker was given and did not settle, of work and intake.
    pub pending: usize,
    /// Jobs that were set aside.
    pub dead: usize,
    /// Entries of the producers' stream that nobody took in yet.
    pub requests: Vec<String>,
    /// Entries of the event stream.
    pub events: usize,
    /// The ledger.
    pub ledger: Stream,
}
