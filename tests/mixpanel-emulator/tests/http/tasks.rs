//! Creating, polling, conflicting and cancelling.

use mixpanel_emulator::Settings;
use serde_json::{Value, json};

use crate::client::{BEARER, DELETIONS, RETRIEVALS, World, swift};

#[tokio::test]
async fn a_task_passes_all_stages_and_ends_in_success() {
    let world = World::with(Settings { task_polls: Some(1), ..swift() }).await;
    let id = world.created(DELETIONS, &["u1"]).await;
    let mut words = Vec::new();
    for _ in 0..5 {
        words.push(world.poll(DELETIONS, &id).await["status"].clone());
    }
    assert_eq!(words, ["PENDING", "STAGING", "STARTED", "SUCCESS", "SUCCESS"]);
}

#[tokio::test]
async fn tasks_move_on_with_the_virtual_clock() {
    let world = World::with(Settings { task_polls: None, task_seconds: 86_400.0, ..swift() }).await;
    let id = world.created(DELETIONS, &["u1"]).await;
    assert_eq!(world.poll(DELETIONS, &id).await["status"], "PENDING");
    world.command("clock", &json!({"advance_seconds": 86_401})).await;
    assert_eq!(world.poll(DELETIONS, &id).await["status"], "STAGING");
    world.command("clock", &json!({"advance_seconds": 200_000})).await;
    assert_eq!(world.poll(DELETIONS, &id).await["status"], "SUCCESS");
}

#[tokio::test]
async fn a_second_deletion_of_an_id_is_refused_whole_until_the_first_is_done() {
    let world = World::with(swift()).await;
    let first = world.created(DELETIONS, &["u1", "u2"]).await;
    let refused = world.create(DELETIONS, &["u2", "u3"]).await;
    assert_eq!(refused.status, 409);
    let error = &refused.json()["error"];
    assert_eq!(error["conflicting_distinct_ids"], json!(["u2"]));
    assert_eq!(error["conflicting_task_ids"], json!([first]));
    assert_eq!(world.create(DELETIONS, &["u3"]).await.status, 201);
    assert_eq!(world.poll(DELETIONS, &first).await["status"], "SUCCESS");
    assert_eq!(world.create(DELETIONS, &["u2"]).await.status, 201);
}

#[tokio::test]
async fn with_conflicts_off_nothing_is_refused() {
    let world = World::with(swift()).await;
    world.command("settings", &json!({"conflicts": "off"})).await;
    world.created(DELETIONS, &["u1"]).await;
    world.created(DELETIONS, &["u1"]).await;
}

#[tokio::test]
async fn a_deletion_can_be_cancelled_until_it_has_started() {
    let world = World::with(Settings { task_polls: Some(1), ..swift() }).await;
    let cancel = async |id: &str| {
        let path = format!("{DELETIONS}{id}");
        world.gdpr("DELETE", &path, &Value::Null).await.unwrap().status
    };
    let early = world.created(DELETIONS, &["u1"]).await;
    assert_eq!(cancel(&early).await, 204);
    assert_eq!(world.poll(DELETIONS, &early).await["status"], "REVOKED");
    let late = world.created(DELETIONS, &["u1"]).await;
    for _ in 0..3 {
        world.poll(DELETIONS, &late).await;
    }
    assert_eq!(cancel(&late).await, 405);
    assert_eq!(cancel("no-such-task").await, 404);
}

#[tokio::test]
async fn the_prose_form_of_cancel_cancels_by_ids_but_creates_when_it_is_posted() {
    let world = World::with(swift()).await;
    world.command("settings", &json!({"cancel_shape": "task-id", "task_polls": 5})).await;
    let id = world.created(DELETIONS, &["u1"]).await;
    let body = json!({"distinct_ids": ["u1"]});
    let cancelled = world.gdpr("DELETE", DELETIONS, &body).await.unwrap();
    assert_eq!(
        (cancelled.status, cancelled.json()["results"]["task_id"].clone()),
        (200, json!(id))
    );
    assert_eq!(world.gdpr("POST", DELETIONS, &body).await.unwrap().status, 201);
    assert_eq!(world.stats().await["tasks"]["deletion"], json!({"PENDING": 1, "REVOKED": 1}));
}

#[tokio::test]
async fn an_unknown_task_is_not_found_within_an_ordinary_answer() {
    let world = World::with(swift()).await;
    assert_eq!(world.poll(RETRIEVALS, "1580000000000000001").await["status"], "NOT_FOUND");
}

#[tokio::test]
async fn a_task_of_one_project_is_hidden_from_another() {
    let world =
        World::with(Settings { projects: vec!["second:secret".to_owned()], ..swift() }).await;
    let id = world.created(DELETIONS, &["u1"]).await;
    let path = format!("{DELETIONS}{id}?token=second");
    let headers = [("authorization", "Bearer secret")];
    let answer = world.call("GET", &path, &headers, b"").await.unwrap();
    assert_eq!(answer.json()["results"]["status"], "NOT_FOUND");
}

#[tokio::test]
async fn wrong_credentials_are_refused_and_can_be_changed_at_run_time() {
    let world = World::with(swift()).await;
    let path = format!("{DELETIONS}?token=emulator-project-token");
    let body = json!({"distinct_ids": ["u1"]}).to_string();
    let ask = async |path: &str, bearer: &str| {
        let headers = [("authorization", bearer)];
        let answer = world.call("POST", path, &headers, body.as_bytes()).await.unwrap();
        assert_eq!(answer.json()["status"] == "error", answer.status >= 400);
        answer.status
    };
    assert_eq!(ask(&path, "Bearer wrong").await, 401);
    assert_eq!(ask(&path, "Basic abc").await, 401);
    assert_eq!(ask(&format!("{DELETIONS}?token=other"), BEARER).await, 403);
    world.command("settings", &json!({"auth": "forbidden"})).await;
    assert_eq!(ask(&path, BEARER).await, 403);
    world.command("settings", &json!({"auth": "check", "oauth_token": "renewed"})).await;
    assert_eq!(ask(&path, BEARER).await, 401);
    assert_eq!(ask(&path, "Bearer renewed").await, 201);
}

#[tokio::test]
async fn a_slashless_post_is_redirected_on_command() {
    let world = World::with(swift()).await;
    world.command("settings", &json!({"redirect_slashless": "on"})).await;
    let body = json!({"distinct_ids": ["u1"]});
    let answer = world.gdpr("POST", DELETIONS.trim_end_matches('/'), &body).await.unwrap();
    assert_eq!(answer.status, 301);
    let location = answer.header("location");
    assert_eq!(location, Some("/api/app/data-deletions/v3.0/?token=emulator-project-token"));
    assert_eq!(world.stats().await["created"]["deletion"], 0);
}

#[tokio::test]
async fn a_task_can_be_given_its_end_by_command() {
    let world = World::with(Settings { task_polls: Some(9), ..swift() }).await;
    let id = world.created(DELETIONS, &["u1"]).await;
    world.command("tasks", &json!({"task": id, "status": "FAILURE"})).await;
    assert_eq!(world.poll(DELETIONS, &id).await["status"], "FAILURE");
}

#[tokio::test]
async fn reset_forgets_everything_but_the_settings() {
    let world = World::with(swift()).await;
    world.created(DELETIONS, &["u1"]).await;
    world.command("reset", &Value::Null).await;
    assert_eq!(world.stats().await["calls"], 0);
    assert_eq!(world.get("/_emulator/tasks").await.json(), json!([]));
    assert_eq!(world.get("/_emulator/settings").await.json()["task_polls"], 0);
}

#[tokio::test]
async fn the_log_can_be_read_from_where_one_left_off() {
    let world = World::with(swift()).await;
    for id in ["u1", "u2", "u3"] {
        world.created(DELETIONS, &[id]).await;
    }
    let rest = world.get("/_emulator/log?since=1").await.text();
    let lines = rest.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let seen: Vec<_> = lines.map(|entry| (entry["seq"].clone(), entry["ids"].clone())).collect();
    assert_eq!(seen, [(json!(2), json!(["u2"])), (json!(3), json!(["u3"]))]);
}
