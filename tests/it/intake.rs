//! What comes in: good documents, bad ones, repeated ones.

use std::collections::HashMap;

use serde_json::json;

use crate::world::{World, document};

#[tokio::test]
async fn a_document_that_cannot_be_accepted_is_rejected_under_its_entry_id_with_a_reason() {
    let world = World::new().await;
    let _worker = world.worker().await;
    for (text, reason) in [
        ("not json at all", "not a JSON object"),
        ("[]", "not a JSON object"),
        (r#"{"kind":"deletion"}"#, "distinct_ids is missing"),
        (r#"{"kind":"erasure","distinct_ids":["user-001"]}"#, "kind is not valid"),
        (r#"{"kind":"deletion","distinct_ids":["anonymous"]}"#, "reserved"),
        (r#"{"kind":"deletion","distinct_ids":[]}"#, "distinct_ids is not valid"),
        (r#"{"kind":"deletion","distinct_ids":["user-001"],"priority":1}"#, "unknown field"),
        (
            r#"{"kind":"deletion","distinct_ids":["user-001"],"received_at":"2999-01-01T00:00:00Z"}"#,
            "future",
        ),
    ] {
        let id = world.add_text(text).await;
        let hash = world.until(&id, "rejected").await;
        assert!(hash["reason"].contains(reason), "{text}: {}", hash["reason"]);
    }
    let large = format!(r#"{{"kind":"deletion","distinct_ids":["{}"]}}"#, "u".repeat(70_000));
    let id = world.add_text(&large).await;
    assert!(world.until(&id, "rejected").await["reason"].contains("65536"));
    let id: String = world.ask(&["XADD", "gdpr:{default}:requests", "*", "document", "{}"]).await;
    assert!(world.until(&id, "rejected").await["reason"].contains("no field named request"));

    let listed: u64 = world.ask(&["XLEN", "gdpr:{default}:rejected"]).await;
    assert_eq!(listed, 10);
    let good = world.add(&document("deletion", &["user-001"])).await;
    world.until(&good, "completed").await;
}

#[tokio::test]
async fn the_same_id_twice_is_one_request() {
    let world = World::new().await;
    let _worker = world.worker().await;
    let ask = json!({ "kind": "deletion", "distinct_ids": ["user-001"], "id": "ticket-4711" });
    for _ in 0..3 {
        world.add(&ask).await;
    }
    world.until("ticket-4711", "completed").await;
    world.add(&ask).await;
    let after = world.add(&document("deletion", &["user-002"])).await;
    world.until(&after, "completed").await;
    assert_eq!(world.path("ticket-4711").await, ["queued", "submitting", "submitted", "completed"]);
    let sent = world.emulator.created("create-deletion").await;
    let with_it =
        sent.iter().filter(|call| call["ids"].as_array().unwrap().contains(&json!("user-001")));
    assert_eq!(with_it.count(), 1);
}

/// Two replicas took copies of one document in, the later copy first: the deadline was counted from that one.
#[tokio::test]
async fn a_copy_that_stood_on_the_stream_first_brings_the_deadline_forward() {
    let mut world = World::new().await;
    world.set("GDPR_LINGER", "1h");
    let ask = json!({ "kind": "deletion", "distinct_ids": ["user-001"], "id": "ticket-4712" });
    let other = json!({ "kind": "retrieval", "distinct_ids": ["user-001"], "id": "ticket-4712" });
    let now: (u64, u64) = world.ask(&["TIME"]).await;
    let requests = "gdpr:{default}:requests";
    let stop = json!({ "kind": "cancellation", "request_id": "nobody", "id": "stop-1" });
    let documents = [(5000, &other), (3500, &stop), (3000, &ask), (1500, &stop), (1000, &ask)];
    for (ago, document) in documents {
        let entry = format!("{}-0", now.0 * 1000 - ago);
        let _: String =
            world.ask(&["XADD", requests, &entry, "request", &document.to_string()]).await;
    }
    // Another replica has the first three in its hands.
    let taken = format!("{}-0", now.0 * 1000 - 3000);
    let _: String = world.ask(&["XGROUP", "CREATE", requests, "workers", &taken, "MKSTREAM"]).await;
    let _worker = world.worker().await;
    let late = world.until("ticket-4712", "queued").await;
    let late_stop = world.until("stop-1", "queued failed").await;
    let _: String = world.ask(&["XGROUP", "SETID", requests, "workers", "0"]).await;
    world.add(&document("opt_out", &["somebody"])).await;
    world.until_stats(&[("opt_out.completed", 1)]).await;

    let hash = world.request("ticket-4712").await;
    let second = |name: &str, hash: &HashMap<String, String>| {
        chrono::DateTime::parse_from_rfc3339(&hash[name]).unwrap().timestamp()
    };
    for name in ["received_at", "due_at"] {
        assert_eq!(second(name, &hash), second(name, &late) - 2, "{name}");
    }
    let stop = world.request("stop-1").await;
    assert_eq!(second("due_at", &stop), second("due_at", &late_stop) - 2, "a cancellation");
    let due: i64 = world.ask(&["ZSCORE", "gdpr:{default}:due", "ticket-4712"]).await;
    assert_eq!(due, second("due_at", &hash));
    // The one that says something else under the same id is no copy.
    assert_eq!(hash["kind"], "deletion");
    assert_eq!(world.path("ticket-4712").await, ["queued"]);
}

#[tokio::test]
async fn a_thousand_malformed_documents_do_not_stop_a_thousand_good_ones() {
    let world = World::new().await;
    let worker = world.worker().await;
    let mixed = (0..2000).map(|n| {
        if n % 2 == 0 {
            document("deletion", &[&format!("user-{n:05}")])
        } else {
            json!({ "kind": "deletion", "ids": n })
        }
    });
    world.add_many(mixed).await;
    world.until_stats(&[("deletion.completed", 1000), ("unknown.rejected", 1000)]).await;
    let left: u64 = world.ask(&["XLEN", "gdpr:{default}:requests"]).await;
    assert_eq!(left, 0);
    assert!(worker.stop().await.0 == Some(0));
}

#[tokio::test]
async fn a_producer_in_rust_is_told_what_is_new_and_what_is_known() {
    let world = World::new().await;
    let project = "default".parse().unwrap();
    let producer = gdpr_jobs::Producer::new(world.redis.connect().await, &project);
    let ids = [gdpr_jobs::DistinctId::new("user-001")];
    let ask =
        gdpr_jobs::Document::new(gdpr_jobs::Kind::Deletion, ids).with_id("t-1".parse().unwrap());
    assert!(matches!(producer.enqueue(&ask).await, Ok(gdpr_jobs::Enqueued::New(_))));
    assert!(matches!(producer.enqueue(&ask).await, Ok(gdpr_jobs::Enqueued::AlreadyKnown(_))));
    let _worker = world.worker().await;
    world.until("t-1", "completed").await;
    assert!(matches!(producer.enqueue(&ask).await, Ok(gdpr_jobs::Enqueued::AlreadyKnown(_))));
}
