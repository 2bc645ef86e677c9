//! One person's request from XADD to its end.

use serde_json::json;

use crate::world::{World, document, unzip};

#[tokio::test]
async fn a_retrieval_ends_as_a_zip_of_that_person_alone() {
    let world = World::new().await;
    let _worker = world.worker().await;
    let id = world.add(&document("retrieval", &["user-001", "$device:77ab"])).await;
    let other = world.add(&document("retrieval", &["user-002"])).await;
    let hash = world.until(&id, "completed").await;
    world.until(&other, "completed").await;

    let entries = unzip(&hash["archive"]);
    let mut names: Vec<_> = entries.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["README.txt", "events.ndjson", "manifest.json", "profile.json"]);
    assert!(entries["events.ndjson"].lines().count() > 0);
    for line in entries["events.ndjson"].lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        let owner = event["properties"]["distinct_id"].as_str().unwrap();
        assert!(["user-001", "$device:77ab"].contains(&owner));
    }
    let bytes = std::fs::read(&hash["archive"]).unwrap();
    assert_eq!(hash["archive_bytes"], bytes.len().to_string());
    assert_eq!(hash["archive_sha256"], sha256(&bytes));
    assert_eq!(hash["kind"], "retrieval");
    assert_eq!(hash["distinct_ids"], "2");
    assert_eq!(hash["mixpanel_status"], "SUCCESS");
    assert!(hash["archive_expires_at"] > hash["updated_at"]);
    assert_eq!(
        world.path(&id).await,
        ["queued", "submitting", "submitted", "packaging", "completed"]
    );
    assert_eq!(world.emulator.stats().await["export_with_authorization"], 0);
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(bytes))
}

#[tokio::test]
async fn archives_and_their_folder_are_closed_to_others() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new().await;
    let _worker = world.worker().await;
    let id = world.add(&document("retrieval", &["user-001"])).await;
    let hash = world.until(&id, "completed").await;
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(hash["archive"].as_ref()), 0o600);
    assert_eq!(mode(&world.archives()), 0o700);
}

#[tokio::test]
async fn a_deletion_is_completed_only_when_mixpanel_reports_success() {
    let world = World::with(World::patient()).await;
    let _worker = world.worker().await;
    let id = world.add(&document("deletion", &["user-001"])).await;
    let hash = world.until(&id, "submitted").await;
    let task = hash["tracking_id"].clone();
    for (word, status) in
        [("STAGING", "submitted"), ("STARTED", "submitted"), ("SUCCESS", "completed")]
    {
        world.emulator.force(&task, word).await;
        world
            .wait(&format!("mixpanel_status {word}"), async || {
                let hash = world.request(&id).await;
                (hash["mixpanel_status"] == word).then_some(())
            })
            .await;
        assert_eq!(world.until(&id, status).await["status"], status);
    }
    assert_eq!(world.path(&id).await, ["queued", "submitting", "submitted", "completed"]);
}

#[tokio::test]
async fn a_person_without_data_gets_an_archive_that_says_so() {
    let world = World::with(mixpanel_emulator::Settings { invent: 0, ..World::quick() }).await;
    let _worker = world.worker().await;
    let id = world.add(&document("retrieval", &["user-001"])).await;
    let hash = world.until(&id, "completed").await;
    let entries = unzip(&hash["archive"]);
    assert_eq!(entries["events.ndjson"], "");
    assert!(entries["README.txt"].to_lowercase().contains("no data"));
}

#[tokio::test]
async fn a_deletion_waits_for_the_open_retrieval_of_the_same_person() {
    let world = World::with(World::patient()).await;
    let _worker = world.worker().await;
    let copy = world.add(&document("retrieval", &["user-001", "user-1b"])).await;
    let task = world.until(&copy, "submitted").await["tracking_id"].clone();
    let erasure = world.add(&document("deletion", &["user-1b"])).await;
    let hash = world.until(&erasure, "queued").await;
    assert!(hash["reason"].contains(&copy));
    assert!(world.emulator.calls("create-deletion").await.is_empty());

    world.emulator.force(&task, "SUCCESS").await;
    world.until(&copy, "completed").await;
    let hash = world.until(&erasure, "submitted").await;
    assert!(!hash.contains_key("reason"));
    world.emulator.force(&hash["tracking_id"], "SUCCESS").await;
    world.until(&erasure, "completed").await;
}

#[tokio::test]
async fn a_retrieval_overtakes_a_deletion_that_was_not_sent_yet() {
    let mut world = World::new().await;
    world.set("GDPR_LINGER", "1h");
    let _worker = world.worker().await;
    let erasure = world.add(&document("deletion", &["user-001"])).await;
    world.until(&erasure, "queued").await;
    let copy = world.add(&document("retrieval", &["user-001"])).await;
    world.until(&copy, "queued").await;
    let hash = world.until(&erasure, "queued").await;
    assert_eq!(hash["reason"], format!("waits for retrieval {copy}"));
}

#[tokio::test]
async fn a_second_request_for_the_same_ids_is_merged_and_one_with_more_ids_is_not() {
    let mut world = World::new().await;
    world.set("GDPR_LINGER", "1h");
    let _worker = world.worker().await;
    let first = world.add(&document("deletion", &["user-001", "user-1b"])).await;
    world.until(&first, "queued").await;
    let same = world.add(&document("deletion", &["user-1b"])).await;
    let more = world.add(&document("deletion", &["user-1b", "user-1c"])).await;
    let other_law = world
        .add(&json!({ "kind": "deletion", "distinct_ids": ["user-1b"], "regulation": "CCPA" }))
        .await;
    assert_eq!(world.until(&same, "merged").await["merged_into"], first);
    let (_, history, _) = world.command(&["history", "--request", &same]).await;
    assert!(history.contains(&format!("merged into {first}")), "{history}");
    world.until(&more, "queued").await;
    world.until(&other_law, "queued").await;
}

#[tokio::test]
async fn an_archive_is_destroyed_when_its_retention_is_over() {
    let mut world = World::new().await;
    world.set("GDPR_ARCHIVE_RETENTION", "1500ms");
    let _worker = world.worker().await;
    let id = world.add(&document("retrieval", &["user-001"])).await;
    let archive = world.until(&id, "completed").await["archive"].clone();
    assert!(std::fs::exists(&archive).unwrap());
    let hash = world.until(&id, "expired").await;
    assert!(!std::fs::exists(&archive).unwrap());
    assert!(!hash.contains_key("archive"));
    assert!(hash.contains_key("archive_sha256"), "what was there can still be proven");
}

#[tokio::test]
async fn deadlines_follow_the_law_of_the_request() {
    let mut world = World::new().await;
    world.set("GDPR_LINGER", "1h");
    let _worker = world.worker().await;
    let ask = |regulation: &str, id: &str| json!({ "kind": "deletion", "distinct_ids": [id], "regulation": regulation, "received_at": "2026-01-31T09:30:00+01:00" });
    let gdpr = world.add(&ask("GDPR", "user-001")).await;
    let ccpa = world.add(&ask("CCPA", "user-002")).await;
    assert_eq!(world.until(&gdpr, "queued").await["due_at"], "2026-02-28T08:30:00Z");
    assert_eq!(world.until(&ccpa, "queued").await["due_at"], "2026-03-17T08:30:00Z");
    let due: Vec<String> = world.ask(&["ZRANGE", "gdpr:{default}:due", "0", "9"]).await;
    assert_eq!(due, [gdpr, ccpa]);
}

#[tokio::test]
async fn a_ccpa_retrieval_says_what_it_wants_disclosed() {
    let world = World::new().await;
    let _worker = world.worker().await;
    let wish = json!({ "kind": "retrieval", "distinct_ids": ["user-001"], "regulation": "CCPA", "disclosure_type": "Categories" });
    let id = world.add(&wish).await;
    let hash = world.until(&id, "completed").await;
    assert_eq!(hash["regulation"], "CCPA");
    let archive = unzip(&hash["archive"]);
    assert!(archive["README.txt"].contains("California"));
}

#[tokio::test]
async fn the_user_hash_tells_the_life_of_a_person() {
    let world = World::new().await;
    let _worker = world.worker().await;
    let id = world.add(&document("retrieval", &["user-001"])).await;
    let hash = world.until(&id, "completed").await;
    let user: std::collections::HashMap<String, String> =
        world.ask(&["HGETALL", &format!("gdpr:{{default}}:user:{}", hash["tags"])]).await;
    assert_eq!(user["retrieval"], "completed");
    assert_eq!(user["archive_expires_at"], hash["archive_expires_at"]);
    assert_eq!(user["requests"], id);
    assert!(!user.contains_key("open"));

    let out = world.add(&document("opt_out", &["user-001"])).await;
    world.until(&out, "completed").await;
    let user: std::collections::HashMap<String, String> =
        world.ask(&["HGETALL", &format!("gdpr:{{default}}:user:{}", hash["tags"])]).await;
    assert_eq!(user["consent"], "opted_out");
}

#[tokio::test]
async fn each_status_change_is_announced() {
    let world = World::new().await;
    let client = redis::Client::open(world.redis.url()).unwrap();
    let mut subscription = client.get_async_pubsub().await.unwrap();
    subscription.psubscribe("gdpr:{default}:changed:*").await.unwrap();
    let _worker = world.worker().await;
    let id = world.add(&document("deletion", &["user-001"])).await;
    let mut heard = Vec::new();
    let mut messages = subscription.on_message();
    while heard.last().is_none_or(|last| last != "completed") {
        let next = futures_util::StreamExt::next(&mut messages);
        let message = tokio::time::timeout(crate::world::PATIENCE, next).await.unwrap().unwrap();
        assert_eq!(message.get_channel_name(), format!("gdpr:{{default}}:changed:{id}"));
        heard.push(message.get_payload::<String>().unwrap());
    }
    assert_eq!(heard, ["queued", "submitting", "submitted", "completed"]);
}
