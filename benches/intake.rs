//! How fast documents become requests, next to a bare consumer of the same stream, and what a request weighs in
//! Redis.
//!
//! The bare loop reads 500 entries, acknowledges and deletes them, in one round trip each, and does nothing
//! else. Rounds of both take turns on one Redis, after one round of each that does not count.

#![allow(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]

mod rig;

use std::time::Instant;

use anyhow::ensure;

use rig::{
    Fsync, Options, REQUESTS, median,
    peer::{self, Peer},
    report::{Goal, Report},
    until,
    world::World,
};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::read();
    let count = options.scale(100_000, 20_000, 1_000);
    let mut report = Report::new("intake");
    report.add("documents", count as f64, "");
    for fsync in Fsync::BOTH {
        rates(&options, count, fsync, &mut report).await?;
    }
    memory(count, &mut report).await?;
    report.print(options.json);
    Ok(())
}

/// Seconds of one round: of the producer, of the consumer, and of Redis for the consumer.
struct Round {
    load: f64,
    drain: f64,
    redis: f64,
}

async fn rates(
    options: &Options,
    count: usize,
    fsync: Fsync,
    report: &mut Report,
) -> anyhow::Result<()> {
    let mut world = World::new().await;
    world.set("GDPR_LINGER", "1h");
    fsync.set(&mut world).await;
    let (mut bare, mut ours) = (Vec::new(), Vec::new());
    for round in 0..=options.scale(3, 3, 1) {
        let rounds = (bare_round(&world, count).await?, our_round(&world, count).await?);
        if round > 0 {
            bare.push(rounds.0);
            ours.push(rounds.1);
        }
    }
    let middle = |rounds: &[Round], of: fn(&Round) -> f64| {
        median(&rounds.iter().map(of).collect::<Vec<_>>())
    };
    let (bare_drain, our_drain) = (middle(&bare, |r| r.drain), middle(&ours, |r| r.drain));
    let whole = |r: &Round| r.load + r.drain;
    let name = |what: &str| format!("{}: {what}", fsync.word());
    let rate = |seconds: f64| count as f64 / seconds;
    report.add(name("bare loop"), rate(bare_drain), "/s");
    report.add(name("worker"), rate(our_drain), "/s");
    report.add(name("Redis busy with the worker"), middle(&ours, |r| r.redis / r.drain), "");
    report.add(name("worker / bare loop, XREADGROUP alone"), bare_drain / our_drain, "");
    report.add_with_goal(
        name("worker / bare loop, XADD and XREADGROUP"),
        middle(&bare, whole) / middle(&ours, whole),
        "",
        Goal::AtLeast(0.3),
    );
    Ok(())
}

async fn bare_round(world: &World, count: usize) -> anyhow::Result<Round> {
    rig::clear(world).await?;
    let loading = Instant::now();
    rig::load(world, peer::STREAM, count).await?;
    let load = loading.elapsed().as_secs_f64();
    let (started, before) = (Instant::now(), rig::redis_seconds(world).await?);
    let drained = Peer::new(&world.redis.url()).await?.drain().await?;
    let drain = started.elapsed().as_secs_f64();
    let redis = rig::redis_seconds(world).await? - before;
    ensure!(drained == count, "the bare loop saw {drained} of {count} documents");
    Ok(Round { load, drain, redis })
}

/// From the start of the worker's process to the last document.
async fn our_round(world: &World, count: usize) -> anyhow::Result<Round> {
    rig::clear(world).await?;
    submit_nothing(world).await;
    let loading = Instant::now();
    rig::load(world, REQUESTS, count).await?;
    let load = loading.elapsed().as_secs_f64();
    let (started, before) = (Instant::now(), rig::redis_seconds(world).await?);
    let worker = world.worker().await;
    until_taken_in(world, count).await?;
    let drain = started.elapsed().as_secs_f64();
    let redis = rig::redis_seconds(world).await? - before;
    worker.stop().await;
    let waiting: usize = world.ask(&["ZCARD", "gdpr:{default}:open:deletion/GDPR/Data"]).await;
    let stats = world.stats().await;
    ensure!(waiting == count, "{waiting} requests wait for a batch, expected {count}");
    ensure!(
        stats.get("deletion.queued").copied() == i64::try_from(count).ok(),
        "not every document became one queued request: {stats:?}"
    );
    Ok(Round { load, drain, redis })
}

/// As after a 429 that asks for an hour: requests come in and wait.
async fn submit_nothing(world: &World) {
    let holdback = "gdpr:{default}:holdback";
    world.ask::<()>(&["HSET", holdback, "deletion", "9000000000000"]).await;
}

/// The hour is over: the job that waited for it is gone, and the next worker asks for a new one.
async fn submit_again(world: &World) {
    world.ask::<()>(&["DEL", "gdpr:{default}:holdback"]).await;
    let job = ["ZREM", "gdpr:{default}:work:delayed", "submit/deletion/GDPR/Data"];
    world.ask::<()>(&job).await;
}

async fn until_taken_in(world: &World, count: usize) -> anyhow::Result<()> {
    let count = i64::try_from(count)?;
    until("an empty stream", async || {
        let left: i64 = world.ask(&["XLEN", REQUESTS]).await;
        let queued = world.stats().await.get("deletion.queued").copied();
        (left == 0 && queued == Some(count)).then_some(())
    })
    .await
}

/// Bytes in Redis for an open and for a finished request of one user, ledger and all indexes included.
async fn memory(count: usize, report: &mut Report) -> anyhow::Result<()> {
    let mut world = World::new().await;
    world.set("GDPR_LINGER", "1h");
    Fsync::Everysec.set(&mut world).await;
    let empty = rig::used_bytes(&world).await?;
    our_round(&world, count).await?;
    let open = rig::used_bytes(&world).await?;
    submit_again(&world).await;
    world.set("GDPR_LINGER", "100ms");
    let worker = world.worker().await;
    until("the end of all requests", async || {
        let completed = world.stats().await.get("deletion.completed").copied();
        (completed == i64::try_from(count).ok()).then_some(())
    })
    .await?;
    worker.stop().await;
    let finished = rig::used_bytes(&world).await?;
    report.add("Redis memory per open request", (open - empty) / count as f64, "bytes");
    report.add("Redis memory per finished request", (finished - empty) / count as f64, "bytes");
    Ok(())
}
