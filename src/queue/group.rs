//! The Redis commands of one consumer group, typed. Nothing here decides anything.
//!
//! Contract with everything else that looks at the group: entries whose consumer is [`RELEASED`]
//! belong to nobody and may be taken as soon as their idle time has reached the lease.

use std::time::Duration;

use redis::{
    Cmd, FromRedisValue, Pipeline, RedisError, RedisResult, Script, Value,
    aio::MultiplexedConnection as Connection,
};

use super::{
    delivery::Held,
    entry::{EntryId, Fields, RawEntry},
    reply,
};

/// The consumer that owns entries which were handed back or wait for their next delivery.
pub(super) const RELEASED: &str = "(released)";

/// The most ids in one command, so that no call keeps the server busy for long.
pub(super) const IDS_PER_COMMAND: usize = 1000;

/// The most fields that a dead entry keeps: a script can pass on fewer than 8,000 arguments.
const DEAD_FIELDS: usize = 1000;

/// A consumer of a consumer group, and where its dead letters go.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) stream: String,
    pub(super) name: String,
    pub(super) dead: String,
    pub(super) consumer: String,
    pub(super) lease: Duration,
}

/// An entry that was delivered and not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pending {
    pub(super) id: EntryId,
    pub(super) consumer: String,
    pub(super) deliveries: u64,
}

/// What came of claiming an entry.
#[derive(Debug)]
pub(super) enum Claim {
    /// It is ours now.
    Taken(RawEntry),
    /// Somebody deleted it from the stream while it was pending.
    Lost(EntryId),
    /// Somebody else was faster, or its owner renewed or ended it.
    Missed,
}

impl Group {
    /// Creates stream and group unless they exist. Entries written before are delivered too.
    pub(super) async fn ensure(&self, connection: &mut Connection) -> RedisResult<()> {
        let mut create = redis::cmd("XGROUP");
        create.arg("CREATE").arg(&self.stream).arg(&self.name).arg("0").arg("MKSTREAM");
        match create.query_async(connection).await {
            Err(error) if has_code(&error, "BUSYGROUP") => Ok(()),
            answer => answer,
        }
    }

    /// Waits up to `block` for new entries; at most `count`.
    pub(super) async fn read(
        &self,
        connection: &mut Connection,
        count: usize,
        block: Duration,
    ) -> RedisResult<Vec<RawEntry>> {
        let mut read = redis::cmd("XREADGROUP");
        read.arg("GROUP").arg(&self.name).arg(&self.consumer);
        // BLOCK 0 would mean for ever.
        read.arg("COUNT").arg(count).arg("BLOCK").arg(millis(block).max(1));
        read.arg("STREAMS").arg(&self.stream).arg(">");
        let answer: Value = read.query_async(connection).await?;
        Ok(reply::read_entries(answer)?)
    }

    /// Entries that nobody has touched for the lease, after `after`, oldest first.
    pub(super) async fn idle(
        &self,
        connection: &mut Connection,
        after: Option<EntryId>,
    ) -> RedisResult<Vec<Pending>> {
        let mut idle = redis::cmd("XPENDING");
        idle.arg(&self.stream).arg(&self.name).arg("IDLE").arg(millis(self.lease));
        idle.arg(start(after)).arg("+").arg(IDS_PER_COMMAND);
        pending(&idle.query_async(connection).await?)
    }

    /// Entries that Redis holds for this consumer, after `after`.
    pub(super) async fn own(
        &self,
        connection: &mut Connection,
        after: Option<EntryId>,
    ) -> RedisResult<Vec<Pending>> {
        let mut own = redis::cmd("XPENDING");
        own.arg(&self.stream).arg(&self.name).arg(start(after)).arg("+");
        own.arg(IDS_PER_COMMAND).arg(&self.consumer);
        pending(&own.query_async(connection).await?)
    }

    /// Claims entries that are still idle for the lease, in one transaction. An entry that was
    /// pending before the claim and is not afterwards had been deleted from the stream.
    pub(super) async fn claim(
        &self,
        connection: &mut Connection,
        ids: &[EntryId],
    ) -> RedisResult<Vec<Claim>> {
        let mut pipe = redis::pipe();
        pipe.atomic();
        for id in ids {
            pipe.add_command(self.row(*id));
            let mut claim = redis::cmd("XCLAIM");
            claim.arg(&self.stream).arg(&self.name).arg(&self.consumer);
            pipe.add_command(claim.arg(millis(self.lease)).arg(id).take());
            pipe.add_command(self.row(*id));
        }
        let answers: Vec<Value> = pipe.query_async(connection).await?;
        let (answers, _) = answers.as_chunks::<3>();
        ids.iter().zip(answers).map(|(id, answer)| claimed(*id, answer)).collect()
    }

    fn row(&self, id: EntryId) -> Cmd {
        redis::cmd("XPENDING").arg(&self.stream).arg(&self.name).arg(id).arg(id).arg(1).take()
    }

    /// Resets the idle time of our entries without counting a delivery.
    pub(super) async fn renew(
        &self,
        connection: &mut Connection,
        ids: &[EntryId],
    ) -> RedisResult<()> {
        let mut renew = redis::cmd("XCLAIM");
        renew.arg(&self.stream).arg(&self.name).arg(&self.consumer);
        renew.arg(0).arg(ids).arg("JUSTID");
        renew.exec_async(connection).await
    }

    /// Acknowledges and deletes.
    pub(super) async fn finish(
        &self,
        connection: &mut Connection,
        ids: &[EntryId],
    ) -> RedisResult<()> {
        let mut pipe = redis::pipe();
        pipe.atomic();
        pipe.cmd("XACK").arg(&self.stream).arg(&self.name).arg(ids).ignore();
        pipe.cmd("XDEL").arg(&self.stream).arg(ids).ignore();
        pipe.exec_async(connection).await
    }

    /// Gives entries up: each may be taken after its pause. `uncounted` takes the delivery that
    /// just ended off the count.
    pub(super) async fn release(
        &self,
        connection: &mut Connection,
        releases: &[Release],
    ) -> RedisResult<()> {
        let mut pipe = Pipeline::with_capacity(releases.len());
        for release in releases {
            let idle = self.lease.saturating_sub(release.pause);
            let claim = pipe.cmd("XCLAIM").arg(&self.stream).arg(&self.name).arg(RELEASED);
            claim.arg(0).arg(release.id).arg("IDLE").arg(millis(idle));
            claim.arg("RETRYCOUNT").arg(release.deliveries).arg("JUSTID").ignore();
        }
        pipe.exec_async(connection).await
    }

    /// Moves an entry to the dead stream unless somebody did so before: its fields, then `entry`
    /// (its id) and `reason`.
    pub(super) async fn bury(
        &self,
        connection: &mut Connection,
        id: EntryId,
        fields: &Fields,
        reason: &str,
    ) -> RedisResult<()> {
        let script = Script::new(include_str!("bury.lua"));
        let mut bury = script.key(&self.stream);
        bury.key(&self.dead).arg(&self.name).arg(id);
        if fields.iter().count() > DEAD_FIELDS {
            bury.arg(format!("{reason} (only the first {DEAD_FIELDS} fields are kept)"));
        } else {
            bury.arg(reason);
        }
        for (name, value) in fields.iter().take(DEAD_FIELDS) {
            bury.arg(name).arg(value);
        }
        bury.invoke_async(connection).await
    }

    /// Removes consumers without pending entries that have been silent for `silent`; says how
    /// many. `only` limits it to one consumer.
    pub(super) async fn forget_consumers(
        &self,
        connection: &mut Connection,
        only: Option<&str>,
        silent: Duration,
    ) -> RedisResult<usize> {
        let script = Script::new(include_str!("forget_consumers.lua"));
        let mut forget = script.key(&self.stream);
        forget.arg(&self.name).arg(millis(silent)).arg(only.unwrap_or_default());
        forget.invoke_async(connection).await
    }
}

/// An entry that is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Release {
    pub(super) id: EntryId,
    /// The delivery count that Redis shall remember.
    pub(super) deliveries: u64,
    /// How long nobody may take it; at most the lease.
    pub(super) pause: Duration,
}

impl Release {
    /// Hands an entry back as if it had never been delivered.
    pub(super) fn unstarted(held: Held) -> Self {
        let deliveries = held.deliveries.saturating_sub(1);
        Self { id: held.id, deliveries, pause: Duration::ZERO }
    }
}

/// Whether the server answered with `code`, to a command or inside a pipeline.
pub(super) fn has_code(error: &RedisError, code: &str) -> bool {
    let inside = || error.clone().into_server_errors();
    error.code() == Some(code)
        || inside().is_some_and(|errors| errors.iter().any(|(_, error)| error.code() == code))
}

/// A name for an error that holds no content: redis-rs quotes values in some texts.
pub(super) fn problem(error: &RedisError) -> String {
    error.code().unwrap_or_else(|| error.category()).to_owned()
}

fn start(after: Option<EntryId>) -> String {
    after.map_or_else(|| "-".to_owned(), |id| format!("({id}"))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn pending(answer: &Value) -> RedisResult<Vec<Pending>> {
    let rows = Vec::<(String, String, u64, u64)>::from_redis_value_ref(answer)?;
    let parsed = rows.into_iter().filter_map(|(id, consumer, _, deliveries)| {
        Some(Pending { id: id.parse().ok()?, consumer, deliveries })
    });
    Ok(parsed.collect())
}

fn claimed(id: EntryId, [before, claim, after]: &[Value; 3]) -> RedisResult<Claim> {
    let Some(before) = pending(before)?.pop() else { return Ok(Claim::Missed) };
    if let Some(mut entry) = reply::entries(claim.clone())?.pop() {
        entry.deliveries = before.deliveries + 1;
        return Ok(Claim::Taken(entry));
    }
    Ok(if pending(after)?.is_empty() { Claim::Lost(id) } else { Claim::Missed })
}
