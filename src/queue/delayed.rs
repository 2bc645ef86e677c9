//! Jobs for later: a sorted set that a mover empties into the stream when their time has come.
//!
//! Contract, also for scripts that write to the set themselves: a member is the payload of a job,
//! its score the due time in Unix milliseconds; the mover appends it to the stream as the field
//! `job`. Equal payloads are one member, so they are due once.

use std::{sync::Arc, time::Duration};

use redis::{RedisResult, Script, aio::ConnectionLike};
use tokio::sync::Notify;

use super::{connect::Connector, group::problem, patience::Patience};

/// The field under which the mover hands a member on.
pub const JOB_FIELD: &str = "job";

/// How many members one call of the mover's script moves at most; stands in the script too.
const BATCH: u64 = 500;

/// What happens to a member that is already scheduled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScheduleMode {
    /// The new time counts.
    Replace,
    /// The old time counts.
    IfAbsent,
    /// The earlier of the two counts.
    Earlier,
}

/// A sorted set of delayed jobs and the stream that they go to. In Redis Cluster the two keys
/// must share a hash tag.
#[derive(Clone, Debug)]
pub struct Delayed {
    due: String,
    stream: String,
}

/// What one call of the mover did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// How many members went to the stream.
    pub count: u64,
    /// Time until the next member is due; `None` if there is none.
    pub next: Option<Duration>,
}

impl Delayed {
    /// The set at key `due`, emptied into the stream at key `stream`.
    pub fn new(due: impl Into<String>, stream: impl Into<String>) -> Self {
        Self { due: due.into(), stream: stream.into() }
    }

    /// Schedules `member` for `unix_ms`, milliseconds since 1970. Says whether that changed
    /// anything. Poke the mover if it may be due within its tick.
    pub async fn schedule_at(
        &self,
        connection: &mut impl ConnectionLike,
        member: &str,
        unix_ms: u64,
        mode: ScheduleMode,
    ) -> RedisResult<bool> {
        let mut add = redis::cmd("ZADD");
        add.arg(&self.due);
        match mode {
            ScheduleMode::Replace => &mut add,
            ScheduleMode::IfAbsent => add.arg("NX"),
            // LT adds absent members too.
            ScheduleMode::Earlier => add.arg("LT"),
        };
        add.arg("CH").arg(unix_ms).arg(member).query_async(connection).await
    }

    /// Takes `member` off the schedule. Says whether it was on it.
    pub async fn cancel(
        &self,
        connection: &mut impl ConnectionLike,
        member: &str,
    ) -> RedisResult<bool> {
        redis::cmd("ZREM").arg(&self.due).arg(member).query_async(connection).await
    }

    /// Moves up to 500 due members to the stream.
    pub async fn move_due(&self, connection: &mut impl ConnectionLike) -> RedisResult<Moved> {
        let script = Script::new(include_str!("move_due.lua"));
        let mut call = script.key(&self.due);
        let (count, next): (u64, i64) = call.key(&self.stream).invoke_async(connection).await?;
        Ok(Moved { count, next: u64::try_from(next).ok().map(Duration::from_millis) })
    }
}

/// Wakes a [`Mover`] before its tick.
#[derive(Clone, Debug, Default)]
pub struct Poke(Arc<Notify>);

impl Poke {
    /// Has the mover look at once.
    pub fn poke(&self) {
        self.0.notify_one();
    }
}

/// Moves due members until it is told to stop. Several movers over one set do not disturb each
/// other.
#[derive(Debug)]
pub struct Mover {
    connector: Connector,
    delayed: Delayed,
    tick: Duration,
    poke: Poke,
}

impl Mover {
    /// How late a member may be that somebody else scheduled without a poke.
    pub const TICK: Duration = Duration::from_millis(500);

    /// A mover that sleeps until the next member is due, at most [`Mover::TICK`].
    pub fn new(connector: Connector, delayed: Delayed) -> Self {
        Self { connector, delayed, tick: Self::TICK, poke: Poke::default() }
    }

    /// Sets the longest sleep.
    #[must_use]
    pub fn with_tick(mut self, tick: Duration) -> Self {
        self.tick = tick;
        self
    }

    /// A handle that wakes this mover.
    pub fn poke(&self) -> Poke {
        self.poke.clone()
    }

    /// Moves until `stop` resolves. Waits out every failure of Redis.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        tokio::select! {
            () = stop => {}
            () = self.move_for_ever() => {}
        }
    }

    async fn move_for_ever(&self) {
        let mut patience = Patience::new();
        loop {
            if let Err(error) = self.session(&mut patience).await {
                let (set, problem) = (&self.delayed.due, problem(&error));
                tracing::warn!(%set, problem, "moving due jobs failed, trying again");
            }
            tokio::time::sleep(patience.pause()).await;
        }
    }

    async fn session(&self, patience: &mut Patience) -> RedisResult<()> {
        let mut connection = self.connector.connect().await?;
        loop {
            let moved = self.delayed.move_due(&mut connection).await?;
            patience.reset();
            if moved.count < BATCH {
                let pause = moved.next.map_or(self.tick, |next| next.min(self.tick));
                // A timeout is as good as a poke.
                let _ = tokio::time::timeout(pause, self.poke.0.notified()).await;
            }
        }
    }
}
