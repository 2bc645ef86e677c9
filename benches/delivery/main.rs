//! How fast events are filtered and delivered, next to a bare loop and to Mixpanel's own Python library, and how much
//! memory a million of them in the queue cost.
//!
//! The bare loop reads 2,000 entries, posts them to `/import` as one gzipped array, acknowledges and deletes them:
//! the same batches, unfiltered, nobody asked. Rounds of both take turns on one Redis and one emulator, after one round
//! of each that does not count. Nobody's start counts: the worker's time is from the moment when the stream is there, all
//! at once, to the last event.

#![allow(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]

mod bare;
mod python;
#[path = "../rig/mod.rs"]
mod rig;

use std::time::Instant;

use anyhow::ensure;
use mixpanel_emulator::{Settings, forms::Toggle};
use serde_json::{Value, json};

use rig::{
    Fsync, Options, median,
    report::{Goal, Report},
    until,
    world::World,
};

/// The stream that producers write to.
const EVENTS: &str = "gdpr:{default}:events";
/// Where events are put until a round begins.
const STAGED: &str = "staged:{default}:events";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::read();
    let count = options.scale(200_000, 50_000, 2_000);
    let mut report = Report::new("delivery");
    report.add("events", count as f64, "");
    rates(&options, count, &mut report).await?;
    memory(options.scale(1_000_000, 100_000, 5_000), &mut report).await?;
    report.print(options.json);
    Ok(())
}

/// An emulator that reads, checks and counts what it gets and keeps none of it.
async fn world() -> World {
    let keep_nothing = Settings { keep_records: 0, store_events: Toggle::Off, ..World::quick() };
    let mut world = World::with(keep_nothing).await;
    Fsync::Everysec.set(&mut world).await;
    world
}

async fn rates(options: &Options, count: usize, report: &mut Report) -> anyhow::Result<()> {
    let mut world = world().await;
    world.set("GDPR_PROPERTY_BLACKLIST", "referrer,secret");
    world.set("GDPR_GEOLOCATION", "off");
    let (mut bare, mut ours, mut python) = (Vec::new(), Vec::new(), Vec::new());
    let mut work: [Vec<f64>; 3] = Default::default();
    let library = python::Library::install();
    for round in 0..=options.scale(3, 1, 1) {
        let rounds = (bare_round(&world, count).await?, our_round(&world, count).await?);
        let few = count / 20;
        let library = match &library {
            Ok(library) => Some(few as f64 / library.send(&world.emulator.url(), few).await?),
            Err(_) => None,
        };
        if round > 0 {
            bare.push(count as f64 / rounds.0);
            ours.push(count as f64 / rounds.1.seconds);
            for (of, seconds) in work.iter_mut().zip(rounds.1.work) {
                of.push(seconds * 1e6 / count as f64);
            }
            python.extend(library);
        }
    }
    let ratio = |peer: &[f64]| {
        median(&ours.iter().zip(peer).map(|(ours, peer)| ours / peer).collect::<Vec<_>>())
    };
    report.add("bare loop", median(&bare), "/s");
    report.add("worker", median(&ours), "/s");
    for (whose, of) in ["worker", "Redis' main thread", "emulator"].into_iter().zip(&work) {
        report.add(format!("processor time an event, {whose}"), median(of), "us");
    }
    report.add_with_goal("worker / bare loop", ratio(&bare), "", Goal::AtLeast(0.5));
    let name = "worker / Python library, buffered";
    match library {
        Ok(_) => report.add_with_goal(name, ratio(&python), "", Goal::AtLeast(10.0)),
        Err(reason) => report.skip(name, reason.to_string()),
    }
    Ok(())
}

async fn bare_round(world: &World, count: usize) -> anyhow::Result<f64> {
    rig::clear(world).await?;
    load(world, bare::STREAM, count).await?;
    let before = stored(world).await;
    let started = Instant::now();
    let sent = bare::drain(&world.redis.url(), &world.emulator.url()).await?;
    let took = started.elapsed().as_secs_f64();
    ensure!(sent == count && stored(world).await - before == count, "the bare loop lost events");
    Ok(took)
}

/// What a round of the worker took.
struct Round {
    seconds: f64,
    /// Seconds of processor time of the worker, of Redis and of the emulator (with the bench itself).
    work: [f64; 3],
}

async fn our_round(world: &World, count: usize) -> anyhow::Result<Round> {
    rig::clear(world).await?;
    load(world, STAGED, count).await?;
    let before = stored(world).await;
    let worker = world.worker().await;
    let (redis, bench) = (rig::redis_seconds(world).await?, rig::cpu_seconds(std::process::id())?);
    let start = rig::cpu_seconds(worker.pid())?;
    let started = Instant::now();
    world.ask::<()>(&["RENAME", STAGED, EVENTS]).await;
    until_delivered(world).await?;
    let seconds = started.elapsed().as_secs_f64();
    let work = [
        rig::cpu_seconds(worker.pid())? - start,
        rig::redis_seconds(world).await? - redis,
        rig::cpu_seconds(std::process::id())? - bench,
    ];
    worker.stop().await;
    ensure!(stored(world).await - before == count, "the worker lost or doubled events");
    Ok(Round { seconds, work })
}

async fn until_delivered(world: &World) -> anyhow::Result<()> {
    until("an empty stream", async || {
        (world.ask::<usize>(&["XLEN", EVENTS]).await == 0).then_some(())
    })
    .await
}

async fn stored(world: &World) -> usize {
    let stats = world.emulator.stats().await;
    stats["ingested"]["stored"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(0)
}

/// The most memory that a worker has had while it works off a queue of so many events.
async fn memory(count: usize, report: &mut Report) -> anyhow::Result<()> {
    let world = world().await;
    load(&world, EVENTS, count).await?;
    let worker = world.worker().await;
    until_delivered(&world).await?;
    let peak = rig::peak_rss(worker.pid())? as f64 / f64::from(1 << 20);
    worker.stop().await;
    report.add_with_goal(
        format!("peak memory with {count} events in the queue"),
        peak,
        "MiB",
        Goal::AtMost(64.0),
    );
    Ok(())
}

/// An event as the SDKs send them.
fn event(n: usize) -> Value {
    json!({ "event": "Page Viewed", "properties": {
        "distinct_id": rig::user(n % 5000), "time": 1_790_000_000 + n, "$insert_id": format!("bench-{n}"),
        "page": format!("/products/{}", n % 97), "plan": "pro", "price": (n % 500) as f64 / 10.0, "items": n % 7,
        "$browser": "Firefox", "$os": "Linux", "locale": "de-DE", "experiment": "b", "referrer": "newsletter",
        "returning": n.is_multiple_of(3),
    } })
}

async fn load(world: &World, stream: &str, count: usize) -> anyhow::Result<()> {
    let mut connection = rig::connect(world).await?;
    for first in (0..count).step_by(500) {
        let mut pipe = redis::pipe();
        for n in first..(first + 500).min(count) {
            pipe.cmd("XADD").arg(stream).arg("*").arg("event").arg(event(n).to_string()).ignore();
        }
        pipe.query_async::<()>(&mut connection).await?;
    }
    Ok(())
}
