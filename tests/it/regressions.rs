//! Faults that were found once, each by its story.

use serde_json::json;

use crate::world::{World, document, unzip};

/// A deletion was on the wire when the copy was asked for, and came back: it went out again before the copy was safe.
#[tokio::test]
async fn a_deletion_that_comes_back_waits_for_a_retrieval_that_came_meanwhile() {
    let world = World::with(World::patient()).await;
    let _worker = world.worker().await;
    let erasure = world.add(&document("deletion", &["user-001"])).await;
    let task = world.until(&erasure, "submitted").await["tracking_id"].clone();
    let copy = world.add(&document("retrieval", &["user-001"])).await;
    let export = world.until(&copy, "submitted").await["tracking_id"].clone();
    world.emulator.force(&task, "FAILURE").await;
    let hash = world.until(&erasure, "queued").await;
    assert_eq!(hash["reason"], format!("waits for retrieval {copy}"));
    world.emulator.force(&export, "SUCCESS").await;
    world.until(&copy, "completed").await;
    let again = world.until(&erasure, "submitted").await["tracking_id"].clone();
    world.emulator.force(&again, "SUCCESS").await;
    world.until(&erasure, "completed").await;
}

/// The export of a task that has only some of a person's ids was taken for that person's whole copy.
#[tokio::test]
async fn a_retrieval_never_follows_a_task_that_has_only_some_of_its_ids() {
    let mut world = World::new().await;
    world.set("GDPR_BACKOFF_MIN", "100ms");
    world.set("GDPR_BACKOFF_MAX", "300ms");
    world
        .emulator
        .fault(json!({ "match": "create-retrieval", "fault": "conflict", "ids": ["user-001"], "times": 1 }))
        .await;
    let _worker = world.worker().await;
    let id = world.add(&document("retrieval", &["user-001", "user-1b"])).await;
    let hash = world.until(&id, "completed").await;
    let events = &unzip(&hash["archive"])["events.ndjson"];
    assert!(events.contains("user-001") && events.contains("user-1b"));
}

/// Two projects wrote their archives into one folder: requests of the same id replaced each other's.
#[tokio::test]
async fn two_projects_cannot_share_an_archive_folder() {
    let mut world = World::new().await;
    let worker = world.worker().await;
    worker.kill().await;
    world.set("GDPR_PROJECT", "another");
    let (code, _, err) = world.command(&["run"]).await;
    assert_eq!(code, 1);
    assert!(err.contains("project default's"), "{err}");
}

/// One request whose identifiers could not be opened took its whole batch with it.
#[tokio::test]
async fn a_request_that_cannot_be_opened_is_held_alone() {
    let mut world = World::new().await;
    world.set("GDPR_LINGER", "1h");
    let worker = world.worker().await;
    let ids =
        world.add_many((1..=3).map(|n| document("deletion", &[&format!("user-{n:03}")]))).await;
    for id in &ids {
        world.until(id, "queued").await;
    }
    worker.kill().await;
    let _: i64 = world.ask(&["HSET", "gdpr:{default}:sealed", &ids[1], "damaged"]).await;
    let _: i64 =
        world.ask(&["ZADD", "gdpr:{default}:work:delayed", "0", "submit/deletion/GDPR/Data"]).await;
    let _worker = world.worker().await;
    assert!(world.until(&ids[1], "held").await["reason"].contains("GDPR_PEPPER"));
    for id in [&ids[0], &ids[2]] {
        world.until(id, "completed").await;
    }
    assert_eq!(world.command(&["fail", &ids[1], "--reason", "asked again by mail"]).await.0, 0);
}

/// A poll saw REVOKED before the answer to the cancellation was recorded: the cancellation stayed open for ever.
#[tokio::test]
async fn a_cancellation_ends_also_when_a_poll_is_faster_than_its_answer() {
    let mut world = World::with(World::patient()).await;
    world.set("GDPR_CALL_TIMEOUT", "10s");
    let _worker = world.worker().await;
    let id = world.add(&document("deletion", &["user-001"])).await;
    world.until(&id, "submitted").await;
    world
        .emulator
        .fault(json!({ "match": "cancel", "fault": "slow", "seconds": 2, "times": 1 }))
        .await;
    let cancellation = world.add(&json!({ "kind": "cancellation", "request_id": id })).await;
    world.until(&id, "cancelled").await;
    world.until(&cancellation, "completed").await;
    let due: u64 = world.ask(&["ZCARD", "gdpr:{default}:due"]).await;
    assert_eq!(due, 0);
}

/// A deletion that had been in a cohort kept its name, so a cancellation looked for it in the wrong place.
#[tokio::test]
async fn a_request_that_was_set_apart_can_still_be_cancelled() {
    let world = World::with(World::patient()).await;
    world.emulator.fault(json!({ "fault": "bad-ids", "ids": ["user-001"], "status": 400 })).await;
    let _worker = world.worker().await;
    let ids =
        world.add_many((1..=3).map(|n| document("deletion", &[&format!("user-{n:03}")]))).await;
    world.until(&ids[0], "failed").await;
    let task = world.until(&ids[1], "submitted").await["tracking_id"].clone();
    let copy = world.add(&document("retrieval", &["user-002"])).await;
    let export = world.until(&copy, "submitted").await["tracking_id"].clone();
    world.emulator.force(&task, "FAILURE").await;
    world.until(&ids[1], "queued").await;
    world.emulator.force(&export, "SUCCESS").await;
    world.until(&copy, "completed").await;
    let second = world.until(&ids[1], "submitted").await["tracking_id"].clone();
    world.emulator.force(&second, "SUCCESS").await;
    world.until(&ids[1], "completed").await;
    let open: Vec<String> = world.ask(&["KEYS", "gdpr:{default}:open:*"]).await;
    assert!(open.is_empty(), "{open:?}");
}

/// A Retry-After beyond our own longest wait was cut down to it.
#[tokio::test]
async fn a_retry_after_beyond_the_longest_back_off_is_honoured() {
    let mut world = World::new().await;
    world.set("GDPR_BACKOFF_MIN", "10ms");
    world.set("GDPR_BACKOFF_MAX", "100ms");
    world
        .emulator
        .fault(
            json!({ "match": "create-deletion", "fault": "retry-after", "seconds": 2, "times": 1 }),
        )
        .await;
    let _worker = world.worker().await;
    let id = world.add(&document("deletion", &["user-001"])).await;
    world.until(&id, "completed").await;
    let calls = world.emulator.calls("create-deletion").await;
    let ms = |n: usize| calls[n]["ms"].as_f64().unwrap();
    assert!(ms(1) - ms(0) >= 2000.0);
}

/// An archive that was gone already was called destroyed without a word.
#[tokio::test]
async fn an_archive_that_is_missing_at_its_end_is_told_as_such() {
    let mut world = World::new().await;
    world.set("GDPR_ARCHIVE_RETENTION", "2s");
    let _worker = world.worker().await;
    let id = world.add(&document("retrieval", &["user-001"])).await;
    let hash = world.until(&id, "completed").await;
    std::fs::remove_file(&hash["archive"]).unwrap();
    assert!(world.until(&id, "expired").await["reason"].contains("share their archive folder"));
}

/// A merged request with an earlier deadline did not hurry the one that stands for it.
#[tokio::test]
async fn the_earlier_deadline_of_merged_requests_counts() {
    let mut world = World::new().await;
    world.set("GDPR_LINGER", "1h");
    let _worker = world.worker().await;
    let first = world.add(&document("deletion", &["user-001"])).await;
    world.until(&first, "queued").await;
    let earlier = json!({ "kind": "deletion", "distinct_ids": ["user-001"], "received_at": "2026-01-10T00:00:00Z" });
    let second = world.add(&earlier).await;
    world.until(&second, "merged").await;
    assert_eq!(world.request(&first).await["due_at"], "2026-02-10T00:00:00Z");
}
