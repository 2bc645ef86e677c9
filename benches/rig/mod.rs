//! What the benches share: the world of the stories (Redis, emulator, workers), a peer, and the report.
//!
//! Everything is measured side by side with a named peer or limit in the same run; nothing here judges a time by
//! itself. Wrong results are errors, slow ones are only said.

#![allow(dead_code, reason = "each bench uses a part")]

pub(crate) mod peer;
pub(crate) mod report;
#[path = "../../tests/it/world/mod.rs"]
#[allow(
    unused_imports,
    clippy::expect_used,
    clippy::format_push_string,
    clippy::unwrap_used,
    reason = "made for tests, which use more of it"
)]
pub(crate) mod world;

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use redis::aio::MultiplexedConnection;
use serde_json::json;

use world::World;

/// The stream that producers write to.
pub(crate) const REQUESTS: &str = "gdpr:{default}:requests";
/// Longest wait for an end that must come.
const DEADLINE: Duration = Duration::from_secs(600);

/// What the command line asked for.
pub(crate) struct Options {
    /// A JSON line after the table.
    pub(crate) json: bool,
    /// A shorter run.
    pub(crate) quick: bool,
    /// Not started by `cargo bench`: a small run that shows that the bench works.
    pub(crate) smoke: bool,
}

impl Options {
    pub(crate) fn read() -> Self {
        let has = |flag: &str| std::env::args().any(|arg| arg == flag);
        Self { json: has("--json"), quick: has("--quick"), smoke: !has("--bench") }
    }

    /// The number of documents, requests or rounds to use.
    pub(crate) fn scale(&self, full: usize, quick: usize, smoke: usize) -> usize {
        match self {
            Self { smoke: true, .. } => smoke,
            Self { quick: true, .. } => quick,
            _ => full,
        }
    }
}

/// How often Redis makes its append-only file durable.
#[derive(Clone, Copy)]
pub(crate) enum Fsync {
    Everysec,
    Always,
}

impl Fsync {
    pub(crate) const BOTH: [Self; 2] = [Self::Everysec, Self::Always];

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Everysec => "everysec",
            Self::Always => "always",
        }
    }

    /// Before a worker starts: it works on a Redis that may forget a second only if it is told to, and logs what it logs in
    /// production. Also keeps Redis from rewriting its file in the middle of a round, which would hit some rounds and not
    /// others.
    pub(crate) async fn set(self, world: &mut World) {
        world.set("GDPR_ALLOW_VOLATILE", "true");
        world.set("GDPR_LOG", "info");
        let fsync =
            ["CONFIG", "SET", "appendfsync", self.word(), "auto-aof-rewrite-percentage", "0"];
        world.ask::<()>(&fsync).await;
    }
}

/// Empties Redis, and its append-only file with it.
pub(crate) async fn clear(world: &World) -> anyhow::Result<()> {
    world.ask::<()>(&["FLUSHALL"]).await;
    world.ask::<String>(&["BGREWRITEAOF"]).await;
    until("a small append-only file", async || {
        let info = info(world, "persistence").await;
        let is = |field: &str| info.get(field).is_some_and(|value| value == "0");
        (is("aof_rewrite_in_progress") && is("aof_rewrite_scheduled")).then_some(())
    })
    .await
}

/// A connection for the bench itself.
pub(crate) async fn connect(world: &World) -> anyhow::Result<MultiplexedConnection> {
    Ok(redis::Client::open(world.redis.url())?.get_multiplexed_async_connection().await?)
}

/// Puts `count` deletions of one user each on `stream`, in pipelines of 500.
pub(crate) async fn load(world: &World, stream: &str, count: usize) -> anyhow::Result<()> {
    let mut connection = connect(world).await?;
    for first in (0..count).step_by(500) {
        let mut pipe = redis::pipe();
        for n in first..(first + 500).min(count) {
            let document = json!({ "kind": "deletion", "distinct_ids": [user(n)] }).to_string();
            pipe.cmd("XADD").arg(stream).arg("*").arg("request").arg(document).ignore();
        }
        pipe.query_async::<()>(&mut connection).await?;
    }
    Ok(())
}

/// The n-th person.
pub(crate) fn user(n: usize) -> String {
    format!("user-{n:06}@example.test")
}

/// Looks again and again, without hurry, until there is an answer.
pub(crate) async fn until<T>(
    what: &str,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> anyhow::Result<T> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look().await {
            return Ok(found);
        }
        ensure!(Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A section of `INFO`.
pub(crate) async fn info(world: &World, section: &str) -> HashMap<String, String> {
    let text: String = world.ask(&["INFO", section]).await;
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    lines.map(|(field, value)| (field.to_owned(), value.to_owned())).collect()
}

/// Bytes that Redis uses.
pub(crate) async fn used_bytes(world: &World) -> anyhow::Result<f64> {
    let info = info(world, "memory").await;
    Ok(info.get("used_memory").context("INFO memory has no used_memory")?.parse()?)
}

/// Seconds that the thread of Redis that runs commands has worked.
pub(crate) async fn redis_seconds(world: &World) -> anyhow::Result<f64> {
    let info = info(world, "cpu").await;
    let of = |field: &str| -> anyhow::Result<f64> {
        Ok(info.get(field).context("INFO cpu has no times of the main thread")?.parse()?)
    };
    Ok(of("used_cpu_user_main_thread")? + of("used_cpu_sys_main_thread")?)
}

/// Seconds that a process has worked, on all its threads.
pub(crate) fn cpu_seconds(pid: u32) -> anyhow::Result<f64> {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // After the name, which may hold anything: state, and from the twelfth field on the times.
    let fields = stat.rsplit_once(") ").context("no times in /proc")?.1.split(' ').skip(11).take(2);
    let ticks = fields.map(|field| Ok(field.parse::<f64>()?)).sum::<anyhow::Result<f64>>()?;
    Ok(ticks / TICKS_PER_SECOND)
}

/// The most memory that a process has had, in bytes.
pub(crate) fn peak_rss(pid: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: u64 = line.context("no VmHWM")?.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1024)
}

/// The value in the middle.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}
