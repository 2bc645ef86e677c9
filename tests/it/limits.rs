//! Mixpanel's limits: one call a second, and so much outstanding.

use mixpanel_emulator::Settings;
use serde_json::json;

use crate::world::{World, document};

#[tokio::test]
async fn five_thousand_requests_take_the_fewest_calls_and_none_too_early() {
    let mut world =
        World::with(Settings { min_gap_ms: 1000, task_polls: Some(0), ..Settings::default() })
            .await;
    world.set("GDPR_REQUEST_INTERVAL", "1100ms");
    world.set("GDPR_POLL_MIN", "3s");
    world.set("GDPR_POLL_MAX", "5s");
    world.set("GDPR_LINGER", "1s");
    let _workers = (world.worker().await, world.worker().await);
    let people = (0..5000).map(|n| {
        let kind = if n % 2 == 0 { "deletion" } else { "retrieval" };
        document(kind, &[&format!("user-{n:05}")])
    });
    world.add_many(people).await;
    world.until_stats(&[("deletion.completed", 2500), ("retrieval.completed", 2500)]).await;
    for (kind, limit) in [("create-deletion", 1999_usize), ("create-retrieval", 2000)] {
        let creates = world.emulator.calls(kind).await.len();
        assert!(creates <= 2500_usize.div_ceil(limit) + 1, "{creates} of {kind}");
    }
    assert_eq!(world.emulator.stats().await["too_early"], 0);
}

#[tokio::test]
async fn a_long_time_of_429_is_waited_out_with_growing_pauses() {
    let mut world = World::with(Settings {
        scan_limit: 1,
        task_polls: None,
        task_seconds: 3600.0,
        ..World::quick()
    })
    .await;
    world.set("GDPR_BACKOFF_MIN", "50ms");
    world.set("GDPR_BACKOFF_MAX", "400ms");
    let _worker = world.worker().await;
    let first = world.add(&document("retrieval", &["user-001"])).await;
    let task = world.until(&first, "submitted").await["tracking_id"].clone();
    let second = world.add(&document("retrieval", &["user-002"])).await;
    let refused = world
        .wait("ten refusals", async || {
            let calls = world.emulator.calls("create-retrieval").await;
            let refused: Vec<f64> = calls
                .iter()
                .filter(|c| c["status"] == 429)
                .map(|c| c["ms"].as_f64().unwrap())
                .collect();
            (refused.len() >= 10).then_some(refused)
        })
        .await;
    let gaps: Vec<f64> = refused.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps[gaps.len() - 1] >= 400.0, "the pauses grow to their limit: {gaps:?}");
    // Deletions do not fill the allowance: they are not held up.
    let erasure = world.add(&document("deletion", &["user-003"])).await;
    world.until(&erasure, "submitted").await;
    // More people come meanwhile: they all go in one batch once there is room.
    let third = world.add(&document("retrieval", &["user-004"])).await;
    world.until(&third, "queued submitting").await;
    world.emulator.force(&task, "SUCCESS").await;
    world.until(&first, "completed").await;
    let (a, b) = (world.until(&second, "submitted").await, world.until(&third, "submitted").await);
    assert_eq!(a["tracking_id"], b["tracking_id"]);
    assert!(a["attempts"].parse::<u32>().unwrap() > 5);
}

#[tokio::test]
async fn polls_go_on_while_submissions_wait() {
    let mut world = World::with(Settings { task_polls: Some(2), ..World::quick() }).await;
    world.set("GDPR_BATCH_DELETION", "1");
    let _worker = world.worker().await;
    let first = world.add(&document("deletion", &["user-first"])).await;
    world.until(&first, "submitted").await;
    // So many single batches keep submissions waiting for seconds.
    world.add_many((0..400).map(|n| document("deletion", &[&format!("user-{n:05}")]))).await;
    world
        .wait("twenty polls", async || {
            (world.emulator.calls("poll-deletion").await.len() >= 20).then_some(())
        })
        .await;
    let stats = world.stats().await;
    assert!(
        stats.get("deletion.queued").copied().unwrap_or(0) > 0,
        "submissions were still waiting: {stats:?}"
    );
}

#[tokio::test]
async fn a_retry_after_is_honoured() {
    let mut world = World::new().await;
    world.set("GDPR_BACKOFF_MIN", "10ms");
    world.emulator.fault(json!({ "match": "create-retrieval", "fault": "retry-after", "seconds": 2, "times": 1 })).await;
    let _worker = world.worker().await;
    let id = world.add(&document("retrieval", &["user-001"])).await;
    world.until(&id, "completed").await;
    let calls = world.emulator.calls("create-retrieval").await;
    let ms = |n: usize| calls[n]["ms"].as_f64().unwrap();
    assert!(ms(1) - ms(0) >= 2000.0);
}
