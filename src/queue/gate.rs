//! Waiting until Redis has something for good, before anything depends on it.
//!
//! A write goes over a connection of its own ([`Passage`]), and the wait (`WAITAOF`, or `WAIT` where only replicas can
//! be waited for) over the same one: so it cannot be about another server than the one that has the write. The shared
//! connection must not wait, because a wait blocks everything behind it. Where Redis knows no `WAITAOF`, `appendfsync
//! always` makes the answer to a write itself the proof.
//!
//! A wait is about what its connection wrote. A script that was run before, and finds that there is nothing left to
//! do, writes nothing; therefore a small write of the gate's own goes in front of each wait.
//!
//! Each new connection looks at the server: after a restart or a failover it may be one that forgets.

mod together;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use redis::{RedisError, RedisResult, aio::MultiplexedConnection};
use tokio::sync::Notify;

pub use together::Together;

use super::{
    connect::Connector,
    server::{Finding, ServerFacts, judge, volatile},
};

/// How long a write may take to be on disk and on the replicas.
const WITHIN: Duration = Duration::from_secs(3);
/// How long what was seen of a server counts.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// The same while it forgets.
const LOOK_FOR_REPAIR_EVERY: Duration = Duration::from_secs(2);
/// A connection that has been idle for so long is tried before it is used.
const MAY_BE_DEAD: Duration = Duration::from_secs(1);
/// Most connections that are kept.
const KEPT: usize = 8;

/// What must be so before a write counts as kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Durability {
    /// How many replicas must have it as well.
    pub replicas: u32,
    /// Whether a server that forgets is put up with.
    pub allow_volatile: bool,
}

/// Why it is not known that a write is kept. It may be there all the same: writing it again must change nothing.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// Redis did not answer, or refused.
    #[error("{}", gdpr_jobs::RedisFault::from(.0))]
    Redis(#[from] RedisError),
    /// Redis did not say so in time.
    #[error(
        "Redis has not confirmed within {} s that a write is kept ({}on the disk of the primary, on {replicas} of {wanted} \
         replicas): expected all of it; look at the disk and the replicas of the server, which need appendonly yes, or at \
         GDPR_REDIS_REPLICAS",
        WITHIN.as_secs(), if *.on_disk { "" } else { "not " }
    )]
    NotKept {
        /// Whether it is on the disk of the primary.
        on_disk: bool,
        /// How many replicas have it.
        replicas: u64,
        /// How many must.
        wanted: u32,
    },
}

/// The gate of one project. Cheap to clone; clones are one gate.
#[derive(Clone)]
pub struct Gate(Arc<Inner>);

struct Inner {
    connector: Connector,
    fence: String,
    durability: Durability,
    idle: Mutex<Vec<Line>>,
    seen: Mutex<Option<Seen>>,
    another: Notify,
}

/// What was seen of the server.
#[derive(Clone, Debug)]
struct Seen {
    at: Instant,
    volatile: Option<Finding>,
    run_id: Option<String>,
}

/// What can be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// The disk, and the disks of replicas.
    Disk,
    /// Replicas.
    Replicas,
    /// Nothing: an answer is all there is.
    Answer,
}

/// A connection, what can be waited for on it, and when it was last used.
struct Line {
    connection: MultiplexedConnection,
    wait: Wait,
    used: Instant,
}

/// A way through the gate: a connection for writes, and at the end [`Passage::kept`]. One that is dropped before
/// takes its connection with it.
pub struct Passage {
    gate: Gate,
    line: Line,
}

impl Gate {
    /// A gate before the server that `connector` leads to; `fence` is a key of its own.
    pub fn new(connector: Connector, fence: String, durability: Durability) -> Self {
        let (idle, seen, another) = (Mutex::default(), Mutex::default(), Notify::new());
        Self(Arc::new(Inner { connector, fence, durability, idle, seen, another }))
    }

    /// What is to be said about the server, good and bad.
    pub async fn look(&self) -> RedisResult<Vec<Finding>> {
        let (line, facts) = self.line().await?;
        self.keep(line);
        Ok(judge(&facts, self.0.durability.replicas))
    }

    /// Why the server forgets what it is told, unless it does not, or that is put up with. Looks if nobody did
    /// lately.
    pub async fn volatile(&self) -> RedisResult<Option<Finding>> {
        if let Some(seen) = self.seen() {
            let every = if seen.volatile.is_some() { LOOK_FOR_REPAIR_EVERY } else { LOOK_EVERY };
            if seen.at.elapsed() < every {
                return Ok(self.objection(seen));
            }
        }
        self.look().await?;
        Ok(self.seen().and_then(|seen| self.objection(seen)))
    }

    /// Whether replicas must have what is kept.
    pub fn needs_replicas(&self) -> bool {
        self.0.durability.replicas > 0
    }

    /// Waits until another server is there than before, or the same in another life.
    pub async fn another_server(&self) {
        self.0.another.notified().await;
    }

    /// A way to write something and know that it is kept.
    pub async fn enter(&self) -> RedisResult<Passage> {
        let idle = lock(&self.0.idle).pop();
        if let Some(mut line) = idle {
            let fresh = line.used.elapsed() < MAY_BE_DEAD;
            if fresh || redis::cmd("PING").exec_async(&mut line.connection).await.is_ok() {
                return Ok(Passage { gate: self.clone(), line });
            }
            lock(&self.0.idle).clear();
        }
        let (line, _) = self.line().await?;
        Ok(Passage { gate: self.clone(), line })
    }

    /// A new connection, and what its server is.
    async fn line(&self) -> RedisResult<(Line, ServerFacts)> {
        let mut connection = self.0.connector.connect_blocking_for(WITHIN).await?;
        let facts = ServerFacts::read(&mut connection).await?;
        self.saw(&facts);
        let wait = match (facts.waits, self.0.durability.replicas) {
            // Without a file there is nothing to wait for; the server would refuse.
            (Some(true), _) if facts.aof != Some(false) => Wait::Disk,
            (_, 0) => Wait::Answer,
            _ => Wait::Replicas,
        };
        // Connections from before the server was set up otherwise would wait for too little, or for what never comes.
        lock(&self.0.idle).retain(|other| other.wait == wait);
        Ok((Line { connection, wait, used: Instant::now() }, facts))
    }

    fn keep(&self, mut line: Line) {
        line.used = Instant::now();
        let mut idle = lock(&self.0.idle);
        if idle.len() < KEPT {
            idle.push(line);
        }
    }

    fn seen(&self) -> Option<Seen> {
        lock(&self.0.seen).clone()
    }

    fn objection(&self, seen: Seen) -> Option<Finding> {
        seen.volatile.filter(|_| !self.0.durability.allow_volatile)
    }

    /// Remembers what was seen, and tells of a change.
    fn saw(&self, facts: &ServerFacts) {
        let (volatile, run_id) = (volatile(facts), facts.run_id.clone());
        let now = Seen { at: Instant::now(), volatile, run_id };
        let before = lock(&self.0.seen).replace(now.clone());
        if before.as_ref().is_some_and(|before| before.run_id != now.run_id) {
            self.0.another.notify_one();
        }
        let forgot = before.is_some_and(|before| before.volatile.is_some());
        match (forgot, self.objection(now)) {
            (false, Some(finding)) => {
                tracing::error!(what = finding.what, "calls are stopped: {}", finding.text);
            }
            (true, None) => tracing::info!("Redis keeps what it is told again"),
            _ => {}
        }
    }
}

impl Passage {
    /// The connection; use it for nothing that takes long.
    pub fn connection(&mut self) -> &mut MultiplexedConnection {
        &mut self.line.connection
    }

    /// Why the server behind it forgets, as [`Gate::volatile`].
    pub fn volatile(&self) -> Option<Finding> {
        self.gate.seen().and_then(|seen| self.gate.objection(seen))
    }

    /// Waits until everything that was written over this connection, or answered to it, is kept.
    pub async fn kept(mut self) -> Result<(), GateError> {
        let kept = self.line.kept(&self.gate).await;
        if !matches!(kept, Err(GateError::Redis(_))) {
            self.leave();
        }
        kept
    }

    fn leave(self) {
        self.gate.keep(self.line);
    }
}

impl Line {
    /// Waits until everything that was written over this connection, or answered to it, is kept.
    async fn kept(&mut self, gate: &Gate) -> Result<(), GateError> {
        let wanted = gate.0.durability.replicas;
        let mut command = match self.wait {
            Wait::Answer => return Ok(()),
            Wait::Disk => redis::cmd("WAITAOF").arg(1).take(),
            Wait::Replicas => redis::cmd("WAIT"),
        };
        command.arg(wanted).arg(WITHIN.as_millis());
        let mut pipe = redis::pipe();
        pipe.cmd("SET").arg(&gate.0.fence).arg(1).ignore().add_command(command);
        let (on_disk, replicas) = if self.wait == Wait::Disk {
            let ((disk, replicas),): ((u64, u64),) = pipe.query_async(&mut self.connection).await?;
            (disk > 0, replicas)
        } else {
            // The answer to the write came after it was on the disk, as far as that can be had.
            let (replicas,): (u64,) = pipe.query_async(&mut self.connection).await?;
            (true, replicas)
        };
        if on_disk && replicas >= u64::from(wanted) {
            return Ok(());
        }
        Err(GateError::NotKept { on_disk, replicas, wanted })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate").field("durability", &self.0.durability).finish_non_exhaustive()
    }
}
