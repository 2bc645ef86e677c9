//! Faults on command, as a caller meets them.

use std::time::{Duration, Instant};

use mixpanel_emulator::Settings;
use serde_json::{Value, json};

use crate::client::{DELETIONS, RETRIEVALS, World, swift};

const DEADLINE: Duration = Duration::from_secs(20);

async fn world(rule: Value) -> World {
    let world = World::with(swift()).await;
    world.command("faults", &rule).await;
    world
}

async fn post(world: &World, id: &str) -> Option<crate::client::Answer> {
    world.gdpr("POST", DELETIONS, &json!({"distinct_ids": [id]})).await
}

async fn created(world: &World) -> Value {
    world.stats().await["created"]["deletion"].clone()
}

#[tokio::test]
async fn a_status_with_html_is_answered_the_times_that_are_asked() {
    let world = world(json!({"match": "create-deletion", "fault": "status", "status": 503,
        "headers": {"Retry-After": "4"}, "times": 2}))
    .await;
    for _ in 0..2 {
        let answer = post(&world, "u1").await.unwrap();
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("4")));
        assert!(answer.text().starts_with("<html>"));
    }
    assert_eq!(post(&world, "u1").await.unwrap().status, 201);
    assert_eq!(created(&world).await, 1);
}

#[tokio::test]
async fn act_then_faults_take_effect_although_the_caller_is_not_told() {
    for (rule, status) in [
        (json!({"fault": "act-then-timeout", "seconds": 0.05, "times": 1}), None),
        (json!({"fault": "act-then-close", "times": 1}), None),
        (
            json!({"fault": "act-then-status", "status": 500, "body": "empty", "times": 1}),
            Some(500),
        ),
    ] {
        let world = world(rule.clone()).await;
        let seen = post(&world, "u1").await.map(|answer| answer.status);
        assert_eq!(seen, status, "{rule}");
        assert_eq!(created(&world).await, 1, "{rule}");
        let entry = &world.log().await[0];
        assert_eq!((&entry["acted"], &entry["fault"]), (&json!(true), &rule["fault"]));
        assert_eq!(post(&world, "u1").await.unwrap().status, 409, "{rule}");
    }
}

#[tokio::test]
async fn timeout_and_close_take_no_effect() {
    for rule in [json!({"fault": "timeout", "seconds": 0.05}), json!({"fault": "close"})] {
        let world = world(rule.clone()).await;
        assert!(post(&world, "u1").await.is_none(), "{rule}");
        assert_eq!(created(&world).await, 0, "{rule}");
        assert_eq!(world.log().await[0]["status"], Value::Null);
    }
}

#[tokio::test]
async fn a_truncated_answer_promises_more_than_it_brings() {
    let world = world(json!({"match": "create", "fault": "truncate"})).await;
    let answer = post(&world, "u1").await.unwrap();
    assert_eq!(answer.status, 201);
    assert!(!answer.whole && !answer.body.is_empty());
    assert_eq!(created(&world).await, 1);
}

#[tokio::test]
async fn a_slow_answer_is_whole_but_takes_its_time() {
    let world = world(json!({"match": "create", "fault": "slow", "seconds": 0.2})).await;
    let start = Instant::now();
    let answer = post(&world, "u1").await.unwrap();
    assert!(answer.whole && answer.status == 201);
    assert!(start.elapsed() >= Duration::from_millis(190), "{:?}", start.elapsed());
}

#[tokio::test]
async fn garbage_redirect_and_retry_after_look_as_they_are_called() {
    let world = world(json!([
        {"fault": "garbage", "times": 1},
        {"fault": "redirect", "times": 1},
        {"fault": "retry-after", "seconds": 9, "times": 1},
    ]))
    .await;
    let garbage = post(&world, "u1").await.unwrap();
    assert_eq!((garbage.status, garbage.header("content-type")), (200, Some("text/html")));
    let redirect = post(&world, "u1").await.unwrap();
    assert_eq!((redirect.status, redirect.header("location")), (301, Some("/moved/")));
    let limited = post(&world, "u1").await.unwrap();
    assert_eq!((limited.status, limited.header("retry-after")), (429, Some("9")));
    assert_eq!(created(&world).await, 0);
}

#[tokio::test]
async fn tasks_with_a_bad_id_fail_and_others_do_not() {
    let world = world(json!({"fault": "fail-tasks", "ids": ["bad"]})).await;
    let bad = world.created(DELETIONS, &["u1", "bad"]).await;
    let good = world.created(DELETIONS, &["u2"]).await;
    assert_eq!(world.poll(DELETIONS, &bad).await["status"], "FAILURE");
    assert_eq!(world.poll(DELETIONS, &good).await["status"], "SUCCESS");
}

#[tokio::test]
async fn a_bad_id_makes_create_answer_400_until_the_batch_is_without_it() {
    let world = world(json!({"fault": "bad-ids", "ids": ["bad"], "name_ids": true})).await;
    let refused = world.create(RETRIEVALS, &["u1", "bad"]).await;
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("[\"bad\"]"));
    assert_eq!(world.create(RETRIEVALS, &["u1"]).await.status, 201);
}

#[tokio::test]
async fn polls_say_the_word_they_are_told_and_then_the_truth() {
    let world =
        world(json!({"fault": "task-status", "task_status": "SOMETHING_NEW", "times": 1})).await;
    let id = world.created(DELETIONS, &["u1"]).await;
    assert_eq!(world.poll(DELETIONS, &id).await["status"], "SOMETHING_NEW");
    assert_eq!(world.poll(DELETIONS, &id).await["status"], "SUCCESS");
}

#[tokio::test]
async fn a_conflict_can_be_pretended() {
    let world = world(json!({"fault": "conflict", "task": "another-task", "times": 1})).await;
    let refused = post(&world, "u1").await.unwrap();
    assert_eq!(refused.status, 409);
    assert_eq!(refused.json()["error"]["conflicting_task_ids"], json!(["another-task"]));
    assert_eq!(post(&world, "u1").await.unwrap().status, 201);
}

#[tokio::test]
async fn a_finished_retrieval_can_hide_its_link_and_name_wrong_ids() {
    let world = world(json!([
        {"fault": "empty-link", "times": 1}, {"fault": "wrong-echo", "times": 1, "skip": 1},
    ]))
    .await;
    let id = world.created(RETRIEVALS, &["u1"]).await;
    let first = world.poll(RETRIEVALS, &id).await;
    assert_eq!((&first["status"], &first["result"]), (&json!("SUCCESS"), &json!("")));
    let second = world.poll(RETRIEVALS, &id).await;
    assert_eq!(second["distinct_ids"], json!(["wrong-person"]));
    assert_ne!(second["result"], "");
}

#[tokio::test]
async fn a_finished_retrieval_can_bring_any_link_for_one_person_or_for_all() {
    let elsewhere = "http://169.254.169.254/latest/meta-data/?a=\"b\"";
    let world = world(json!([
        {"fault": "link", "link": elsewhere, "ids": ["u1"], "times": 2},
        {"fault": "link", "link": "file:///etc/passwd", "skip": 2},
    ]))
    .await;
    let id = world.created(RETRIEVALS, &["u0", "u1"]).await;
    let other = world.created(RETRIEVALS, &["u2"]).await;
    for _ in 0..2 {
        assert_eq!(world.poll(RETRIEVALS, &id).await["result"], elsewhere);
        let own = world.poll(RETRIEVALS, &other).await["result"].clone();
        assert!(own.as_str().unwrap().contains("/exports/"), "{own}");
    }
    for id in [&id, &other] {
        assert_eq!(world.poll(RETRIEVALS, id).await["result"], "file:///etc/passwd");
    }
    let deletion = world.created(DELETIONS, &["u3"]).await;
    assert_eq!(world.poll(DELETIONS, &deletion).await["status"], "SUCCESS");
}

#[tokio::test]
async fn rules_are_listed_and_cleared() {
    let world = world(json!({"match": "poll", "fault": "close", "times": 3})).await;
    let list = world.get("/_emulator/faults").await.json();
    assert_eq!((&list[0]["left"], &list[0]["rule"]["fault"]), (&json!(3), &json!("close")));
    let cleared = world.call("DELETE", "/_emulator/faults", &[], b"").await.unwrap();
    assert_eq!(cleared.json(), json!([]));
}

#[tokio::test]
async fn a_wrong_rule_is_refused_with_what_was_expected_and_adds_nothing() {
    let world = World::with(Settings::default()).await;
    let rules = json!([{"fault": "close"}, {"fault": "explode"}]).to_string();
    let answer = world.call("POST", "/_emulator/faults", &[], rules.as_bytes()).await.unwrap();
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("act-then-timeout"), "{}", answer.text());
    assert_eq!(world.get("/_emulator/faults").await.json(), json!([]));
}

#[tokio::test]
async fn a_call_that_is_held_does_not_hold_up_the_stop() {
    let world = world(json!({"match": "create", "fault": "timeout", "seconds": 3600})).await;
    let held = world.send("POST", DELETIONS, &[], b"{}").await;
    let arrived = async { while world.log().await.is_empty() {} };
    assert!(tokio::time::timeout(DEADLINE, arrived).await.is_ok());
    assert!(tokio::time::timeout(DEADLINE, world.running.stop()).await.is_ok());
    drop(held);
}
