//! Redis is killed, loses the end of its file, runs full, or cannot be reached.

use std::io::Write as _;

use rand::RngExt as _;

use crate::{
    field::{Field, Plan, scaled},
    proxy::{Proxy, Way},
};

/// Kills Redis, lets it lie for a moment, and starts it again.
async fn kill_redis(field: &mut Field, before_restart: impl AsyncFnOnce(&mut Field)) {
    field.world.redis.kill();
    before_restart(field).await;
    field.pause(50..1500).await;
    field.world.redis.restart();
    drop(field.world.redis.connect().await);
    field.note("redis");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: run it by name with --include-ignored"]
async fn redis_killed() {
    let mut field = Field::new(Plan::new("redis-killed", scaled(400, 10_000))).await;
    field.storm(scaled(4, 50), async |field| kill_redis(field, async |_| {}).await).await;
    field.verdict().await;
}

/// The host dies while the last command, which nobody was told of yet, is being written: half of it is on the disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn torn_file() {
    let mut field = Field::new(Plan::new("torn-file", scaled(300, 6000))).await;
    field
        .storm(scaled(3, 30), async |field| {
            kill_redis(field, async |field| {
                let key = "gdpr:{default}:requests";
                let value = "x".repeat(field.dice.random_range(1..3000));
                let whole = format!(
                    "*5\r\n$4\r\nXADD\r\n${}\r\n{key}\r\n$1\r\n*\r\n$7\r\nrequest\r\n${}\r\n{value}\r\n",
                    key.len(),
                    value.len()
                );
                let part = &whole[..field.dice.random_range(1..whole.len())];
                let files = field.world.redis.files();
                let newest = files.iter().filter(|file| file.to_string_lossy().ends_with(".incr.aof"));
                let newest = newest.max().expect("Redis has an append-only file");
                let mut file = std::fs::OpenOptions::new().append(true).open(newest).unwrap();
                file.write_all(part.as_bytes()).unwrap();
            })
            .await;
        })
        .await;
    field.verdict().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_full() {
    let mut field = Field::new(Plan::new("redis-full", scaled(300, 6000))).await;
    field
        .storm(scaled(3, 30), async |field| {
            // Less than is in use: nothing that needs memory is taken.
            field.world.ask::<()>(&["CONFIG", "SET", "maxmemory", "1mb"]).await;
            field.pause(300..1500).await;
            field.world.ask::<()>(&["CONFIG", "SET", "maxmemory", "0"]).await;
            field.note("redis full");
        })
        .await;
    field.verdict().await;
}

/// All replicas are cut off from Redis, from Mixpanel, or from both, for less or more than their leases. Calls that were
/// held up arrive at once, so the pace cannot be judged where they arrive.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: run it by name with --include-ignored"]
async fn partitions() {
    let mut field = Field::new(Plan {
        replicas: 0,
        gap_ms: 0.0,
        ..Plan::new("partitions", scaled(400, 10_000))
    })
    .await;
    let redis = field.world.redis.url().trim_start_matches("redis://").to_owned();
    let mut ways = Vec::new();
    for _ in 0..3 {
        let (to_redis, to_api) =
            (Proxy::to(redis.clone()).await, Proxy::to(field.world.emulator.host()).await);
        field.fleet.start(&[
            ("GDPR_REDIS_URL", format!("redis://{}", to_redis.address())),
            ("MIXPANEL_API_URL", format!("http://{}/api/app", to_api.address())),
        ]);
        ways.push([to_redis, to_api]);
    }
    field
        .storm(scaled(5, 100), async |field| {
            let of = &ways[field.anyone()];
            let way = if field.dice.random_bool(0.7) { Way::Lost } else { Way::Reset };
            let cut: &[usize] = [&[0][..], &[1], &[0, 1]][field.dice.random_range(0..3)];
            for which in cut {
                of[*which].set(way);
            }
            field.pause(200..5000).await;
            for which in cut {
                of[*which].set(Way::Open);
            }
            field.note("partition");
        })
        .await;
    field.verdict().await;
}
