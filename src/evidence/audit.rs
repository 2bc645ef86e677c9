//! The walk through a ledger, from its first event to its last: every hash is computed anew, and what checkpoints said of
//! its beginnings is compared. It can go on later from where it stopped.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use super::{
    chain::{self, Fault},
    checkpoint::{Checkpoint, Checkpoints},
    entry::Entry,
    merkle::{self, Proof, Tree},
};

/// Findings that are kept; further ones are only counted, so that memory is bounded.
const MOST_KEPT: usize = 1000;

const CHANGED: &str = "an event was changed, or removed, added or moved before this one: compare with a replica, a backup or an older checkpoint";
const REMOVED: &str = "events were removed: compare with a replica, a backup or a checkpoint";
const REPLACED: &str = "the ledger was cut off or written anew: keep it as it is, and compare with a replica or a backup";

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The event at which it shows.
    pub event: String,
    /// What was found.
    pub found: String,
    /// What was expected.
    pub expected: String,
    /// What it means and what to do.
    pub advice: &'static str,
}

/// What Redis says of the stream itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// How many events it holds.
    pub length: u64,
    /// How many were ever added, where the server counts that.
    pub added: Option<u64>,
    /// The last id that was given out; empty when there is no stream.
    pub last_id: String,
}

/// A beginning of a ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ground {
    /// How many events it has.
    pub events: u64,
    /// The id of the last one.
    pub last_event: String,
    /// The hash of the last one.
    pub chain_hash: String,
    /// The Merkle root over all of them, in hex.
    pub root: String,
    /// The id of the checkpoint that says the same, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
}

/// A walk under way.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    hash: String,
    last: String,
    tree: Tree,
    findings: Vec<Finding>,
    faults: u64,
    /// Checkpoints to come, by the number of events.
    ahead: BTreeMap<u64, Vec<(Checkpoint, String)>>,
    proved: u64,
    /// The first checkpoint after the last event whose proof is wanted.
    cover: Option<(Ground, Vec<Proof>)>,
    wanted: bool,
}

impl Audit {
    /// A walk that compares what these checkpoints said.
    pub fn against(checkpoints: &Checkpoints) -> Self {
        let mut audit = Self::default();
        for (checkpoint, id) in &checkpoints.usable {
            let same = audit.ahead.entry(checkpoint.events).or_default();
            same.push((checkpoint.clone(), id.clone()));
        }
        audit
    }

    /// Takes the next event; `prove`: the proof that it is there will be asked for.
    pub fn see(&mut self, entry: &Entry, prove: bool) {
        if let Some(fault) = chain::judge(&self.hash, &self.last, entry) {
            self.note(self.finding(entry, fault));
        }
        self.tree.push(merkle::leaf(&entry.leaf_data()), prove);
        // From here on what it says of itself counts, so that one change is one finding.
        entry.text("hash").clone_into(&mut self.hash);
        entry.id.clone_into(&mut self.last);
        if prove {
            (self.wanted, self.cover) = (true, None);
        }
        for (checkpoint, id) in self.ahead.remove(&self.tree.size()).unwrap_or_default() {
            self.compare(&checkpoint, id);
        }
    }

    /// Ends the walk, or a part of it, at what Redis said of the stream before that.
    pub fn finish(&mut self, extent: &Extent) {
        let size = self.tree.size();
        if self.last != extent.last_id {
            self.note(Finding {
                event: extent.last_id.clone(),
                found: format!("the last event is {}", named(&self.last)),
                expected: format!("{}, the last one that Redis added", extent.last_id),
                advice: REMOVED,
            });
        }
        let added = extent.added.unwrap_or(extent.length);
        if added != size {
            self.note(Finding {
                event: extent.last_id.clone(),
                found: format!("{size} events"),
                expected: format!("{added}, as Redis counted them when they were added"),
                advice: REMOVED,
            });
        }
        for (checkpoint, _) in std::mem::take(&mut self.ahead).into_values().flatten() {
            self.note(Finding {
                found: format!("{size} events, the last one is {}", named(&self.last)),
                expected: format!(
                    "at least {}, by the checkpoint of {}",
                    checkpoint.events, checkpoint.at
                ),
                event: checkpoint.last_event,
                advice: REPLACED,
            });
        }
    }

    fn finding(&self, entry: &Entry, fault: Fault) -> Finding {
        let (found, expected) = match fault {
            Fault::Form(what) => (what.to_owned(), "an event as the worker writes it".to_owned()),
            Fault::Hash { found, expected } => (
                format!("hash {found}"),
                format!("{expected}, from its content and the hash of {}", named(&self.last)),
            ),
            Fault::Time => (
                "an id of another time than its field at".to_owned(),
                "the time at which it was added".to_owned(),
            ),
        };
        Finding { event: entry.id.clone(), found, expected, advice: CHANGED }
    }

    fn note(&mut self, finding: Finding) {
        self.faults += 1;
        if self.findings.len() < MOST_KEPT {
            self.findings.push(finding);
        }
    }

    fn compare(&mut self, checkpoint: &Checkpoint, id: String) {
        let (mut ground, proofs) = self.at_present();
        let said = (&checkpoint.last_event, &checkpoint.chain_hash, &checkpoint.root);
        if said != (&ground.last_event, &ground.chain_hash, &ground.root) {
            self.note(Finding {
                event: ground.last_event,
                found: format!("{} events with the root {}", ground.events, ground.root),
                expected: format!(
                    "the root {}, by the checkpoint of {}",
                    checkpoint.root, checkpoint.at
                ),
                advice: REPLACED,
            });
            return;
        }
        self.proved += 1;
        if self.wanted && self.cover.is_none() {
            ground.checkpoint = Some(id);
            self.cover = Some((ground, proofs));
        }
    }

    fn at_present(&self) -> (Ground, Vec<Proof>) {
        let (root, proofs) = self.tree.root();
        let ground = Ground {
            events: self.tree.size(),
            last_event: self.last.clone(),
            chain_hash: self.hash.clone(),
            root: HEXLOWER.encode(&root),
            checkpoint: None,
        };
        (ground, proofs)
    }

    /// The ledger so far.
    pub fn ground(&self) -> Ground {
        self.at_present().0
    }

    /// The proofs that were asked for, and the beginning of the ledger in which they hold: that of the first checkpoint
    /// after the last of these events, else the ledger so far.
    pub fn proven(&self) -> (Ground, Vec<Proof>) {
        self.cover.clone().unwrap_or_else(|| self.at_present())
    }

    /// The checkpoint to sign now.
    pub fn checkpoint(&self, project: &str, at: String) -> Checkpoint {
        let Ground { events, last_event, chain_hash, root, .. } = self.ground();
        Checkpoint { project: project.to_owned(), events, last_event, chain_hash, root, at }
    }

    /// The id of the last event seen; empty before the first.
    pub fn last(&self) -> &str {
        &self.last
    }

    /// How many events were seen.
    pub const fn events(&self) -> u64 {
        self.tree.size()
    }

    /// What was found, the first thousand.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// How much was found.
    pub const fn faults(&self) -> u64 {
        self.faults
    }

    /// How many checkpoints were found to hold.
    pub const fn proved(&self) -> u64 {
        self.proved
    }
}

fn named(event: &str) -> &str {
    if event.is_empty() { "none" } else { event }
}
