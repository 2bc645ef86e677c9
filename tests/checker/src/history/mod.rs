//! A history: a folder of files, read and made small.
//!
//! | file | who writes it | what |
//! | --- | --- | --- |
//! | `run.json` | the rig | [`Run`]: what holds for the run |
//! | `producers.jsonl` | the rig | [`Produced`]: what was acknowledged to producers |
//! | `calls.jsonl` | the emulator | [`Call`]: its log as it is |
//! | `ledger.jsonl` | collected | [`Event`]: `{"entry": ID, "fields": [name, value, …]}` |
//! | `hashes.jsonl` | collected | [`struct@Hash`]: `{"key": "request:ID", "ttl_ms": -1, "fields": {…}}` of requests, people, batches |
//! | `state.json` | collected | [`State`]: indexes and sizes |
//! | `ingested.jsonl` | the emulator | [`Arrival`]: `/_emulator/ingested`; absent if no events were sent |
//! | `delivered.jsonl` | the emulator | [`Delivered`]: `/_emulator/delivered` |
//! | `archives/` | the worker | the store, or `archives` in `run.json` says where |
//! | `kills.jsonl` | the rig | `{"ms": …, "what": "worker"}`, one for each |
//! | `checkpoints.jsonl` | the rig | [`Checkpoint`]: heads of the ledger, noted on the way |
//!
//! `run.json`, `producers.jsonl`, `calls.jsonl`, `ledger.jsonl`, `hashes.jsonl` and `state.json` must be there.

mod archive;
mod call;
mod event;
mod names;
mod producer;
mod read;
mod run;
mod state;
mod tag;

use std::path::{Path, PathBuf};

pub use archive::{Archive, Content, Stored};
pub use call::{Arrival, Call, Delivered};
pub use event::{Checkpoint, Event};
pub use producer::Produced;
pub use read::HistoryError;
pub use run::{Replay, Run};
pub use state::{Hash, State, Stream};
pub use tag::tag;

/// Everything that is known about a run.
#[derive(Debug)]
pub struct History {
    /// The folder.
    pub folder: PathBuf,
    /// What holds for the run.
    pub run: Run,
    /// Acknowledged requests, in the order of their entries.
    pub producers: Vec<Produced>,
    /// The emulator's log, in order.
    pub calls: Vec<Call>,
    /// The ledger, in order.
    pub ledger: Vec<Event>,
    /// Hashes of requests, people and batches.
    pub hashes: Vec<Hash>,
    /// Indexes and sizes at the end.
    pub state: State,
    /// Records that reached the ingestion API; `None` if nobody kept them.
    pub ingested: Option<Vec<Arrival>>,
    /// What retrievals delivered; `None` if nobody asked.
    pub delivered: Option<Vec<Delivered>>,
    /// What lies in the archive store; `None` if there is no folder.
    pub archives: Option<Vec<Stored>>,
    /// How many processes were killed.
    pub kills: usize,
    /// Heads of the ledger that were noted on the way.
    pub checkpoints: Vec<Checkpoint>,
}

impl History {
    /// Reads a folder. Fails on the first file or line that is not what it must be.
    pub fn load(folder: &Path) -> Result<Self, HistoryError> {
        let at = |name: &str| folder.join(name);
        let run: Run = read::json(&at("run.json"))?;
        let mut producers: Vec<Produced> = read::lines(&at("producers.jsonl"))?;
        producers.sort_by_key(|one| event::entry_order(&one.entry));
        let calls: Vec<Call> = read::lines(&at("calls.jsonl"))?;
        let mut ledger: Vec<Event> = read::lines(&at("ledger.jsonl"))?;
        event::resolve(&mut ledger);
        let ingested = read::lines_if_any(&at("ingested.jsonl"))?;
        let archives = folder.join(run.archives.as_deref().unwrap_or("archives"));
        Ok(Self {
            producers,
            ingested: ingested.map(|kept| call::arrivals(kept, &calls)),
            calls,
            ledger,
            hashes: read::lines(&at("hashes.jsonl"))?,
            state: read::json(&at("state.json"))?,
            delivered: read::lines_if_any(&at("delivered.jsonl"))?,
            archives: archive::folder(&archives)?,
            kills: read::lines_if_any::<serde_json::Value>(&at("kills.jsonl"))?
                .map_or(0, |kills| kills.len()),
            checkpoints: read::lines_if_any(&at("checkpoints.jsonl"))?.unwrap_or_default(),
            folder: folder.to_owned(),
            run,
        })
    }
}
