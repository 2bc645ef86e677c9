//! How long 100,000 deletions take until Mixpanel has them all, next to the time that the allowed pace needs for
//! as few calls as possible; and what memory two workers need for it.
//!
//! The emulator refuses a call that comes too early. `--quick` uses a faster pace.

#![allow(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]

mod rig;

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use mixpanel_emulator::Settings;

use rig::{
    Fsync, Options, REQUESTS,
    report::{Goal, Report},
    until,
    world::{Emulator, World},
};

/// Identifiers in a full deletion batch.
const FULL: usize = 1999;
const MIB: f64 = 1024.0 * 1024.0;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::read();
    let count = options.scale(100_000, 100_000, 5_000);
    let (interval, min_gap_ms) = match options {
        Options { quick: false, smoke: false, .. } => (Duration::from_millis(1100), 1000),
        // The same room of 100 ms between the two: less, and a busy machine alone makes calls early.
        _ => (Duration::from_millis(300), 200),
    };
    let mut world = World::with(Settings { min_gap_ms, ..Settings::default() }).await;
    Fsync::Everysec.set(&mut world).await;
    world.set("GDPR_REQUEST_INTERVAL", format!("{}ms", interval.as_millis()));
    for variable in ["GDPR_LINGER", "GDPR_POLL_MIN", "GDPR_POLL_MAX"] {
        world.unset(variable);
    }
    let workers = [world.worker().await, world.worker().await];

    let started = Instant::now();
    rig::load(&world, REQUESTS, count).await?;
    let load = started.elapsed();
    until_submitted(&world, count).await?;
    let time = started.elapsed();

    let mut report = Report::new("pace");
    report.add("deletions", count as f64, "");
    report.add("enqueued after", load.as_secs_f64(), "s");
    let calls = check(&world.emulator, count).await?;
    report.add("calls that made a task", calls as f64, "");
    let early = world.emulator.stats().await["too_early"].as_f64().context("stats")?;
    report.add_with_goal("calls too early for the emulator", early, "", Goal::AtMost(0.0));
    let limit = interval.as_secs_f64() * count.div_ceil(FULL) as f64;
    report.add("limit: the pace for full batches", limit, "s");
    report.add("until all are submitted", time.as_secs_f64(), "s");
    report.add_with_goal("time / limit", time.as_secs_f64() / limit, "", Goal::AtMost(1.05));
    for (worker, name) in workers.iter().zip(["first", "second"]) {
        let peak = rig::peak_rss(worker.pid())? as f64 / MIB;
        report.add_with_goal(
            format!("peak memory of the {name} worker"),
            peak,
            "MiB",
            Goal::AtMost(64.0),
        );
    }
    for worker in workers {
        worker.stop().await;
    }
    report.print(options.json);
    Ok(())
}

async fn until_submitted(world: &World, count: usize) -> anyhow::Result<()> {
    let count = i64::try_from(count)?;
    until("the submission of all", async || {
        let stats = world.stats().await;
        let of = |status: &str| stats.get(&format!("deletion.{status}")).copied().unwrap_or(0);
        (of("submitted") + of("completed") == count).then_some(())
    })
    .await
}

/// Nobody is missing, nobody was sent twice. Returns the number of calls.
async fn check(emulator: &Emulator, count: usize) -> anyhow::Result<usize> {
    let calls = emulator.created("create-deletion").await;
    let ids: Vec<&str> = calls
        .iter()
        .flat_map(|call| call["ids"].as_array().into_iter().flatten())
        .filter_map(|id| id.as_str())
        .collect();
    let people: HashSet<&str> = ids.iter().copied().collect();
    ensure!(ids.len() == people.len(), "{} ids were sent twice", ids.len() - people.len());
    ensure!(people.len() == count, "{} of {count} people were sent", people.len());
    let expected = (0..count).all(|n| people.contains(rig::user(n).as_str()));
    ensure!(expected, "somebody was sent whom nobody named");
    Ok(calls.len())
}
