//! Events through the queue: filtered, delivered, and nothing lost on the way.

use serde_json::{Value, json};

use crate::world::{World, document, event};

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

/// The deletion overtook an event that stood before it in the queue.
#[tokio::test]
async fn a_profile_is_not_deleted_while_an_event_of_that_person_waits_before_the_deletion() {
    let mut world = World::new().await;
    world.set("GDPR_PROFILE_RETENTION", "1s");
    let worker = world.worker().await;
    world.put_event(&event("u-1", "First")).await;
    world.until_queue_is_empty().await;
    world.wait("the retention", async || overdue(&world).await.eq(&1).then_some(())).await;
    assert_eq!(worker.stop().await.0, Some(0));

    world.emulator.fault(json!({ "match": "import", "fault": "status", "status": 503 })).await;
    world.put_event(&event("u-1", "Again")).await;
    let _worker = world.worker().await;
    world
        .wait("the choice", async || {
            (world.ask::<u64>(&["ZCARD", "gdpr:{default}:seen"]).await == 0).then_some(())
        })
        .await;
    let tried = world.emulator.calls("import").await.len();
    world
        .wait("another try", async || {
            (world.emulator.calls("import").await.len() > tried + 1).then_some(())
        })
        .await;
    assert!(world.deletions().await.is_empty(), "the event has not arrived yet");
    world.emulator.heal().await;
    world.until_queue_is_empty().await;
    assert!(world.deletions().await.is_empty(), "the person is back");
    assert_eq!(world.filter().await["out_of_date"], 1);
}

/// Requests named the plain form only, as soon as the setting was switched off.
#[tokio::test]
async fn requests_name_both_forms_when_ids_once_left_as_hashes() {
    let mut world = World::new().await;
    world.set("GDPR_BATCH_RETRIEVAL", "3");
    world.set("GDPR_LINGER", "1s");
    let plain = world.worker().await;
    let before = world.add(&document("deletion", &["u-0"])).await;
    world.until(&before, "completed").await;

    world.set("GDPR_ANONYMIZE_IDS", "true");
    let hashing = world.worker().await;
    assert_eq!(plain.stop().await.0, Some(0));
    world.put_event(&event("u-1", "Hashed")).await;
    world.until_queue_is_empty().await;
    let hashed = world.records("Hashed").await[0]["properties"]["distinct_id"].clone();
    assert_eq!(hashing.stop().await.0, Some(0));

    world.set("GDPR_ANONYMIZE_IDS", "false");
    let _worker = world.worker().await;
    world.put_event(&event("u-1", "Plain")).await;
    world.until_records("Plain", 1).await;
    assert_eq!(world.records("Plain").await[0]["properties"]["distinct_id"], "u-1");
    let first = world.add(&document("retrieval", &["u-1"])).await;
    let second = world.add(&document("retrieval", &["u-2"])).await;
    for id in [&first, &second] {
        assert_eq!(world.until(id, "completed").await["distinct_ids"], "1");
    }
    let retrievals = world.emulator.created("create-retrieval").await;
    // They may go out in either order.
    let of_first = retrievals.iter().find(|call| call["ids"][0] == "u-1");
    assert_eq!(of_first.unwrap()["ids"], json!(["u-1", hashed]));
    assert_eq!(retrievals.len(), 2, "four identifiers do not fit into a batch of three");
    let deletion = world.add(&document("deletion", &["u-1"])).await;
    world.until(&deletion, "completed").await;
    let deletions = world.emulator.created("create-deletion").await;
    assert_eq!(deletions[0]["ids"], json!(["u-0"]));
    assert_eq!(deletions[1]["ids"], json!(["u-1", hashed]));
}

#[tokio::test]
async fn track_delivers_honours_consent_and_sets_aside_what_is_refused() {
    let mut world = World::new().await;
    world.set("GDPR_EVENT_ENDPOINT", "track");
    world.emulator.fault(json!({ "match": "track", "fault": "bad-records", "status": 200 })).await;
    let _worker = world.worker().await;
    let out = world.add(&document("opt_out", &["out"])).await;
    world.until(&out, "completed").await;
    let bad = json!({ "event": "Bad", "properties": { "distinct_id": "u-1", "$fail": true } });
    world
        .put_event(&json!([event("u-1", "A"), event("out", "Hidden"), bad, event("u-2", "B")]))
        .await;
    world.until_queue_is_empty().await;
    assert!(world.emulator.calls("import").await.is_empty());
    for call in world.emulator.calls("track").await {
        assert_eq!(call["ingestion"]["ip"], "0", "{call}");
    }
    for name in ["A", "B"] {
        let record = world.records(name).await.pop().unwrap();
        assert_eq!(record["properties"]["token"], "emulator-project-token");
        assert!(record["properties"]["$insert_id"].is_string());
    }
    assert!(world.records("Hidden").await.is_empty());
    let refused = world.refused().await;
    assert_eq!(refused.len(), 1, "only the bad one");
    assert!(!refused[0]["reason"].is_empty() && refused[0]["kind"] == "event");
    let counts = world.filter().await;
    let told = ["events_delivered", "opted_out", "refused"].map(|name| counts[name]);
    assert_eq!(told, [2, 1, 1]);
    assert_eq!(world.emulator.stats().await["ingested"]["distinct"], 2, "what is in");
}

async fn overdue(world: &World) -> i64 {
    let (code, out, err) = world.command(&["retention", "--json"]).await;
    assert_eq!(code, 0, "{err}");
    serde_json::from_str::<Value>(&out).unwrap()["overdue"].as_i64().unwrap()
}
