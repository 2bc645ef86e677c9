//! Events and profiles in, and out again through a retrieval.

use serde_json::{Value, json};

use crate::client::{World, swift};

const TOKEN: &str = "emulator-project-token";

async fn post(world: &World, path: &str, headers: &[(&str, &str)], body: &Value) -> (u16, String) {
    let answer = world.call("POST", path, headers, body.to_string().as_bytes()).await.unwrap();
    (answer.status, answer.text())
}

fn basic(pair: &str) -> String {
    format!("Basic {}", data_encoding::BASE64.encode(pair.as_bytes()))
}

#[tokio::test]
async fn a_tracked_event_comes_back_in_the_export_without_token_and_address() {
    let world = World::with(swift()).await;
    let event = json!([{"event": "Sign Up", "properties": {"token": TOKEN, "distinct_id": "u1",
        "time": 1_700_000_000_123_i64, "$insert_id": "i-1", "ip": "0", "plan": "pro"}}]);
    assert_eq!(post(&world, "/track", &[], &event).await, (200, "1".to_owned()));
    let export = world.get(&world.retrieved(&["u1"]).await).await.json();
    let expected = json!({"event": "Sign Up", "properties": {
        "distinct_id": "u1", "time": 1_700_000_000, "$insert_id": "i-1", "plan": "pro"}});
    assert_eq!(export, expected);
}

#[tokio::test]
async fn a_body_without_a_valid_event_is_answered_with_zero() {
    let world = World::with(swift()).await;
    assert_eq!(post(&world, "/track", &[], &json!([{}])).await, (200, "0".to_owned()));
    let (status, body) = post(&world, "/track?verbose=1", &[], &json!([{}])).await;
    assert_eq!(status, 200);
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["status"], 0);
}

#[tokio::test]
async fn a_profile_is_set_and_deleted() {
    let world = World::with(swift()).await;
    let set = json!([{"$token": TOKEN, "$distinct_id": "u1", "$set": {"plan": "pro"}}]);
    let (_, body) = post(&world, "/engage?verbose=1", &[], &set).await;
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), json!({"status": 1, "error": null}));
    let export = world.get(&world.retrieved(&["u1"]).await).await.json();
    assert_eq!(export, json!({"$distinct_id": "u1", "$properties": {"plan": "pro"}}));
    let delete = json!([{"$token": TOKEN, "$distinct_id": "u1", "$delete": null}]);
    assert_eq!(post(&world, "/engage", &[], &delete).await, (200, "1".to_owned()));
    assert_eq!(world.get(&world.retrieved(&["u1"]).await).await.text(), "");
}

#[tokio::test]
async fn a_strict_import_names_bad_records_and_keeps_good_ones() {
    let world = World::with(swift()).await;
    let event = |id: &str| {
        json!({"event": "A", "properties": {"time": 1_700_000_000, "distinct_id": "u1",
            "$insert_id": id}})
    };
    let credentials = basic(&format!("{TOKEN}:"));
    let headers = [("authorization", credentials.as_str())];
    let body = json!([event("good"), event("not good")]);
    let (status, body) = post(&world, "/import?strict=1", &headers, &body).await;
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &answer["num_records_imported"]), (400, &json!(1)));
    assert_eq!(answer["failed_records"][0]["index"], 1);
    assert_eq!(answer["failed_records"][0]["field"], "properties.$insert_id");
    let whole = post(&world, "/import?strict=1", &headers, &json!([event("good-2")])).await;
    let expected = json!({"code": 200, "num_records_imported": 1, "status": "OK"});
    assert_eq!((whole.0, serde_json::from_str::<Value>(&whole.1).unwrap()), (200, expected));
    assert_eq!(world.get(&world.retrieved(&["u1"]).await).await.text().lines().count(), 2);
}

#[tokio::test]
async fn an_import_without_credentials_is_refused() {
    let world = World::with(swift()).await;
    let wrong = basic("wrong:");
    for headers in [vec![], vec![("authorization", wrong.as_str())]] {
        let (status, body) = post(&world, "/import", &headers, &json!([])).await;
        assert_eq!(status, 401);
        assert!(body.contains("Invalid credentials"), "{body}");
    }
}

#[tokio::test]
async fn the_log_names_whose_data_arrived() {
    let world = World::with(swift()).await;
    let events = json!([
        {"event": "A", "properties": {"token": TOKEN, "distinct_id": "u1"}},
        {"event": "B", "properties": {"token": TOKEN, "distinct_id": "u2"}},
    ]);
    post(&world, "/track", &[], &events).await;
    let entry = &world.log().await[0];
    assert_eq!((&entry["kind"], &entry["ids"]), (&json!("track"), &json!(["u1", "u2"])));
}
