//! Whatever is killed in between, only time is lost.

use mixpanel_emulator::Settings;
use serde_json::{Value, json};

use crate::world::{World, document};

fn mixed(count: usize) -> impl Iterator<Item = Value> {
    (0..count).map(|n| {
        let kind = if n % 2 == 0 { "deletion" } else { "retrieval" };
        document(kind, &[&format!("user-{n:05}")])
    })
}

/// Ids that stand in more than one task that Mixpanel took.
async fn sent_twice(world: &World) -> usize {
    let mut count = 0;
    for kind in ["create-deletion", "create-retrieval"] {
        let mut seen = std::collections::HashSet::new();
        for call in world.emulator.created(kind).await {
            for id in call["ids"].as_array().unwrap() {
                count += usize::from(!seen.insert(id.as_str().unwrap().to_owned()));
            }
        }
    }
    count
}

#[tokio::test]
async fn two_replicas_never_send_one_request_twice() {
    let mut world = World::new().await;
    world.set("GDPR_BATCH_DELETION", "25");
    world.set("GDPR_BATCH_RETRIEVAL", "25");
    let _workers = (world.worker().await, world.worker().await);
    world.add_many(mixed(1000)).await;
    world.until_stats(&[("deletion.completed", 500), ("retrieval.completed", 500)]).await;
    assert_eq!(sent_twice(&world).await, 0);
    let ledger = world.ledger().await;
    let workers: std::collections::HashSet<_> =
        ledger.iter().map(|event| &event["worker"]).collect();
    assert_eq!(workers.len(), 2, "both replicas took part");
}

#[tokio::test]
async fn a_worker_killed_again_and_again_loses_nothing() {
    let mut world = World::new().await;
    world.set("GDPR_BATCH_DELETION", "20");
    world.set("GDPR_BATCH_RETRIEVAL", "20");
    world.set("GDPR_CALL_TIMEOUT", "1s");
    world.set("GDPR_SEND_LEASE", "1500ms");
    world.set("GDPR_UNKNOWN_WAIT_DELETION", "200ms");
    world.set("GDPR_UNKNOWN_WAIT_RETRIEVAL", "200ms");
    world.set("GDPR_JOB_LEASE", "1s");
    world.add_many(mixed(600)).await;
    for round in 1..=6 {
        let worker = world.worker().await;
        // Each round dies a little further on its way.
        world
            .wait("some events", async || {
                let length: usize = world.ask(&["XLEN", "gdpr:{default}:ledger"]).await;
                (length > round * 20).then_some(())
            })
            .await;
        worker.kill().await;
    }
    let _worker = world.worker().await;
    world
        .wait("the end of all requests", async || {
            let stats = world.stats().await;
            let of = |field: &str| stats.get(field).copied().unwrap_or(0);
            let held = of("retrieval.held");
            (of("deletion.completed") == 300 && of("retrieval.completed") + held == 300)
                .then_some(())
        })
        .await;
    // What was sent twice was sent twice for a recorded reason.
    let ledger = world.ledger().await;
    let unknown =
        ledger.iter().filter(|e| e.get("why").is_some_and(|why| why.contains("may or may not")));
    assert!(sent_twice(&world).await <= unknown.count() * 20);
}

#[tokio::test]
async fn a_deletion_killed_on_the_wire_is_found_again_by_the_conflict() {
    let mut world = World::new().await;
    world.set("GDPR_CALL_TIMEOUT", "10s");
    world.set("GDPR_SEND_LEASE", "11s");
    world.set("GDPR_UNKNOWN_WAIT_DELETION", "100ms");
    world.emulator.fault(json!({ "match": "create-deletion", "fault": "act-then-timeout", "seconds": 60, "times": 1 })).await;
    let worker = world.worker().await;
    let id = world.add(&document("deletion", &["user-001"])).await;
    world.until_on_the_wire("create-deletion").await;
    worker.kill().await;
    assert_eq!(world.status(&id).await, "submitting");
    let _worker = world.worker().await;
    world.until(&id, "completed").await;
    assert_eq!(world.emulator.created("create-deletion").await.len(), 1);
}

#[tokio::test]
async fn a_restart_of_redis_in_the_middle_changes_nothing_but_time() {
    let mut world = World::with(Settings { task_polls: Some(3), ..World::quick() }).await;
    world.set("GDPR_BATCH_DELETION", "10");
    world.set("GDPR_BATCH_RETRIEVAL", "10");
    // An answer of Redis that is lost with it leaves a batch that nobody sends until its lease is over.
    world.set("GDPR_CALL_TIMEOUT", "1s");
    world.set("GDPR_SEND_LEASE", "1500ms");
    world.set("GDPR_UNKNOWN_WAIT_DELETION", "200ms");
    world.set("GDPR_UNKNOWN_WAIT_RETRIEVAL", "200ms");
    let worker = world.worker().await;
    world.add_many(mixed(200)).await;
    for submitted in [20, 60] {
        world
            .wait("submissions", async || {
                let stats = world.stats().await;
                let moved: i64 =
                    stats.iter().filter(|(f, _)| !f.ends_with("queued")).map(|(_, n)| *n).sum();
                (moved >= submitted).then_some(())
            })
            .await;
        world.redis.kill();
        world.redis.restart();
    }
    world.until_stats(&[("deletion.completed", 100), ("retrieval.completed", 100)]).await;
    assert_eq!(worker.stop().await.0, Some(0), "the worker lived through it");
}

#[tokio::test]
async fn a_stop_by_sigterm_is_graceful_and_within_thirty_seconds() {
    let mut world = World::new().await;
    world.set("GDPR_UNKNOWN_WAIT_DELETION", "100ms");
    world
        .emulator
        .fault(json!({ "match": "create-deletion", "fault": "slow", "seconds": 2, "times": 1 }))
        .await;
    let worker = world.worker().await;
    let id = world.add(&document("deletion", &["user-001"])).await;
    world.until_on_the_wire("create-deletion").await;
    let (code, took) = worker.stop().await;
    assert_eq!(code, Some(0));
    assert!(took < std::time::Duration::from_secs(30));
    // The answer that was on its way was waited for and recorded.
    assert_eq!(world.status(&id).await, "submitted");
}
