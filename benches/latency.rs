//! How long one document takes from its XADD to the message that says `queued`, next to one bare hop: XADD, a
//! blocked XREADGROUP, HSET and PUBLISH by another connection.
//!
//! One document at a time; worker and bare hop take turns on one Redis.

#![allow(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]

mod rig;

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures_util::StreamExt as _;
use redis::aio::{MultiplexedConnection, PubSub};
use serde_json::json;

use rig::{
    Fsync, Options, REQUESTS, median,
    peer::{self, Peer},
    report::{Goal, Report},
    world::World,
};

const CHANGED: &str = "gdpr:{default}:changed:";
const WARM_UP: usize = 20;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::read();
    let count = options.scale(500, 200, 20);
    let mut report = Report::new("latency");
    report.add("documents, one by one", count as f64, "");
    for fsync in Fsync::BOTH {
        measure(count, fsync, &mut report).await?;
    }
    report.print(options.json);
    Ok(())
}

async fn measure(count: usize, fsync: Fsync, report: &mut Report) -> anyhow::Result<()> {
    let mut world = World::new().await;
    world.set("GDPR_LINGER", "1h");
    fsync.set(&mut world).await;
    let worker = world.worker().await;
    let peer = tokio::spawn(Peer::new(&world.redis.url()).await?.answer());
    let mut bare = Way::new(&world, peer::STREAM, peer::CHANGED).await?;
    let mut ours = Way::new(&world, REQUESTS, CHANGED).await?;
    let (mut bare_ms, mut our_ms) = (Vec::new(), Vec::new());
    for n in 0..count + WARM_UP {
        let times = (bare.hop(n).await?, ours.hop(n).await?);
        if n >= WARM_UP {
            bare_ms.push(times.0.as_secs_f64() * 1e3);
            our_ms.push(times.1.as_secs_f64() * 1e3);
        }
    }
    peer.abort();
    worker.stop().await;
    let queued = world.stats().await.get("deletion.queued").copied();
    ensure!(queued == Some(i64::try_from(count + WARM_UP)?), "{queued:?} requests are queued");
    let name = |what: &str| format!("{}: {what}", fsync.word());
    let (bare, ours) = (median(&bare_ms), median(&our_ms));
    report.add(name("bare hop, median"), bare, "ms");
    report.add(name("worker, median"), ours, "ms");
    report.add(name("worker, 99 of 100"), percentile(&our_ms, 99), "ms");
    report.add_with_goal(name("worker / bare hop"), ours / bare, "", Goal::AtMost(4.0));
    Ok(())
}

/// A way that documents go, and where their arrival is announced.
struct Way {
    stream: &'static str,
    changed: &'static str,
    producer: MultiplexedConnection,
    announcements: PubSub,
}

impl Way {
    async fn new(
        world: &World,
        stream: &'static str,
        changed: &'static str,
    ) -> anyhow::Result<Self> {
        let client = redis::Client::open(world.redis.url())?;
        let mut announcements = client.get_async_pubsub().await?;
        announcements.psubscribe(format!("{changed}*")).await?;
        Ok(Self { stream, changed, producer: rig::connect(world).await?, announcements })
    }

    async fn hop(&mut self, n: usize) -> anyhow::Result<Duration> {
        let document = json!({ "kind": "deletion", "distinct_ids": [rig::user(n)] }).to_string();
        let mut add = redis::cmd("XADD");
        add.arg(self.stream).arg("*").arg("request").arg(document);
        let started = Instant::now();
        let id: String = add.query_async(&mut self.producer).await?;
        let next = tokio::time::timeout(rig::world::PATIENCE, async {
            self.announcements.on_message().next().await
        });
        let message = next.await.context("no announcement")?.context("the subscription ended")?;
        let time = started.elapsed();
        let (of, status): (&str, String) = (message.get_channel_name(), message.get_payload()?);
        ensure!(of == format!("{}{id}", self.changed), "another request than {id} was announced");
        ensure!(status == "queued", "{id} became {status}, expected queued");
        Ok(time)
    }
}

fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().unwrap_or(f64::NAN)
}
