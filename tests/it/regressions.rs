//! Faults that were found once, each by its story.

use mixpanel_emulator::Settings;
use serde_json::json;

use crate::world::{World, document, tag, unzip};

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
    assert!(world.until(&id, "expired").await["reason"].contains("share their store"));
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

/// The one who was left of a batch counted as the only person of its export, and got the others' records with it.
#[tokio::test]
async fn an_export_that_was_kept_is_nobodys_once_its_people_are_not_all_known() {
    let mut world = World::with(Settings {
        export_format: mixpanel_emulator::forms::ExportFormat::ZipPassword,
        ..World::quick()
    })
    .await;
    let worker = world.worker().await;
    let ids = world
        .add_many([document("retrieval", &["user-001"]), document("retrieval", &["user-002"])])
        .await;
    let batch = world.until(&ids[0], "held").await["batch"].clone();
    assert_eq!(world.until(&ids[1], "held").await["batch"], batch);
    worker.kill().await;
    world.set("MIXPANEL_EXPORT_PASSWORD", "emulator-export-password");
    let _worker = world.worker().await;
    let (code, _, _) = world.command(&["fail", &ids[1], "--reason", "answered by hand"]).await;
    assert_eq!(code, 0);
    assert_eq!(world.command(&["retry", &ids[0]]).await.0, 0);
    let events = &unzip(&world.until(&ids[0], "completed").await["archive"])["events.ndjson"];
    assert!(events.contains("user-001") && !events.contains("user-002"));
}

/// A retrieval followed somebody else's task for its id, and took the whole of that export for one person's.
#[tokio::test]
async fn a_retrieval_does_not_take_the_export_of_a_task_that_others_may_be_in() {
    let mut world = World::with(World::patient()).await;
    world.set("GDPR_BACKOFF_MIN", "100ms");
    world.set("GDPR_BACKOFF_MAX", "300ms");
    let live = world.emulator.create_by_hand("retrieval", &["user-001", "user-002"]).await;
    world
        .emulator
        .fault(json!({ "match": "create-retrieval", "fault": "conflict", "ids": ["user-001"], "task": live, "times": 1 }))
        .await;
    let _worker = world.worker().await;
    let id = world.add(&document("retrieval", &["user-001"])).await;
    let task = world.until(&id, "submitted").await["tracking_id"].clone();
    world.emulator.force(&task, "SUCCESS").await;
    let events = &unzip(&world.until(&id, "completed").await["archive"])["events.ndjson"];
    assert!(events.contains("user-001") && !events.contains("user-002"));
}

/// An export that could not be read was held to be looked at, and was destroyed by the next look through the spool.
#[tokio::test]
async fn an_export_that_cannot_be_read_is_kept_while_its_request_is_held() {
    let world = World::new().await;
    world.emulator.change(json!({ "export_format": "gzip" })).await;
    world.emulator.fault(json!({ "match": "export", "fault": "corrupt" })).await;
    let worker = world.worker().await;
    let id = world.add(&document("retrieval", &["user-001"])).await;
    let reason = world.until(&id, "held").await["reason"].clone();
    assert!(reason.contains("cannot be read") && reason.contains("new export"), "{reason}");
    worker.kill().await;
    // It begins by looking through its spool.
    let _worker = world.worker().await;
    let kept = || std::fs::read_dir(world.archives().join(".spool")).unwrap().count();
    assert_eq!(kept(), 1);
    // A retry asks for another one.
    world.emulator.heal().await;
    assert_eq!(world.command(&["retry", &id]).await.0, 0);
    world.until(&id, "completed").await;
    assert_eq!(world.emulator.created("create-retrieval").await.len(), 2);
}

/// The folder of archives was mounted elsewhere: every archive in it was taken for an orphan and destroyed.
#[tokio::test]
async fn archives_are_no_orphans_because_their_folder_has_another_name_now() {
    let mut world = World::new().await;
    let worker = world.worker().await;
    let id = world.add(&document("retrieval", &["user-001"])).await;
    let archive = world.until(&id, "completed").await["archive"].clone();
    worker.kill().await;
    let yesterday = std::time::SystemTime::now() - std::time::Duration::from_secs(24 * 60 * 60);
    std::fs::File::open(&archive).unwrap().set_modified(yesterday).unwrap();
    let elsewhere = world.folder().join("elsewhere");
    std::fs::rename(world.archives(), &elsewhere).unwrap();
    world.set("GDPR_ARCHIVE_URL", elsewhere.display().to_string());
    let worker = world.worker().await;
    worker.until_logged("the store was compared").await;
    let moved = elsewhere.join(format!("{id}.zip"));
    assert!(moved.exists());
    // Its end comes all the same.
    let _: i64 =
        world.ask(&["ZADD", "gdpr:{default}:work:delayed", "0", &format!("expire/{id}")]).await;
    assert_eq!(world.until(&id, "expired").await.get("reason"), None);
    assert!(!moved.exists());
}

/// A link went stale while Mixpanel's API was down: each question that had no answer counted as a link that failed.
#[tokio::test]
async fn a_stale_link_is_not_given_up_because_mixpanel_does_not_answer() {
    let mut world = World::with(World::patient()).await;
    world.set("GDPR_BACKOFF_MIN", "10ms");
    world.set("GDPR_BACKOFF_MAX", "50ms");
    world
        .emulator
        .fault(json!({ "match": "export", "fault": "stall", "seconds": 2, "times": 1 }))
        .await;
    world
        .emulator
        .fault(json!({ "match": "export", "fault": "status", "status": 403, "times": 7 }))
        .await;
    let _worker = world.worker().await;
    let id = world.add(&document("retrieval", &["user-001"])).await;
    let task = world.until(&id, "submitted").await["tracking_id"].clone();
    world.emulator.force(&task, "SUCCESS").await;
    world.until(&id, "packaging").await;
    world
        .emulator
        .fault(json!({ "match": "poll", "fault": "status", "status": 503, "times": 6 }))
        .await;
    world.until(&id, "completed held").await;
    assert_eq!(world.status(&id).await, "completed");
}

/// Two intakes at once, or a crash between them, let an opt-in that was enqueued first override the opt-out after it.
#[tokio::test]
async fn a_word_that_is_taken_in_late_does_not_override_a_later_one() {
    let world = World::new().await;
    let _worker = world.worker().await;
    let out = world.add(&document("opt_out", &["u-1"])).await;
    world.until(&out, "completed").await;
    let ms: u64 = out.split('-').next().unwrap().parse().unwrap();
    let requests = "gdpr:{default}:requests";
    let earlier = format!("{}-0", ms - 2000);
    let _: String = world.ask(&["XSETID", requests, &earlier]).await;
    let _: String = world.ask(&["XGROUP", "SETID", requests, "workers", &earlier]).await;
    let document = document("opt_in", &["u-1"]).to_string();
    let late = format!("{}-0", ms - 1000);
    let _: String = world.ask(&["XADD", requests, &late, "request", &document]).await;
    let hash = world.until(&late, "completed").await;
    assert!(hash["reason"].contains("overtaken"), "{hash:?}");
    let user = format!("gdpr:{{default}}:user:{}", tag("u-1"));
    assert_eq!(world.ask::<String>(&["HGET", &user, "consent"]).await, "opted_out");
    world.until_queue_is_empty().await;
    assert!(world.records("$opt_in").await.is_empty());
}

/// Every parcel put everybody in it on the wire, also those who were left out: who was sent events all the time was
/// never opted out.
#[tokio::test]
async fn an_opt_out_ends_though_events_of_that_person_keep_coming() {
    let mut world = World::new().await;
    world.set("GDPR_CALL_TIMEOUT", "2s");
    world.emulator.fault(json!({ "match": "import", "fault": "slow", "seconds": 1 })).await;
    let _worker = world.worker().await;
    let event = json!({ "event": "Busy", "properties": { "distinct_id": "u-1" } });
    let other = json!({ "event": "Busy", "properties": { "distinct_id": "u-2" } });
    let producing = async {
        loop {
            world.put_event(&json!([event, other])).await;
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let deciding = async {
        world.until_records("Busy", 1).await;
        let out = world.add(&document("opt_out", &["u-1"])).await;
        // Even if the person comes back before that is acknowledged.
        world.until(&out, "queued completed").await;
        let back = world.add(&document("opt_in", &["u-1"])).await;
        world.until(&back, "completed").await;
        world.until(&out, "completed").await;
    };
    tokio::select! {
        () = producing => {}
        () = deciding => {}
    }
}

/// A record that had been set aside was put back after its person had opted out and in again.
#[tokio::test]
async fn what_was_set_aside_before_an_opt_out_cannot_be_put_back_after_it() {
    let world = World::new().await;
    let _worker = world.worker().await;
    let wrong = json!({ "event": "Old", "properties": { "distinct_id": "u-1", "time": 5 } });
    world.put_event(&wrong).await;
    world.until_queue_is_empty().await;
    for kind in ["opt_out", "opt_in"] {
        let id = world.add(&document(kind, &["u-1"])).await;
        world.until(&id, "completed").await;
    }
    let sent = world.records("Old").await.len();
    world.command(&["refused", "--retry", "all"]).await;
    world.until_queue_is_empty().await;
    assert_eq!(world.records("Old").await.len(), sent);
    assert!(world.refused().await.is_empty());
}

/// One value that somebody had changed by hand stopped the events of the whole project.
#[tokio::test]
async fn a_consent_that_cannot_be_read_forbids_for_that_person_alone() {
    let world = World::new().await;
    let _worker = world.worker().await;
    let user = format!("gdpr:{{default}}:user:{}", tag("u-1"));
    let _: u64 = world.ask(&["HSET", &user, "consent", "OUT"]).await;
    for person in ["u-1", "u-2"] {
        world.put_event(&json!({ "event": "A", "properties": { "distinct_id": person } })).await;
    }
    world.until_queue_is_empty().await;
    let all = world.records("A").await;
    assert!(all.len() == 1 && all[0]["properties"]["distinct_id"] == "u-2");
}

/// An entry with two records under two names lost one of them.
#[tokio::test]
async fn an_entry_with_several_payloads_is_set_aside_whole() {
    let world = World::new().await;
    let _worker = world.worker().await;
    let event = r#"{"event":"A","properties":{"distinct_id":"u-1"}}"#;
    let events = "gdpr:{default}:events";
    let _: String = world.ask(&["XADD", events, "*", "event", event, "event", event]).await;
    world.until_queue_is_empty().await;
    assert!(world.records("A").await.is_empty());
    assert_eq!(world.refused().await.len(), 1);
}

/// A record retention of more than the age of Unix time made an entry id below zero: what was refused was never settled.
#[tokio::test]
async fn the_longest_times_that_settings_take_are_lived_with() {
    let mut world = World::new().await;
    for time in ["ARCHIVE", "EVENT", "PROFILE", "RECORD"] {
        world.set(&format!("GDPR_{time}_RETENTION"), "36525d");
    }
    let _worker = world.worker().await;
    let wrong = json!({ "event": "Old", "properties": { "distinct_id": "u-1", "time": 5 } });
    world.put_event(&wrong).await;
    world.put_event(&json!({ "event": "New", "properties": { "distinct_id": "u-1" } })).await;
    world.until_queue_is_empty().await;
    assert_eq!(world.refused().await.len(), 1);
    for kind in ["retrieval", "deletion"] {
        let id = world.add(&document(kind, &["u-1"])).await;
        world.until(&id, "completed").await;
    }
    let (code, out, err) = world.command(&["retention", "--json"]).await;
    assert_eq!(code, 0, "{out}{err}");
}
