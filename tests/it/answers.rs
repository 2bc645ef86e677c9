//! Everything that Mixpanel may answer.

use mixpanel_emulator::Settings;
use serde_json::{Value, json};

use crate::world::{World, document};

#[tokio::test]
async fn every_documented_and_observed_shape_of_an_answer_is_understood() {
    let world = World::new().await;
    let _worker = world.worker().await;
    let mut n = 0;
    for create in ["array", "task-id", "object"] {
        for poll in ["prose", "openapi"] {
            for link in ["result", "results", "destination_url"] {
                let twist = if n % 2 == 0 { "on" } else { "off" };
                world
                    .emulator
                    .change(json!({ "create_shape": create, "poll_shape": poll, "link_field": link,
                        "quote_links": twist, "numeric_ids": twist, "status_case": if n % 2 == 0 { "lower" } else { "mixed" } }))
                    .await;
                n += 1;
                let copy = world.add(&document("retrieval", &[&format!("user-r{n}")])).await;
                let erasure = world.add(&document("deletion", &[&format!("user-d{n}")])).await;
                world.until(&copy, "completed").await;
                world.until(&erasure, "completed").await;
            }
        }
    }
}

#[tokio::test]
async fn an_export_is_opened_in_every_format() {
    let mut world = World::new().await;
    world.set("MIXPANEL_EXPORT_PASSWORD", "emulator-export-password");
    let _worker = world.worker().await;
    for format in
        ["ndjson", "array", "pretty", "gzip", "zip", "zip-password", "zip-aes", "zip-gzip"]
    {
        world.emulator.change(json!({ "export_format": format })).await;
        let id = world.add(&document("retrieval", &[&format!("user-{format}")])).await;
        let hash = world.until(&id, "completed held").await;
        assert_eq!(hash["status"], "completed", "{format}: {:?}", hash.get("reason"));
        let entries = crate::world::unzip(&hash["archive"]);
        assert_eq!(entries["events.ndjson"].lines().count(), 20, "{format}");
    }
}

#[tokio::test]
async fn a_sealed_export_without_its_password_is_held_until_an_operator_decides() {
    let mut world = World::with(Settings {
        export_format: mixpanel_emulator::forms::ExportFormat::ZipPassword,
        ..World::quick()
    })
    .await;
    let _worker = world.worker().await;
    let id = world.add(&document("retrieval", &["user-001"])).await;
    let hash = world.until(&id, "held").await;
    assert!(hash["reason"].contains("MIXPANEL_EXPORT_PASSWORD"));

    world.emulator.change(json!({ "export_format": "zip" })).await;
    // An operator's shell has no credentials of Mixpanel.
    world.unset("MIXPANEL_OAUTH_TOKEN");
    let (code, _, _) = world.command(&["retry", "--new-export", &id]).await;
    assert_eq!(code, 0);
    world.until(&id, "completed").await;
}

#[tokio::test]
async fn a_bad_id_is_found_by_halving_and_only_its_request_fails() {
    for status in [400, 413] {
        let world = World::new().await;
        world
            .emulator
            .fault(json!({ "fault": "bad-ids", "ids": ["user-013"], "status": status }))
            .await;
        let worker = world.worker().await;
        let ids = world
            .add_many((1..=40).map(|n| document("deletion", &[&format!("user-{n:03}")])))
            .await;
        world.until_stats(&[("deletion.completed", 39), ("deletion.failed", 1)]).await;
        let hash = world.request(&ids[12]).await;
        assert_eq!(hash["status"], "failed");
        assert!(hash["reason"].contains(&status.to_string()));
        worker.kill().await;
    }
}

#[tokio::test]
async fn a_refusal_that_names_the_bad_id_needs_no_halving() {
    let world = World::new().await;
    world
        .emulator
        .fault(json!({ "fault": "bad-ids", "ids": ["user-013"], "status": 400, "name_ids": true }))
        .await;
    let _worker = world.worker().await;
    world.add_many((1..=40).map(|n| document("deletion", &[&format!("user-{n:03}")]))).await;
    world.until_stats(&[("deletion.completed", 39), ("deletion.failed", 1)]).await;
    let creates = world.emulator.calls("create-deletion").await.len();
    assert!(creates <= 4, "{creates} creates");
}

#[tokio::test]
async fn ids_with_a_live_task_follow_that_task_and_the_rest_is_sent_again() {
    let world = World::with(World::patient()).await;
    // Somebody deletes two of the people by hand.
    let live = world.emulator.create_by_hand("deletion", &["user-001", "user-002"]).await;

    let _worker = world.worker().await;
    let ids = world
        .add_many([
            document("deletion", &["user-001"]),
            document("deletion", &["user-002", "user-2b"]),
            document("deletion", &["user-003"]),
        ])
        .await;
    assert_eq!(world.until(&ids[0], "submitted").await["tracking_id"], live);
    assert_eq!(world.until(&ids[1], "submitted").await["tracking_id"], live);
    let own = world.until(&ids[2], "submitted").await["tracking_id"].clone();
    assert_ne!(own, live);

    world.emulator.force(&own, "SUCCESS").await;
    world.until(&ids[2], "completed").await;
    world.emulator.force(&live, "SUCCESS").await;
    world.until(&ids[0], "completed").await;
    // The second person has an id that the live task did not have: sent once more, for all of them.
    let again = world
        .wait("a task for the whole of the second person", async || {
            let hash = world.request(&ids[1]).await;
            hash.get("tracking_id").filter(|task| **task != live).cloned()
        })
        .await;
    world.emulator.force(&again, "SUCCESS").await;
    world.until(&ids[1], "completed").await;
}

#[tokio::test]
async fn a_deletion_whose_answer_was_lost_is_found_again_by_the_conflict() {
    for fault in ["act-then-close", "act-then-status", "truncate"] {
        let mut world = World::new().await;
        world.set("GDPR_UNKNOWN_WAIT_DELETION", "200ms");
        world
            .emulator
            .fault(json!({ "match": "create-deletion", "fault": fault, "times": 1 }))
            .await;
        let worker = world.worker().await;
        let id = world.add(&document("deletion", &["user-001"])).await;
        world.until(&id, "completed").await;
        assert_eq!(
            world.emulator.created("create-deletion").await.len(),
            1,
            "{fault}: no second task"
        );
        worker.kill().await;
    }
}

#[tokio::test]
async fn a_lost_answer_to_a_retrieval_is_repeated_once_and_then_held() {
    let mut world = World::new().await;
    world.set("GDPR_UNKNOWN_WAIT_RETRIEVAL", "200ms");
    world.emulator.fault(json!({ "match": "create-retrieval", "fault": "act-then-close" })).await;
    let _worker = world.worker().await;
    let id = world.add(&document("retrieval", &["user-001"])).await;
    let hash = world.until(&id, "held").await;
    assert!(hash["reason"].contains("lost"));
    assert_eq!(world.emulator.created("create-retrieval").await.len(), 2);
    world.emulator.heal().await;
    let (code, _, _) = world.command(&["fail", &id, "--reason", "answered by hand"]).await;
    assert_eq!(code, 0);
    assert_eq!(world.until(&id, "failed").await["reason"], "answered by hand");
}

#[tokio::test]
async fn whatever_a_create_meets_nothing_is_lost() {
    for fault in [
        json!({ "fault": "status", "status": 503, "body": "html" }),
        json!({ "fault": "status", "status": 500, "body": "empty" }),
        json!({ "fault": "status", "status": 404, "body": "json" }),
        json!({ "fault": "status", "status": 429, "body": "text" }),
        json!({ "fault": "garbage" }),
        json!({ "fault": "close" }),
        json!({ "fault": "redirect" }),
        json!({ "fault": "retry-after", "seconds": 1 }),
        json!({ "fault": "timeout", "seconds": 5 }),
    ] {
        let mut world = World::new().await;
        for (variable, value) in [
            ("GDPR_BACKOFF_MIN", "100ms"),
            ("GDPR_BACKOFF_MAX", "1s"),
            ("GDPR_CALL_TIMEOUT", "500ms"),
            ("GDPR_SEND_LEASE", "2s"),
            ("GDPR_UNKNOWN_WAIT_DELETION", "200ms"),
        ] {
            world.set(variable, value);
        }
        let mut rule = fault.clone();
        rule["match"] = json!("create-deletion");
        rule["times"] = json!(2);
        world.emulator.fault(rule).await;
        let worker = world.worker().await;
        let id = world.add(&document("deletion", &["user-001"])).await;
        let hash = world.until(&id, "completed held failed").await;
        assert_eq!(hash["status"], "completed", "{fault}: {:?}", hash.get("reason"));
        assert_eq!(world.emulator.created("create-deletion").await.len(), 1, "{fault}");
        worker.kill().await;
    }
}

#[tokio::test]
async fn whatever_a_poll_meets_the_polling_goes_on() {
    let mut world = World::new().await;
    world.set("GDPR_BACKOFF_MIN", "100ms");
    world.set("GDPR_BACKOFF_MAX", "500ms");
    let _worker = world.worker().await;
    for (n, fault) in [
        json!({ "fault": "status", "status": 503, "body": "html" }),
        json!({ "fault": "status", "status": 404, "body": "json" }),
        json!({ "fault": "status", "status": 429, "body": "json" }),
        json!({ "fault": "garbage" }),
        json!({ "fault": "truncate" }),
        json!({ "fault": "close" }),
        json!({ "fault": "task-status", "task_status": "SOMETHING_NEW" }),
        json!({ "fault": "task-status", "task_status": "UNKNOWN" }),
        json!({ "fault": "task-status", "task_status": "NOT_FOUND" }),
        json!({ "fault": "empty-link" }),
    ]
    .into_iter()
    .enumerate()
    {
        let mut rule = fault.clone();
        rule["match"] = json!("poll");
        rule["times"] = json!(2);
        world.emulator.fault(rule).await;
        let id = world.add(&document("retrieval", &[&format!("user-{n:03}")])).await;
        world.until(&id, "completed").await;
        assert_eq!(world.emulator.created("create-retrieval").await.len(), n + 1, "{fault}");
        world.emulator.heal().await;
    }
}

#[tokio::test]
async fn not_found_is_believed_only_after_it_was_said_five_times_over_the_window() {
    let mut world = World::new().await;
    world.set("GDPR_MISSING_WINDOW", "1s");
    world
        .emulator
        .fault(
            json!({ "match": "poll-deletion", "fault": "task-status", "task_status": "NOT_FOUND" }),
        )
        .await;
    let _worker = world.worker().await;
    let id = world.add(&document("deletion", &["user-001"])).await;
    let first = world.until(&id, "submitted").await["tracking_id"].clone();
    world.until(&id, "queued submitting").await;
    let polls = world.emulator.calls("poll-deletion").await;
    let of_first = polls.iter().filter(|poll| poll["task"] == first.as_str()).collect::<Vec<_>>();
    assert!(of_first.len() >= 5);
    let ms = |poll: &Value| poll["ms"].as_f64().unwrap();
    assert!(ms(of_first[of_first.len() - 1]) - ms(of_first[0]) >= 1000.0);
}

#[tokio::test]
async fn an_id_that_makes_tasks_fail_is_isolated_and_its_request_held() {
    let mut world = World::new().await;
    world.set("GDPR_BACKOFF_MIN", "50ms");
    world.emulator.fault(json!({ "fault": "fail-tasks", "ids": ["user-003"] })).await;
    let _worker = world.worker().await;
    let ids =
        world.add_many((1..=8).map(|n| document("deletion", &[&format!("user-{n:03}")]))).await;
    world.until_stats(&[("deletion.completed", 7), ("deletion.held", 1)]).await;
    assert!(world.request(&ids[2]).await["reason"].contains("FAILURE"));
    world.emulator.heal().await;
    assert_eq!(world.command(&["retry", &ids[2]]).await.0, 0);
    world.until(&ids[2], "completed").await;
}

#[tokio::test]
async fn a_link_that_is_gone_is_replaced_by_a_fresh_one() {
    let world = World::new().await;
    world
        .emulator
        .fault(json!({ "match": "export", "fault": "status", "status": 403, "times": 1 }))
        .await;
    world
        .emulator
        .fault(json!({ "match": "export", "fault": "status", "status": 503, "times": 1 }))
        .await;
    world.emulator.fault(json!({ "match": "export", "fault": "truncate", "times": 1 })).await;
    let _worker = world.worker().await;
    let id = world.add(&document("retrieval", &["user-001"])).await;
    world.until(&id, "completed").await;
    assert_eq!(world.emulator.created("create-retrieval").await.len(), 1);
}

#[tokio::test]
async fn a_download_that_breaks_off_goes_on_and_nothing_of_the_export_stays() {
    let mut world = World::new().await;
    world.set("MIXPANEL_EXPORT_PASSWORD", "emulator-export-password");
    world.emulator.change(json!({ "export_format": "zip-aes", "export_checksums": "on" })).await;
    world
        .emulator
        .fault(json!({ "match": "export", "fault": "cut", "bytes": 300, "times": 2 }))
        .await;
    let _worker = world.worker().await;
    let id = world.add(&document("retrieval", &["user-001"])).await;
    world.until(&id, "completed").await;
    let calls = world.emulator.calls("export").await;
    let ranges: Vec<_> = calls.iter().map(|call| call["range"].as_str()).collect();
    assert_eq!(ranges, [None, Some("bytes=300-"), Some("bytes=600-")]);
    let spool = world.archives().join(".spool");
    world
        .wait("the export to be destroyed", async || {
            (std::fs::read_dir(&spool).unwrap().count() == 0).then_some(())
        })
        .await;
}

#[tokio::test]
async fn an_export_from_a_host_that_is_not_allowed_is_held_and_never_fetched() {
    let mut world = World::new().await;
    world.unset("GDPR_EXPORT_HOSTS");
    let _worker = world.worker().await;
    let id = world.add(&document("retrieval", &["user-001"])).await;
    let hash = world.until(&id, "held").await;
    assert!(hash["reason"].contains("GDPR_EXPORT_HOSTS"));
    assert!(world.emulator.calls("export").await.is_empty());
}

#[tokio::test]
async fn refused_credentials_stop_the_calls_and_lose_nothing() {
    for refusal in ["unauthorized", "forbidden"] {
        let mut world = World::new().await;
        let token = world.folder().join("oauth-token");
        std::fs::write(&token, "expired-token\n").unwrap();
        world.unset("MIXPANEL_OAUTH_TOKEN");
        world.set("MIXPANEL_OAUTH_TOKEN_FILE", token.to_str().unwrap());
        let port = crate::world::free_port();
        world.set("GDPR_LISTEN", format!("127.0.0.1:{port}"));
        let worker = world.worker().await;
        assert_eq!(world.command(&["health"]).await.0, 0);
        let ids =
            world.add_many((1..=3).map(|n| document("deletion", &[&format!("user-{n:03}")]))).await;
        let hash = world
            .wait("a reason", async || {
                let hash = world.request(&ids[0]).await;
                hash.get("reason")
                    .is_some_and(|reason| reason.contains("credentials"))
                    .then_some(hash)
            })
            .await;
        assert_eq!(hash["status"], "queued");
        let (code, out, err) = world.command(&["health"]).await;
        assert_eq!(code, 1);
        assert!(format!("{out}{err}").contains("credentials"));
        assert_eq!(world.command(&["check"]).await.0, 1);
        let calls = world.emulator.calls("create-deletion").await.len();
        assert!(calls <= 3, "{calls} calls with bad credentials");

        // The operator puts a good token into the file; nobody restarts anything.
        std::fs::write(&token, "emulator-oauth-token\n").unwrap();
        for id in &ids {
            world.until(id, "completed").await;
        }
        assert_eq!(world.command(&["health"]).await.0, 0);
        worker.kill().await;
        if refusal == "unauthorized" {
            continue;
        }
        // And 403 is the same: a repaired role is found by itself.
        world.set("GDPR_BACKOFF_MIN", "100ms");
        world.emulator.change(json!({ "auth": "forbidden" })).await;
        let _worker = world.worker().await;
        let id = world.add(&document("deletion", &["user-009"])).await;
        world
            .wait("a reason", async || {
                world
                    .request(&id)
                    .await
                    .get("reason")
                    .is_some_and(|r| r.contains("403"))
                    .then_some(())
            })
            .await;
        world.emulator.change(json!({ "auth": "check" })).await;
        world.until(&id, "completed").await;
    }
}
