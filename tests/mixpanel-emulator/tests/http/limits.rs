//! The limits: pace, open retrievals, sizes.

use std::time::Instant;

use mixpanel_emulator::Settings;
use serde_json::{Value, json};

use crate::client::{DELETIONS, RETRIEVALS, World, swift};

#[tokio::test]
async fn the_second_call_within_the_gap_is_refused_and_counted() {
    let world = World::with(Settings { min_gap_ms: 60_000, ..swift() }).await;
    let id = world.created(DELETIONS, &["u1"]).await;
    let path = format!("{DELETIONS}{id}");
    let refused = world.gdpr("GET", &path, &Value::Null).await.unwrap();
    assert_eq!(refused.status, 429);
    let message = "Too Many Requests, this API is limited to 1 req/s";
    assert_eq!(refused.json(), json!({"status": "error", "error": message}));
    world.command("settings", &json!({"limit_body": "text"})).await;
    let refused = world.gdpr("GET", &path, &Value::Null).await.unwrap();
    assert_eq!((refused.status, refused.text()), (429, message.to_owned()));
    let early: Vec<_> = world.log().await.iter().map(|entry| entry["too_early"].clone()).collect();
    assert_eq!(early, [false, true, true]);
    let stats = world.stats().await;
    assert_eq!(stats["too_early"], 2);
    assert!(stats["min_gap_ms"]["emulator-project-token"].as_f64().unwrap() < 60_000.0);
}

#[tokio::test]
async fn too_many_open_retrievals_are_refused_with_another_message() {
    let world = World::with(Settings { scan_limit: 1, ..swift() }).await;
    let id = world.created(RETRIEVALS, &["u1"]).await;
    let refused = world.create(RETRIEVALS, &["u2"]).await;
    assert_eq!(refused.status, 429);
    assert!(refused.text().contains("pending scans"), "{}", refused.text());
    assert_eq!(world.create(DELETIONS, &["u2"]).await.status, 201);
    world.poll(RETRIEVALS, &id).await;
    assert_eq!(world.create(RETRIEVALS, &["u2"]).await.status, 201);
}

#[tokio::test]
async fn batches_may_be_full_but_not_fuller() {
    let world = World::with(swift()).await;
    let ids: Vec<String> = (0..2001).map(|number| format!("user-{number:04}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    assert_eq!(world.create(RETRIEVALS, &ids[..2000]).await.status, 201);
    assert_eq!(world.create(RETRIEVALS, &ids).await.status, 400);
    assert_eq!(world.create(DELETIONS, &ids[..1999]).await.status, 201);
    world.command("settings", &json!({"oversize_status": 413})).await;
    assert_eq!(world.create(DELETIONS, &ids[..2000]).await.status, 413);
    let counts: Vec<_> = world.log().await.iter().map(|entry| entry["ids_count"].clone()).collect();
    assert_eq!(counts, [2000, 2001, 1999, 2000]);
}

#[tokio::test]
async fn a_body_that_is_not_a_request_is_refused() {
    let world = World::with(swift()).await;
    for body in [json!([]), json!({}), json!({"distinct_ids": []}), json!({"distinct_ids": [1]})] {
        assert_eq!(world.gdpr("POST", DELETIONS, &body).await.unwrap().status, 400, "{body}");
    }
}

/// A generous bound: the point is that it does not grow with the tasks that there are.
#[tokio::test]
async fn full_batches_stay_quick_when_a_hundred_thousand_ids_are_open() {
    let world = World::with(Settings { task_polls: Some(100), ..swift() }).await;
    let batch = |batch: u32| {
        let ids: Vec<String> = (0..1999).map(|n| format!("user-{batch:03}-{n:04}")).collect();
        json!({ "distinct_ids": ids })
    };
    for number in 0..50 {
        world.gdpr("POST", DELETIONS, &batch(number)).await.unwrap();
    }
    let start = Instant::now();
    assert_eq!(world.gdpr("POST", DELETIONS, &batch(50)).await.unwrap().status, 201);
    assert!(start.elapsed().as_millis() < 500, "{:?}", start.elapsed());
}
