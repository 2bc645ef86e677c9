//! A great many people, one after the other: what the workers and Redis need for them, and whether it ends with them.

use std::time::Duration;

use crate::{
    field::{Field, Plan, full, scaled},
    load::Mix,
};

const MIB: u64 = 1024 * 1024;
/// Most memory of a worker.
const WORKER: u64 = 128 * MIB;
/// Most memory that Redis may have in use.
const REDIS: u64 = 500_000_000;
/// Documents that may wait on the stream: producers are not to run ahead of what is measured.
const AHEAD: usize = 5_000;
/// Requests that may be open: a million a year, of which each takes Mixpanel two weeks.
const OPEN: usize = 40_000;
/// How long records and archives of final requests are kept, in the place of years and days.
const KEPT: &str = "20s";
/// How long nothing may grow after the end.
const AFTERWARDS: Duration = Duration::from_secs(60);
/// What may come and go without being growth.
const EBB: f64 = 1.02;

/// A year's requests in minutes. Nine of ten are of somebody new. Archives and records of final requests go, as they
/// would after days and years; what the ledger says, and who is opted out, stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: run it by name with --include-ignored"]
async fn soak() {
    let requests = scaled(20_000, 1_111_112);
    let plan = Plan { mix: Mix::GOOD, ..Plan::new("soak", requests) };
    let plan = plan
        // As in docker-compose.yml.
        .with("MALLOC_ARENA_MAX", "2")
        .with("GDPR_LINGER", "5s")
        .with("GDPR_BATCH_DELETION", "1999")
        .with("GDPR_BATCH_RETRIEVAL", "2000")
        .with("GDPR_ARCHIVE_RETENTION", KEPT)
        .with("GDPR_RECORD_RETENTION", KEPT)
        .with("GDPR_CALL_TIMEOUT", "20s")
        .with("GDPR_SEND_LEASE", "40s")
        .with("GDPR_JOB_LEASE", "30s");
    let mut field = Field::new(plan).await;
    let mut left = requests;
    while left > 0 {
        let some = left.min(AHEAD / 4);
        field.load.enqueue(some).await;
        left -= some;
        while field.world.ask::<usize>(&["XLEN", "gdpr:{default}:requests"]).await > AHEAD
            || field.world.ask::<usize>(&["ZCARD", "gdpr:{default}:due"]).await > OPEN
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if full() && left % 100_000 < some {
            println!("soak: {left} to go, Redis has {} bytes in use", used_memory(&field).await);
        }
    }
    field.until_final().await;
    assert_eq!(field.fleet.ended, 0, "no replica ended");
    let (peak, end) = (field.worker_memory("VmHWM:"), field.worker_memory("VmRSS:"));
    let (redis_peak, redis_end) =
        (redis_memory(&field, "used_memory_peak").await, used_memory(&field).await);
    tokio::time::sleep(AFTERWARDS).await;
    let (later, redis_later) = (field.worker_memory("VmRSS:"), used_memory(&field).await);
    println!(
        "soak: {requests} requests; workers: {} MiB at most, {} at the end, {} later; \
         Redis: {redis_peak} bytes at most, {redis_end} at the end, {redis_later} later",
        peak / MIB,
        end / MIB,
        later / MIB,
    );
    assert!(peak <= WORKER, "a worker had {peak} bytes");
    assert!(redis_peak <= REDIS, "Redis had {redis_peak} bytes in use");
    assert!(grown(end, later) <= EBB && grown(redis_end, redis_later) <= EBB, "something grows");
}

#[expect(clippy::cast_precision_loss, reason = "a ratio")]
fn grown(from: u64, to: u64) -> f64 {
    to as f64 / from as f64
}

async fn used_memory(field: &Field) -> u64 {
    redis_memory(field, "used_memory").await
}

async fn redis_memory(field: &Field, name: &str) -> u64 {
    let info: String = field.world.ask(&["INFO", "memory"]).await;
    let mut values = info.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = values.find(|(known, _)| *known == name).unwrap();
    value.trim().parse().unwrap()
}

impl Field {
    /// The most memory that a replica has now (`VmRSS:`) or ever had (`VmHWM:`), in bytes.
    fn worker_memory(&self, which: &str) -> u64 {
        let of = |process| {
            let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix(which)).unwrap();
            line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
        };
        self.fleet.processes().map(of).max().unwrap()
    }
}
