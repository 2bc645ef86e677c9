//! Many at once, and projects side by side.

use serde_json::json;

use crate::world::{World, document};

#[tokio::test]
async fn a_batch_never_splits_a_person_and_never_repeats_an_id() {
    let mut world = World::new().await;
    world.set("GDPR_BATCH_DELETION", "10");
    let _worker = world.worker().await;
    let people = (0..40).map(|n| {
        let ids: Vec<String> = (0..3).map(|i| format!("user-{n:03}-{i}")).collect();
        json!({ "kind": "deletion", "distinct_ids": ids })
    });
    world.add_many(people).await;
    // Two that overlap, but neither holds the other.
    world
        .add_many([
            document("deletion", &["user-x", "user-y"]),
            document("deletion", &["user-y", "user-z"]),
        ])
        .await;
    world.until_stats(&[("deletion.completed", 42)]).await;
    for call in world.emulator.created("create-deletion").await {
        let ids: Vec<&str> =
            call["ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
        assert!(ids.len() <= 10);
        let unique: std::collections::HashSet<_> = ids.iter().collect();
        assert_eq!(unique.len(), ids.len());
        for id in ids.iter().filter(|id| id.ends_with("-0")) {
            let stem = id.trim_end_matches('0');
            assert!(
                ids.contains(&format!("{stem}1").as_str())
                    && ids.contains(&format!("{stem}2").as_str())
            );
        }
    }
}

/// What was left over of a full batch went at once, however little: in a steady stream every other batch was a small one.
#[tokio::test]
async fn what_is_left_over_of_a_full_batch_waits_for_company() {
    let mut world = World::new().await;
    world.set("GDPR_BATCH_DELETION", "10");
    world.set("GDPR_LINGER", "60s");
    let _worker = world.worker().await;
    let some = |from: usize, to: usize| {
        (from..to).map(|n| document("deletion", &[&format!("user-{n:03}")]))
    };
    world.add_many(some(0, 15)).await;
    world.until_stats(&[("deletion.completed", 10)]).await;
    world.add_many(some(15, 20)).await;
    world.until_stats(&[("deletion.completed", 20)]).await;
    let sizes = world.emulator.created("create-deletion").await;
    let sizes: Vec<_> = sizes.iter().map(|call| call["ids"].as_array().unwrap().len()).collect();
    assert_eq!(sizes, [10, 10]);
}

#[tokio::test]
async fn the_most_urgent_go_first() {
    let mut world = World::new().await;
    world.set("GDPR_BATCH_DELETION", "1");
    // After the first call there is time for the others to come in.
    world.set("GDPR_REQUEST_INTERVAL", "5s");
    let _worker = world.worker().await;
    let first = world.add(&document("deletion", &["user-first"])).await;
    world.until(&first, "submitted completed").await;
    let old = json!({ "kind": "deletion", "distinct_ids": ["user-old"], "received_at": "2026-01-01T00:00:00Z" });
    world
        .add_many((0..5).map(|n| document("deletion", &[&format!("user-{n}")])).chain([old]))
        .await;
    let sent = world
        .wait("the second call", async || {
            let sent = world.emulator.created("create-deletion").await;
            sent.get(1).map(|call| call["ids"][0].clone())
        })
        .await;
    assert_eq!(sent, "user-old");
}

#[tokio::test]
async fn two_projects_of_one_file_do_not_meet() {
    let mut world = World::with(mixpanel_emulator::Settings {
        projects: vec!["token-b:oauth-b".into()],
        ..World::quick()
    })
    .await;
    world.unset("MIXPANEL_OAUTH_TOKEN");
    world.unset("MIXPANEL_PROJECT_TOKEN");
    world.unset("GDPR_ARCHIVE_URL");
    let file = world.folder().join("gdpr-worker.toml");
    std::fs::write(
        file,
        "[projects.web]\nmixpanel_project_token = \"emulator-project-token\"\nmixpanel_oauth_token = \"emulator-oauth-token\"\narchive_url = \"web\"\n\
         [projects.app]\nmixpanel_project_token = \"token-b\"\nmixpanel_oauth_token = \"oauth-b\"\narchive_url = \"app\"\n",
    )
    .unwrap();
    let _worker = world.worker().await;
    for project in ["web", "app"] {
        let stream = format!("gdpr:{{{project}}}:requests");
        let ask = document("deletion", &[&format!("user-{project}")]).to_string();
        let id: String = world.ask(&["XADD", &stream, "*", "request", &ask]).await;
        world
            .wait("the deletion", async || {
                let key = format!("gdpr:{{{project}}}:request:{id}");
                let status: Option<String> = world.ask(&["HGET", &key, "status"]).await;
                (status.as_deref() == Some("completed")).then_some(())
            })
            .await;
    }
    for call in world.emulator.created("create-deletion").await {
        let expected = if call["project"] == "token-b" { "user-app" } else { "user-web" };
        assert_eq!(call["ids"], json!([expected]));
    }
}

/// A node of a Redis Cluster refuses a script that touches keys of two slots.
#[tokio::test]
async fn every_key_of_a_project_lies_in_one_slot_of_a_cluster() {
    let world = World::on(World::quick(), &["--cluster-enabled", "yes"]).await;
    let _: String = world.ask(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]).await;
    world
        .wait("the cluster", async || {
            let info: String = world.ask(&["CLUSTER", "INFO"]).await;
            info.contains("cluster_state:ok").then_some(())
        })
        .await;
    let _worker = world.worker().await;
    let copy = world.add(&document("retrieval", &["user-001", "user-1b"])).await;
    let erasure = world.add(&document("deletion", &["user-001"])).await;
    let withdrawn = world.add(&json!({ "kind": "cancellation", "request_id": copy })).await;
    world.until(&erasure, "completed").await;
    world.until(&copy, "completed cancelled").await;
    world.until(&withdrawn, "completed failed").await;
    let keys: Vec<String> = world.ask(&["KEYS", "*"]).await;
    let mut slots = std::collections::HashSet::new();
    for key in keys {
        slots.insert(world.ask::<u16>(&["CLUSTER", "KEYSLOT", &key]).await);
    }
    assert_eq!(slots.len(), 1);
}
