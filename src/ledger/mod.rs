//! The truth about every request, batch and person, and the only way to change it.
//!
//! Each transition is one Lua script ([`script`]): it checks the present state, writes the next one, moves the
//! indexes, appends the chained event and announces the change. Scripts of two replicas never interleave, so there
//! is no leader and no lock; the attempt number of a batch is what fences a late writer. A script that is
//! repeated changes nothing, so a lost reply is answered by asking again.
//!
//! ```text
//! queued ─▶ submitting ─▶ submitted ─▶ packaging ─▶ completed ─▶ expired
//!   ▲  │         │            │            │
//!   │  └▶ cancelled ◀─────────┤            │          a batch: sending ─▶ accepted ─▶ collecting ─▶ done
//!   ├────────────┴────────────┤            │                     │ ▲           │
//!   └──────── held ◀──────────┴────────────┘                     ▼ │           └▶ failed, revoked, lost
//!              └▶ failed                                       unknown ─▶ held
//! ```
//!
//! | key after `gdpr:{project}:` | type | what |
//! | --- | --- | --- |
//! | `requests` | stream | documents from producers; an entry is deleted by the script that makes it a request |
//! | `request:ID` `user:TAG` `due` `stats` `rejected` `ledger` | | the contract; `user:TAG` has a field `open` while requests are |
//! | `events:refused` | stream | events and profile updates that could not be delivered, sealed; see [`RefusedEvent`] |
//! | `sealed` | hash | request → sealed distinct_ids, only while it is open |
//! | `open:GROUP` | zset | requests that wait for a batch, by deadline |
//! | `groups` `batches` | set | groups and batches that somebody must look after |
//! | `archives` | zset | completed retrievals whose archives are in the store, by the end of their time (ms) |
//! | `events` `events:*` `filter` `wire` `seen` | | the delivery of events: see `reading.rs` and `delivery.rs` |
//! | `deletions:DAY` `deletions:capped` | string, set | deletions accepted that day; those held because there were too many |
//! | `nonces:DAY` | hash | nonces of signed documents, and the entries that used them |
//! | `waiting:RETRIEVAL` | set | deletions that wait for a retrieval of the same person |
//! | `batch:B` `batch:B:members` | hash, list | a batch and its requests |
//! | `holdback` | hash | kind → no submission before (ms), after a 429 |
//! | `work` `work:delayed` `work:dead` | stream, zset, stream | the jobs of the worker; see [`job`] |
//! | `pace` | hash | the rate of calls, shared by all replicas |
//! | `fence` | string | written before each wait for the disk, see [`Gate`] |
//!
//! What something outside Redis depends on (a call, an answer to a person, an export that is destroyed) is waited for
//! until it is kept: see `keeping.rs`.

mod archives;
mod batch;
mod delivery;
mod history;
mod intake;
pub mod job;
mod keeping;
mod operator;
mod reading;
mod refused;
mod request;
mod retention;
mod script;
pub mod state;
mod stream;
mod submission;
mod task;
mod vault;

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use gdpr_jobs::{ConsentState, Keys, Project};
use redis::FromRedisValue;

pub use archives::{ArchiveFact, SpoolNeeds};
pub use batch::{Batch, BatchState};
pub use delivery::{ParcelEnd, Standing, WireClaim, opt_in_seal};
pub use gdpr_jobs::{Pepper, Tag};
pub use history::{Event, HistoryFilter, Trail};
pub use intake::{Accepted, IdForms, Intake, IntakeCounts, Nonce, TakenIn};
pub use job::{Group, Job};
pub use operator::{CancelStep, Decision, Verdict};
pub use reading::EventEntry;
pub use refused::{EventKind, RefusedEntry, RefusedEvent};
pub use request::DueRequest;
pub use retention::{Retained, RetentionState, seen_seal};
pub use submission::{Acceptance, Claim, Sealed, SealedMember};
pub use task::{Archived, Exception, ExportFate, Missing, Settlement};
pub use vault::{Unopenable, Vault};

use crate::queue::{Connection, Gate, GateError, server::Finding};
use script::{Call, Scripts};

/// What can go wrong with the ledger.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Redis did not answer, or refused: nothing is known to have changed; asking again is safe.
    #[error("{}", gdpr_jobs::RedisFault::from(.0))]
    Redis(#[from] redis::RedisError),
    /// A value in Redis is not what this version writes.
    #[error("unexpected value in {0}: was it changed by hand, or by another version?")]
    Unexpected(&'static str),
    /// Sealed identifiers cannot be opened.
    #[error(transparent)]
    Unopenable(#[from] Unopenable),
    /// It is written, and not known to be kept; asking again is safe.
    #[error(transparent)]
    NotKept(#[from] GateError),
    /// Redis forgets what it is told, so nothing that depends on it may be done.
    #[error("{}", .0.text)]
    Volatile(Finding),
}

/// What the scripts need to know of the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// How long the hash of a final request stays.
    pub record_retention: Duration,
    /// How long a request may wait for company.
    pub linger: Duration,
    /// The most identifiers in a retrieval batch.
    pub full_retrieval: usize,
    /// The most identifiers in a deletion batch.
    pub full_deletion: usize,
    /// What holds for people nobody has asked.
    pub consent_default: ConsentState,
    /// How long Mixpanel keeps events.
    pub event_retention: Duration,
    /// The most deletions accepted in a day, where there is a limit. Those above it are held.
    pub deletions_per_day: Option<NonZeroU32>,
}

/// The ledger of one project.
#[derive(Clone)]
pub struct Ledger {
    redis: Connection,
    keys: Keys,
    actor: Arc<str>,
    rules: Rules,
    scripts: Arc<Scripts>,
    scheduled: Arc<dyn Fn() + Send + Sync>,
    gate: Option<Gate>,
}

impl Ledger {
    /// A ledger on `redis`; `actor` stands in every event as who acted.
    pub fn new(redis: Connection, project: &Project, actor: &str, rules: Rules) -> Self {
        Self {
            redis,
            keys: Keys::new(project),
            actor: actor.into(),
            rules,
            scripts: Arc::new(Scripts::load()),
            scheduled: Arc::new(|| {}),
            gate: None,
        }
    }

    /// Calls `wake` whenever a script may have scheduled a job, so that whoever moves due jobs looks at once.
    #[must_use]
    pub fn waking(mut self, wake: impl Fn() + Send + Sync + 'static) -> Self {
        self.scheduled = Arc::new(wake);
        self
    }

    /// Waits at `gate` wherever something outside Redis depends on what was written.
    #[must_use]
    pub fn keeping(mut self, gate: Gate) -> Self {
        self.gate = Some(gate);
        self
    }

    /// The keys of the project.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The time by the clock of Redis, which all replicas share.
    pub async fn now(&self) -> Result<DateTime<Utc>, LedgerError> {
        let time = redis::cmd("TIME").query_async(&mut self.connection()).await?;
        let (seconds, micros): (i64, u32) = time;
        let now = DateTime::from_timestamp(seconds, micros.saturating_mul(1000));
        now.ok_or(LedgerError::Unexpected("the time of Redis"))
    }

    fn connection(&self) -> Connection {
        self.redis.clone()
    }

    fn call<'a>(&'a self, choose: impl Fn(&'a Scripts) -> &'a redis::Script) -> Call<'a> {
        let head = [
            self.actor.to_string(),
            self.rules.record_retention.as_secs().to_string(),
            self.rules.linger.as_millis().to_string(),
            self.rules.full_retrieval.to_string(),
            self.rules.full_deletion.to_string(),
        ];
        Call::new(choose(&self.scripts), &self.keys.ledger(), &head)
    }

    async fn run<T: FromRedisValue>(&self, call: Call<'_>) -> Result<T, LedgerError> {
        let reply = call.invoke(&mut self.connection()).await?;
        (self.scheduled)();
        Ok(reply)
    }
}
