//! What a lost answer may cost: a budget that nothing in between begins anew.

use serde_json::json;

use crate::world::{World, document};

/// A world in which an answer is soon given up, and what follows comes at once.
async fn impatient() -> World {
    let mut world = World::new().await;
    world.set("GDPR_CALL_TIMEOUT", "500ms");
    world.set("GDPR_SEND_LEASE", "1s");
    world.set("GDPR_UNKNOWN_WAIT_DELETION", "100ms");
    world.set("GDPR_UNKNOWN_WAIT_RETRIEVAL", "100ms");
    world.set("GDPR_BACKOFF_MIN", "100ms");
    world.set("GDPR_BACKOFF_MAX", "200ms");
    world
}

/// A retrieval's first answer was lost, and the second try was refused for a passing reason: its batch was closed, and the
/// request began anew with a whole budget. Three exports were made where two are the limit.
#[tokio::test]
async fn a_refusal_does_not_make_a_lost_answer_forgotten() {
    let world = impatient().await;
    let lost = json!({ "match": "create-retrieval", "fault": "act-then-timeout", "seconds": 60, "times": 1 });
    let refused =
        json!({ "match": "create-retrieval", "fault": "status", "status": 429, "times": 1 });
    world.emulator.fault(json!([lost, refused, lost])).await;
    let _worker = world.worker().await;
    let id = world.add(&document("retrieval", &["user-001"])).await;
    let hash = world.until(&id, "held completed").await;
    assert_eq!(world.emulator.created("create-retrieval").await.len(), 2);
    assert_eq!(hash["status"], "held", "the second answer was lost, too: a person must look");
    assert_eq!(hash["attempts"], "3");
}

/// The same with an answer at the third try: the request is done, and its first export explained.
#[tokio::test]
async fn after_a_refusal_a_batch_with_a_lost_answer_is_sent_again() {
    let world = impatient().await;
    let lost = json!({ "match": "create-deletion", "fault": "timeout", "seconds": 60, "times": 1 });
    let refused =
        json!({ "match": "create-deletion", "fault": "status", "status": 429, "times": 1 });
    world.emulator.fault(json!([lost, refused])).await;
    let _worker = world.worker().await;
    let id = world.add(&document("deletion", &["user-001"])).await;
    let hash = world.until(&id, "completed").await;
    assert_eq!(hash["batch"], "b1", "one batch, whose budget goes on counting");
    assert!(!hash.contains_key("reason"));
    assert_eq!(world.emulator.created("create-deletion").await.len(), 1);
}
