//! Withdrawing requests.

use serde_json::json;

use crate::world::{World, document};

fn cancel(request: &str) -> serde_json::Value {
    json!({ "kind": "cancellation", "request_id": request })
}

#[tokio::test]
async fn a_request_that_was_not_sent_yet_leaves_its_group() {
    let mut world = World::new().await;
    world.set("GDPR_LINGER", "1h");
    let _worker = world.worker().await;
    let id = world.add(&document("deletion", &["user-001"])).await;
    world.until(&id, "queued").await;
    let cancellation = world.add(&cancel(&id)).await;
    world.until(&cancellation, "completed").await;
    assert!(world.until(&id, "cancelled").await["reason"].contains(&cancellation));
    let open: u64 = world.ask(&["ZCARD", "gdpr:{default}:open:deletion/GDPR/Data"]).await;
    assert_eq!(open, 0);
    assert!(world.emulator.calls("create-deletion").await.is_empty());
}

#[tokio::test]
async fn a_task_of_one_request_is_cancelled_at_mixpanel_by_its_id() {
    let world = World::with(World::patient()).await;
    let _worker = world.worker().await;
    let id = world.add(&document("deletion", &["user-001"])).await;
    let task = world.until(&id, "submitted").await["tracking_id"].clone();
    let cancellation = world.add(&cancel(&id)).await;
    world.until(&cancellation, "completed").await;
    world.until(&id, "cancelled").await;
    let calls = world.emulator.calls("cancel").await;
    assert_eq!(calls.len(), 1);
    assert!(calls[0]["path"].as_str().unwrap().contains(&task), "never the collection form");
    assert_eq!(world.emulator.created("create-deletion").await.len(), 1);
}

#[tokio::test]
async fn a_task_that_others_share_is_not_cancelled_until_all_of_them_ask() {
    let world = World::with(World::patient()).await;
    let _worker = world.worker().await;
    let ids =
        world.add_many((1..=2).map(|n| document("deletion", &[&format!("user-{n:03}")]))).await;
    for id in &ids {
        world.until(id, "submitted").await;
    }
    let first = world.add(&cancel(&ids[0])).await;
    let refused = world.until(&first, "failed").await;
    assert!(refused["reason"].contains("other requests"));
    let target = world.request(&ids[0]).await;
    assert_eq!(target["status"], "submitted");
    assert!(target["reason"].contains(&first));
    assert!(world.emulator.calls("cancel").await.is_empty());

    let second = world.add(&cancel(&ids[1])).await;
    world.until(&second, "completed").await;
    for id in &ids {
        world.until(id, "cancelled").await;
    }
}

#[tokio::test]
async fn a_deletion_that_has_started_is_not_cancelled() {
    let world = World::with(World::patient()).await;
    let _worker = world.worker().await;
    let id = world.add(&document("deletion", &["user-001"])).await;
    let task = world.until(&id, "submitted").await["tracking_id"].clone();
    world.emulator.force(&task, "STARTED").await;
    let cancellation = world.add(&cancel(&id)).await;
    let refused = world.until(&cancellation, "failed").await;
    assert!(refused["reason"].contains("started"));
    assert!(world.until(&id, "submitted").await["reason"].contains(&cancellation));
    world.emulator.force(&task, "SUCCESS").await;
    world.until(&id, "completed").await;
}

#[tokio::test]
async fn a_submitted_retrieval_cannot_be_cancelled() {
    let world = World::with(World::patient()).await;
    let _worker = world.worker().await;
    let id = world.add(&document("retrieval", &["user-001"])).await;
    world.until(&id, "submitted").await;
    let cancellation = world.add(&cancel(&id)).await;
    assert!(world.until(&cancellation, "failed").await["reason"].contains("no way to cancel"));
}

#[tokio::test]
async fn a_task_revoked_by_somebody_else_is_sent_again() {
    let world = World::with(World::patient()).await;
    let _worker = world.worker().await;
    let id = world.add(&document("deletion", &["user-001"])).await;
    let first = world.until(&id, "submitted").await["tracking_id"].clone();
    world.emulator.force(&first, "REVOKED").await;
    let second = world
        .wait("a second task", async || {
            let task = world.request(&id).await.remove("tracking_id")?;
            (task != first).then_some(task)
        })
        .await;
    world.emulator.force(&second, "SUCCESS").await;
    world.until(&id, "completed").await;
}
