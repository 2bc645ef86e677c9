//! Events through the queue: filtered, delivered, and nothing lost on the way.

use serde_json::{Value, json};

use crate::world::{World, document};

fn event(person: &str, name: &str) -> Value {
    json!({ "event": name, "properties": { "distinct_id": person, "time": 1_790_000_000 } })
}

#[tokio::test]
async fn events_profiles_and_arrays_reach_mixpanel_and_leave_the_queue() {
    let world = World::new().await;
    let _worker = world.worker().await;
    let entry = world.put_event(&event("u-1", "Sign Up")).await;
    world.put_event(&json!([event("u-1", "A"), event("u-2", "B")])).await;
    world.put_profile(&json!({ "$distinct_id": "u-1", "$set": { "plan": "pro" } })).await;
    world.until_delivered(4).await;
    world.until_queue_is_empty().await;

    let first = &world.records("Sign Up").await[0];
    assert_eq!(first["properties"]["$insert_id"], format!("{entry}-0"));
    let profile = &world.profiles("u-1").await[0];
    assert_eq!(profile["$set"]["plan"], "pro");
    assert_eq!(profile["$token"], "emulator-project-token");
    for call in world.emulator.calls("import engage").await {
        assert_eq!(call["ingestion"]["ip"], "0", "{call}");
    }
    let counts = world.filter().await;
    assert_eq!((counts["events_delivered"], counts["profiles_delivered"]), (3, 1));
}

#[tokio::test]
async fn what_cannot_be_read_is_set_aside_with_its_reason_and_is_in_nobodys_way() {
    let world = World::new().await;
    for bad in ["", "nonsense", "[]", "7", r#"{"properties":{}}"#, r#"[{"event":"X"},5]"#] {
        world.put("event", bad).await;
    }
    world.put("unknown", "{}").await;
    world.put("profile", r#"{"$set":{}}"#).await;
    let _worker = world.worker().await;
    world.put_event(&event("u-1", "Good")).await;
    world.until_records("Good", 1).await;
    world.until_queue_is_empty().await;
    let refused = world.refused().await;
    assert!(refused.len() >= 8, "{}", refused.len());
    assert!(refused.iter().all(|record| !record["reason"].is_empty()));
    assert_eq!(world.filter().await["refused"], i64::try_from(refused.len()).unwrap());
}

#[tokio::test]
async fn a_record_that_mixpanel_refuses_is_set_aside_alone() {
    let world = World::new().await;
    let _worker = world.worker().await;
    let bad = json!({ "event": "Old", "properties": { "distinct_id": "u-1", "time": 5 } });
    world.put_event(&json!([event("u-1", "A"), bad, event("u-2", "B")])).await;
    world
        .put_profile(&json!([
            { "$distinct_id": "u-1", "$set": { "a": 1 } },
            { "$distinct_id": "u-2", "$set": { "a": 2 } },
        ]))
        .await;
    world.until_queue_is_empty().await;
    let refused = world.refused().await;
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0]["field"], "properties.time");
    assert_eq!(world.records("A").await.len() + world.records("B").await.len(), 2);
    assert_eq!(world.profiles("u-2").await.len(), 1);
}

#[tokio::test]
async fn throttled_failing_and_silent_calls_are_repeated_until_everything_is_there() {
    let mut world = World::new().await;
    world.set("GDPR_CALL_TIMEOUT", "2s");
    for fault in [
        json!({ "match": "import", "fault": "status", "status": 429, "times": 1 }),
        json!({ "match": "import", "fault": "status", "status": 503, "times": 1 }),
    ] {
        world.emulator.fault(fault).await;
    }
    let _worker = world.worker().await;
    world.put_event(&json!([event("u-1", "A"), event("u-2", "B")])).await;
    world.until_records("A", 1).await;
    world.until_queue_is_empty().await;
    assert!(world.refused().await.is_empty());
    assert_eq!(world.emulator.calls("import").await.len(), 3);
}

#[tokio::test]
async fn the_operations_on_a_profile_arrive_in_their_order_whoever_dies_on_the_way() {
    let mut world = World::new().await;
    world.set("GDPR_CALL_TIMEOUT", "1s");
    for n in 0..300 {
        world.put_profile(&json!({ "$distinct_id": "u-1", "$set": { "n": n } })).await;
    }
    world.set("GDPR_FAILPOINT", "deliver.sent");
    world.worker().await.until_dead().await;
    world.unset("GDPR_FAILPOINT");
    let (_one, _two) = (world.worker().await, world.worker().await);
    for n in 300..600 {
        world.put_profile(&json!({ "$distinct_id": "u-1", "$set": { "n": n } })).await;
    }
    world.until_queue_is_empty().await;
    let profiles = world.profiles("u-1").await;
    let numbers: Vec<i64> = profiles.iter().map(|p| p["$set"]["n"].as_i64().unwrap()).collect();
    // What the dead worker had sent comes again from its beginning; nothing comes out of order after that.
    let again = numbers.iter().rposition(|n| *n == 0).unwrap();
    assert_eq!(numbers[again..], (0..600).collect::<Vec<i64>>());
}

#[tokio::test]
async fn a_worker_that_dies_between_claim_and_settlement_loses_nothing() {
    for failpoint in ["deliver.claimed", "deliver.sent"] {
        let mut world = World::new().await;
        world.set("GDPR_CALL_TIMEOUT", "1s");
        world.put_event(&json!([event("u-1", "A"), event("u-2", "A")])).await;
        world.set("GDPR_FAILPOINT", failpoint);
        world.worker().await.until_dead().await;
        world.unset("GDPR_FAILPOINT");
        let _worker = world.worker().await;
        world.until_queue_is_empty().await;
        let all = world.records("A").await;
        let mut ids: Vec<String> =
            all.iter().map(|r| r["properties"]["$insert_id"].to_string()).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 2, "{failpoint}: a repeat has the same $insert_id");
    }
}

#[tokio::test]
async fn geolocation_blacklist_and_hashed_ids_are_in_force_and_requests_find_both_forms() {
    let mut world = World::new().await;
    world.set("GDPR_GEOLOCATION", "off");
    world.set("GDPR_PROPERTY_BLACKLIST", "secret,token");
    world.set("GDPR_ANONYMIZE_IDS", "true");
    let _worker = world.worker().await;
    world
        .put_event(&json!({ "event": "A", "properties": {
            "distinct_id": "u-1", "$user_id": "u-1", "ip": "192.0.2.7", "$city": "Paris",
            "secret": "s", "token": "other", "kept": 1, "mail": "someone@example.test",
        } }))
        .await;
    world
        .put_profile(&json!({ "$distinct_id": "u-1", "$ip": "192.0.2.7",
            "$set": { "secret": "s", "$city": "Paris", "plan": "pro" } }))
        .await;
    world.until_queue_is_empty().await;
    let properties = world.records("A").await[0]["properties"].clone();
    let hashed = properties["distinct_id"].as_str().unwrap().to_owned();
    assert!(hashed.len() == 64 && properties["$user_id"] == hashed.as_str());
    assert_eq!((&properties["ip"], &properties["kept"]), (&json!("0"), &json!(1)));
    for gone in ["secret", "$city"] {
        assert!(properties.get(gone).is_none(), "{gone}");
    }
    let profile = world.profiles(&hashed).await[0].clone();
    assert_eq!((&profile["$ip"], &profile["$set"]), (&json!("0"), &json!({ "plan": "pro" })));
    let counts = world.filter().await;
    assert!(counts["email"] == 1 && counts["blacklisted"] == 2, "{counts:?}");

    for kind in ["retrieval", "deletion"] {
        let id = world.add(&document(kind, &["u-1"])).await;
        let hash = world.until(&id, "completed").await;
        assert_eq!(hash["distinct_ids"], "1");
        let call = &world.emulator.created(&format!("create-{kind}")).await[0];
        assert_eq!(call["ids"], json!(["u-1", hashed]));
    }
}

#[tokio::test]
async fn a_place_can_be_kept_out_of_one_payload() {
    let world = World::new().await;
    let _worker = world.worker().await;
    let with_place =
        json!({ "event": "A", "properties": { "distinct_id": "u-1", "ip": "192.0.2.7" } });
    world.put_event(&with_place).await;
    let text = with_place.to_string().replace("\"A\"", "\"B\"");
    let _: String = world
        .ask(&["XADD", "gdpr:{default}:events", "*", "event", &text, "geolocation", "off"])
        .await;
    world.until_queue_is_empty().await;
    assert_eq!(world.records("A").await[0]["properties"]["ip"], "192.0.2.7");
    assert_eq!(world.records("B").await[0]["properties"]["ip"], "0");
}

#[tokio::test]
async fn a_profile_without_events_is_deleted_so_many_a_day_and_the_dry_run_deletes_none() {
    let mut world = World::new().await;
    world.set("GDPR_PROFILE_RETENTION", "1s");
    world.set("GDPR_PROFILE_DELETIONS_PER_DAY", "0");
    let worker = world.worker().await;
    world.put_event(&json!([event("u-1", "A"), event("u-2", "A"), event("u-3", "A")])).await;
    world.until_queue_is_empty().await;
    world.wait("the retention", async || overdue(&world).await.eq(&3).then_some(())).await;
    assert_eq!(worker.stop().await.0, Some(0));
    assert!(world.deletions().await.is_empty(), "a dry run deletes none");

    world.set("GDPR_PROFILE_DELETIONS_PER_DAY", "2");
    let _worker = world.worker().await;
    world.wait("two deletions", async || (world.deletions().await.len() == 2).then_some(())).await;
    world.until_queue_is_empty().await;
    for deletion in world.deletions().await {
        assert_eq!(deletion["$ignore_alias"], true);
    }
    assert_eq!(overdue(&world).await, 1, "the third is for another day");
}

async fn overdue(world: &World) -> i64 {
    let (code, out, err) = world.command(&["retention", "--json"]).await;
    assert_eq!(code, 0, "{err}");
    serde_json::from_str::<Value>(&out).unwrap()["overdue"].as_i64().unwrap()
}

#[tokio::test]
async fn a_refused_token_keeps_events_and_health_says_so() {
    let mut world = World::new().await;
    world.set("MIXPANEL_PROJECT_TOKEN", "wrong-token");
    let port = crate::world::free_port();
    world.set("GDPR_LISTEN", format!("127.0.0.1:{port}"));
    let worker = world.worker().await;
    world.put_event(&event("u-1", "A")).await;
    world
        .wait("the problem", async || {
            let (code, out, _) = world.command(&["health"]).await;
            (code == 1 && out.contains("MIXPANEL_PROJECT_TOKEN")).then_some(())
        })
        .await;
    worker.kill().await;
    world.set("MIXPANEL_PROJECT_TOKEN", "emulator-project-token");
    let _worker = world.worker().await;
    world.until_records("A", 1).await;
}
