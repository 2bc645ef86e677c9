//! The command line, as an operator uses it.

use serde_json::{Value, json};

use crate::world::{World, document};

#[tokio::test]
async fn enqueue_status_user_history_and_due_agree_with_each_other() {
    let mut world = World::new().await;
    let worker = world.worker().await;
    let (code, out, _) = world
        .command(&["enqueue", "retrieval", "user-001", "$device:77ab", "--id", "t-1", "--json"])
        .await;
    assert_eq!(code, 0);
    assert!(out.contains("t-1"));
    world.until("t-1", "completed").await;

    let (code, out, _) = world.command(&["status", "t-1", "--json"]).await;
    assert_eq!(code, 0);
    let status: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(status["status"], "completed");
    let (code, out, _) = world.command(&["user", "user-001", "--json"]).await;
    assert_eq!(code, 0);
    assert!(out.contains("completed") && !out.contains("user-001"));
    for args in [["history", "--request", "t-1"], ["history", "--user", "user-001"]] {
        let (code, out, _) = world.command(&args).await;
        assert_eq!(code, 0);
        for word in ["queued", "submitting", "submitted", "packaging", "completed"] {
            assert!(out.contains(word), "{args:?}: {out}");
        }
    }
    worker.kill().await;

    world.set("GDPR_LINGER", "1h");
    let _worker = world.worker().await;
    let open = world.add(&document("deletion", &["user-002"])).await;
    world.until(&open, "queued").await;
    let (code, out, _) = world.command(&["due"]).await;
    assert_eq!(code, 0);
    assert!(out.contains(&open) && !out.contains("t-1"));
}

/// What happens to a whole batch is recorded for the batch; who asks about one of its people hears all of it.
#[tokio::test]
async fn the_history_of_one_of_many_tells_what_happened_to_their_batch() {
    let mut world = World::new().await;
    world.set("GDPR_LINGER", "1s");
    let documents = ["user-001", "user-002"].map(|person| document("retrieval", &[person]));
    let ids = world.add_many(documents).await;
    let _worker = world.worker().await;
    for id in &ids {
        world.until(id, "completed").await;
    }
    let created = world.emulator.created("create-retrieval").await;
    assert_eq!(created.len(), 1, "one batch: {created:?}");
    let (_, everything, _) = world.command(&["history"]).await;
    assert!(everything.contains("all 2 of its batch"), "{everything}");
    for args in [["--request", &ids[1]], ["--user", "user-002"]] {
        let (code, out, _) = world.command(&["history", args[0], args[1], "--json"]).await;
        assert_eq!(code, 0);
        let events = out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let path: Vec<(String, Value)> = events
            .filter(|event| event["to"] != "")
            .map(|event| (event["to"].as_str().unwrap().to_owned(), event["requests"].clone()))
            .collect();
        let expected = ["queued", "submitting", "submitted", "packaging", "completed"]
            .map(|status| (status.to_owned(), json!([ids[1]])));
        assert_eq!(path, expected);
    }
}

#[tokio::test]
async fn a_csv_is_enqueued_row_by_row_and_bad_rows_are_named_by_number_only() {
    let world = World::new().await;
    let csv = "kind,distinct_ids,id\ndeletion,user-001|user-1b,t-1\nnonsense,secret@example.test,t-2\nretrieval,user-003,t-3\n";
    let (code, out, err) = world.command_with(&["enqueue", "--csv", "-"], csv).await;
    assert_eq!(code, 1, "a refused row is a failure");
    assert!(!format!("{out}{err}").contains("secret@"));
    assert!(format!("{out}{err}").contains('3'), "the row is named: {err}");
    let _worker = world.worker().await;
    assert_eq!(world.until("t-1", "completed").await["distinct_ids"], "2");
    world.until("t-3", "completed").await;
}

#[tokio::test]
async fn check_says_what_is_wrong_and_what_to_do() {
    let mut world = World::new().await;
    let (code, out, err) = world.command(&["check"]).await;
    assert_eq!(code, 0, "{out}{err}");
    world.emulator.change(json!({ "auth": "unauthorized" })).await;
    let (code, out, _) = world.command(&["check"]).await;
    assert_eq!(code, 1);
    assert!(out.contains("MIXPANEL_OAUTH_TOKEN"), "{out}");
    world.unset("GDPR_PEPPER");
    let (code, out, err) = world.command(&["check"]).await;
    assert_eq!(code, 1);
    assert!(format!("{out}{err}").contains("GDPR_PEPPER"));
    let (code, out, _) = world.command(&["check", "--make-pepper"]).await;
    assert!(code == 0 && out.trim().len() >= 32);
}

#[tokio::test]
async fn nothing_starts_with_a_wrong_setting() {
    let mut world = World::new().await;
    world.set("GDPR_LINGER", "soon");
    let (code, _, err) = world.command(&["run"]).await;
    assert_ne!(code, 0);
    assert!(err.contains("GDPR_LINGER") && err.contains("soon"), "{err}");
}

#[tokio::test]
async fn unknown_requests_usage_and_schema_have_their_exit_codes() {
    let world = World::new().await;
    assert_eq!(world.command(&["status", "no-such-request"]).await.0, 1);
    assert_eq!(world.command(&["retry", "no-such-request"]).await.0, 1);
    assert_eq!(world.command(&["conquer"]).await.0, 2);
    assert_eq!(world.command(&["health"]).await.0, 1);
    let (code, out, _) = world.command(&["schema"]).await;
    assert_eq!(code, 0);
    let schema: Value = serde_json::from_str(&out).unwrap();
    assert!(schema["properties"]["kind"].is_object());
}

#[tokio::test]
async fn health_metrics_and_the_status_page_are_served() {
    let mut world = World::new().await;
    let port = crate::world::free_port();
    world.set("GDPR_LISTEN", format!("127.0.0.1:{port}"));
    let _worker = world.worker().await;
    let id = world.add(&document("deletion", &["user-001"])).await;
    world.until(&id, "completed").await;
    assert_eq!(world.command(&["health"]).await.0, 0);
    let page = async |path: &str| {
        reqwest::get(format!("http://127.0.0.1:{port}{path}")).await.unwrap().text().await.unwrap()
    };
    assert!(
        page("/metrics")
            .await
            .contains(r#"gdpr_requests{project="default",kind="deletion",status="completed"} 1"#)
    );
    assert!(page("/").await.contains("deletion.completed"));
    assert!(!page("/metrics").await.contains("user-001"));
}
