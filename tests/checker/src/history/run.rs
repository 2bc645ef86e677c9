//! `run.json`: what the rig knows about its run and nobody could see from outside.

use serde::{Deserialize, Serialize};

/// What holds for a run. All but `project`, `token` and `pepper` have the worker's defaults.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Run {
    /// Name of the project.
    pub project: String,
    /// Its token at Mixpanel: whose calls are judged.
    pub token: String,
    /// The pepper of the run, from which tags follow.
    pub pepper: String,
    /// Most distinct_ids in a retrieval.
    pub batch_retrieval: usize,
    /// Most distinct_ids in a deletion.
    pub batch_deletion: usize,
    /// Shortest time between two calls of the project, in ms.
    pub min_gap_ms: f64,
    /// How many unknown answers to a retrieval may be repeated.
    pub budget_retrieval: usize,
    /// How many unknown answers to a deletion may be repeated.
    pub budget_deletion: usize,
    /// How long the hash of a final request stays, in s.
    pub record_retention_s: u64,
    /// How late an archive may be destroyed, in ms.
    pub expiry_grace_ms: u64,
    /// Most requests that may be held at the end.
    pub held: usize,
    /// How long a request may wait until Mixpanel has it, in ms, not counting `unhealthy` times.
    pub submit_within_ms: u64,
    /// Times at which nothing could be sent: from, to, in Unix ms.
    pub unhealthy: Vec<(u64, u64)>,
    /// How long nothing may happen after the last request became final, in ms (10 virtual minutes).
    pub quiet_ms: u64,
    /// By how much the clocks of Redis and the emulator may differ, in ms.
    pub clock_slack_ms: u64,
    /// Tasks that somebody else made.
    pub foreign_tasks: Vec<String>,
    /// Where everything was enqueued a second time, if that was done.
    pub replayed: Option<Replay>,
    /// Texts that must be found nowhere: tokens, links, values of events. All distinct_ids count without being named.
    pub canaries: Vec<String>,
    /// Files and folders to be searched for them, relative to the history: logs, dumps, append-only files.
    pub searched: Vec<String>,
    /// The archive store, relative to the history.
    pub archives: Option<String>,
    /// When Redis was collected, in Unix ms by its clock.
    pub ended_ms: u64,
}

/// The moment before the replay.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Replay {
    /// Number of the last call before it; 0 for none.
    pub call: u64,
    /// The last event of the ledger before it.
    pub event: String,
}

impl Default for Run {
    fn default() -> Self {
        Self {
            project: "default".to_owned(),
            token: "emulator-project-token".to_owned(),
            pepper: String::new(),
            batch_retrieval: 2000,
            batch_deletion: 1999,
            min_gap_ms: 1000.0,
            budget_retrieval: 1,
            budget_deletion: 5,
            record_retention_s: 1095 * 86400,
            expiry_grace_ms: 60_000,
            held: 0,
            submit_within_ms: 86_400_000,
            unhealthy: Vec::new(),
            quiet_ms: 600_000,
            clock_slack_ms: 2,
            foreign_tasks: Vec::new(),
            replayed: None,
            canaries: Vec::new(),
            searched: Vec::new(),
            archives: None,
            ended_ms: 0,
        }
    }
}
