//! Consent: opt-out, opt-in, and that neither a queue nor a wire undoes what a person said.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::world::{World, document, event, tag};

async fn consent(world: &World, person: &str) -> String {
    let user = format!("gdpr:{{default}}:user:{}", tag(person));
    world.ask::<Option<String>>(&["HGET", &user, "consent"]).await.unwrap_or_default()
}

async fn say(world: &World, kind: &str, ids: &[&str]) -> String {
    let id = world.add(&document(kind, ids)).await;
    world.until(&id, "completed").await;
    id
}

#[tokio::test]
async fn an_opt_out_holds_for_every_id_until_the_person_opts_in_again() {
    let world = World::new().await;
    let _worker = world.worker().await;
    say(&world, "opt_out", &["u-1", "$device:d-1"]).await;
    assert_eq!(
        (consent(&world, "u-1").await, consent(&world, "$device:d-1").await),
        ("opted_out".into(), "opted_out".into())
    );
    for properties in [
        json!({ "distinct_id": "u-1" }),
        json!({ "distinct_id": "x", "$device_id": "d-1" }),
        json!({ "distinct_id": "x", "$user_id": "u-1" }),
        json!({ "distinct_id": "x", "$identified_id": "u-1" }),
        json!({ "distinct_id": "x", "alias": "u-1" }),
        json!({ "distinct_id": "x", "$distinct_ids": ["y", "u-1"] }),
    ] {
        world.put_event(&json!({ "event": "Hidden", "properties": properties })).await;
    }
    world.put_profile(&json!({ "$distinct_id": "u-1", "$set": { "a": 1 } })).await;
    world.put_event(&event("u-2", "Seen")).await;
    world.until_records("Seen", 1).await;
    world.until_queue_is_empty().await;
    assert!(world.records("Hidden").await.is_empty() && world.profiles("u-1").await.is_empty());
    assert_eq!(world.filter().await["opted_out"], 7);

    let request = json!({ "kind": "opt_in", "distinct_ids": ["u-1", "$device:d-1"], "properties": { "source": "banner" } });
    let id = world.add(&request).await;
    world.until(&id, "completed").await;
    world.until_records("$opt_in", 1).await;
    world.put_event(&event("u-1", "Back")).await;
    world.until_records("Back", 1).await;
    world.until_queue_is_empty().await;
    let told = world.records("$opt_in").await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["properties"]["source"], "banner");
    assert_eq!(told[0]["properties"]["distinct_id"], "u-1");
    assert!(world.records("Hidden").await.is_empty(), "nothing of before comes after");
}

#[tokio::test]
async fn nobody_is_tracked_without_being_asked_where_that_is_the_default() {
    let mut world = World::new().await;
    world.set("GDPR_CONSENT_DEFAULT", "opted_out");
    let _worker = world.worker().await;
    world.put_event(&event("u-1", "Early")).await;
    say(&world, "opt_in", &["u-1"]).await;
    world.put_event(&event("u-1", "Late")).await;
    world.put_event(&event("u-2", "Early")).await;
    world.put_event(&json!({ "event": "Nobody", "properties": {} })).await;
    world.until_records("Late", 1).await;
    world.until_queue_is_empty().await;
    assert!(world.records("Early").await.is_empty() && world.records("Nobody").await.is_empty());
}

#[tokio::test]
async fn an_opt_out_is_completed_only_when_nothing_on_its_way_can_arrive_any_more() {
    let world = World::new().await;
    world
        .emulator
        .fault(json!({ "match": "import", "fault": "slow", "seconds": 3, "times": 1 }))
        .await;
    let _worker = world.worker().await;
    world.put_event(&event("u-1", "On its way")).await;
    world.until_a_parcel_is_on_the_wire().await;
    let id = world.add(&document("opt_out", &["u-1"])).await;
    let other = world.add(&document("opt_out", &["u-2"])).await;
    world.until(&other, "completed").await;
    let hash = world.until(&id, "queued completed").await;
    assert_eq!(hash["status"], "queued");
    assert!(hash["reason"].contains("was being delivered"), "{}", hash["reason"]);
    assert_eq!(consent(&world, "u-1").await, "opted_out", "in force before it is completed");
    world.until(&id, "completed").await;
    assert!(world.ask::<u64>(&["ZCARD", "gdpr:{default}:wire"]).await == 0);
}

#[tokio::test]
async fn a_delivery_whose_worker_died_is_waited_for_and_not_for_ever() {
    let mut world = World::new().await;
    world.set("GDPR_CALL_TIMEOUT", "1s");
    world.set("GDPR_FAILPOINT", "deliver.claimed");
    world.put_event(&event("u-1", "Claimed")).await;
    world.worker().await.until_dead().await;
    world.unset("GDPR_FAILPOINT");
    let id = world.add(&document("opt_out", &["u-1"])).await;
    let _worker = world.worker().await;
    world.until(&id, "completed").await;
    world.until_queue_is_empty().await;
    assert!(world.records("Claimed").await.is_empty());
}

#[tokio::test]
async fn unsent_events_leave_the_queue_even_while_mixpanel_is_away() {
    let world = World::new().await;
    world.emulator.fault(json!({ "match": "import", "fault": "status", "status": 503 })).await;
    let _worker = world.worker().await;
    world.put_event(&event("u-1", "A")).await;
    let kept = world.put_event(&event("u-2", "B")).await;
    world.put_event(&json!([event("u-1", "A"), event("u-1", "A")])).await;
    say(&world, "opt_out", &["u-1"]).await;
    world
        .wait("the purge", async || {
            let left: Vec<(String, HashMap<String, String>)> =
                world.ask(&["XRANGE", "gdpr:{default}:events", "-", "+"]).await;
            (left.len() == 1 && left[0].0 == kept).then_some(())
        })
        .await;
    say(&world, "opt_in", &["u-1"]).await;
    let before = world.emulator.records().await.len();
    world.emulator.heal().await;
    world.until_queue_is_empty().await;
    let after: Vec<Value> =
        world.emulator.records().await.into_iter().skip(before).map(|a| a.record).collect();
    assert!(after.iter().any(|record| record["event"] == "B"));
    assert!(after.iter().all(|record| record["event"] != "A"));
}

#[tokio::test]
async fn a_deletion_opts_out_first_and_is_not_undone_by_the_next_event() {
    let world = World::new().await;
    let _worker = world.worker().await;
    let id = world.add(&document("deletion", &["user-001"])).await;
    world.until(&id, "submitted completed").await;
    assert_eq!(consent(&world, "user-001").await, "opted_out");
    world.put_event(&event("user-001", "Again")).await;
    world.put_profile(&json!({ "$distinct_id": "user-001", "$set": { "a": 1 } })).await;
    world.until(&id, "completed").await;
    world.put_event(&event("user-001", "Again")).await;
    world.until_queue_is_empty().await;
    assert!(world.records("Again").await.is_empty() && world.profiles("user-001").await.is_empty());
    let user = format!("gdpr:{{default}}:user:{}", tag("user-001"));
    assert_eq!(world.ask::<i64>(&["TTL", &user]).await, -1, "the opt-out outlives the record");

    say(&world, "opt_in", &["user-001"]).await;
    world.put_event(&event("user-001", "Again")).await;
    world.until_records("Again", 1).await;
}

/// Which word is the later one is kept for as long as an earlier one may come; then nothing is left that only helps to tell.
#[tokio::test]
async fn an_opt_in_from_before_a_deletion_does_not_undo_it_however_late_it_is_taken_in() {
    let mut world = World::new().await;
    world.set("GDPR_JOB_LEASE", "2s");
    let requests = "gdpr:{default}:requests";
    let opt_in = world.add(&document("opt_in", &["u-1"])).await;
    let _: String = world.ask(&["XGROUP", "CREATE", requests, "workers", "0"]).await;
    let take = ["XREADGROUP", "GROUP", "workers", "dead", "COUNT", "1", "STREAMS", requests, ">"];
    let _: redis::Value = world.ask(&take).await;

    let _worker = world.worker().await;
    let deletion = world.add(&document("deletion", &["u-1"])).await;
    let held = async {
        loop {
            let hold = ["XCLAIM", requests, "workers", "dead", "0", &opt_in, "JUSTID"];
            let _: redis::Value = world.ask(&hold).await;
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    tokio::select! {
        () = held => {}
        _ = world.until(&deletion, "completed") => {}
    }
    let user = format!("gdpr:{{default}}:user:{}", tag("u-1"));
    let details = ["HMGET", &user, "consent_entry", "purged_to", "events_retained_until"];
    let kept: [Option<String>; 3] = world.ask(&details).await;
    assert_eq!(kept, [Some(deletion), None, None]);

    let hash = world.until(&opt_in, "completed").await;
    assert!(hash["reason"].contains("overtaken"), "{hash:?}");
    assert_eq!(consent(&world, "u-1").await, "opted_out");

    let again = world.add(&document("deletion", &["u-1"])).await;
    world.until(&again, "completed").await;
    assert_eq!(world.ask::<[Option<String>; 3]>(&details).await, [None, None, None]);
    world.put_event(&event("u-1", "Unwanted")).await;
    say(&world, "opt_in", &["u-1"]).await;
    world.put_event(&event("u-1", "Wanted")).await;
    world.until_records("Wanted", 1).await;
    world.until_queue_is_empty().await;
    assert!(world.records("Unwanted").await.is_empty());
}

#[tokio::test]
async fn a_deletion_waits_until_what_was_being_delivered_has_arrived() {
    let world = World::new().await;
    world
        .emulator
        .fault(json!({ "match": "import", "fault": "slow", "seconds": 2, "times": 1 }))
        .await;
    let _worker = world.worker().await;
    world.put_event(&event("u-1", "On its way")).await;
    world.until_a_parcel_is_on_the_wire().await;
    let id = world.add(&document("deletion", &["u-1"])).await;
    let hash = world.until(&id, "queued submitted completed").await;
    assert!(
        hash.get("reason").is_some_and(|reason| reason.contains("was being delivered")),
        "{hash:?}"
    );
    world.until(&id, "completed").await;
    let calls = world.emulator.calls("import create-deletion").await;
    assert_eq!(calls.last().unwrap()["kind"], "create-deletion");
}

/// The second deletion was merged into the first, whose task had begun before the events that came in between.
#[tokio::test]
async fn a_deletion_after_an_opt_in_is_not_the_same_as_the_one_before_it() {
    for last_word in ["opt_in", "opt_out"] {
        let world = World::with(World::patient()).await;
        let _worker = world.worker().await;
        let first = world.add(&document("deletion", &["u-1", "u-2"])).await;
        let task = world.until(&first, "submitted").await["tracking_id"].clone();
        let same = world.add(&document("deletion", &["u-1"])).await;
        world.until(&same, "merged").await;

        say(&world, "opt_in", &["u-1"]).await;
        world.put_event(&event("u-1", "Between")).await;
        world.until_records("Between", 1).await;
        if last_word == "opt_out" {
            say(&world, "opt_out", &["u-1"]).await;
        }
        let second = world.add(&document("deletion", &["u-1"])).await;
        // Mixpanel refuses it for the task that is live: it follows that one.
        assert_eq!(world.until(&second, "submitted").await["tracking_id"], task);
        assert_eq!(consent(&world, "u-1").await, "opted_out");
        let third = world.add(&document("deletion", &["u-1"])).await;
        assert_eq!(world.until(&third, "merged").await["merged_into"], second);

        world.emulator.force(&task, "SUCCESS").await;
        world.until(&first, "completed").await;
        let own = world
            .wait("a task of its own", async || {
                let hash = world.request(&second).await;
                assert_ne!(hash["status"], "completed", "by a task from before it was accepted");
                hash.get("tracking_id").filter(|own| **own != task).cloned()
            })
            .await;
        world.emulator.force(&own, "SUCCESS").await;
        world.until(&second, "completed").await;
        let person = world.emulator.person("u-1").await;
        assert!(person.is_empty(), "{person}");
    }
}

#[tokio::test]
async fn a_deletion_after_an_opt_in_goes_out_with_the_first_one_if_that_still_waits() {
    let mut world = World::new().await;
    world.set("GDPR_LINGER", "2s");
    let _worker = world.worker().await;
    let first = world.add(&document("deletion", &["u-1"])).await;
    world.until(&first, "queued").await;
    say(&world, "opt_in", &["u-1"]).await;
    let second = world.add(&document("deletion", &["u-1"])).await;
    world.until(&second, "completed").await;
    world.until(&first, "completed").await;
    let created = world.emulator.created("create-deletion").await;
    assert_eq!(created.len(), 1, "one task is enough: it was made after both were accepted");
    assert_eq!(created[0]["ids"], json!(["u-1"]));
}

#[tokio::test]
async fn the_user_hash_says_until_when_events_are_kept() {
    let mut world = World::new().await;
    world.set("GDPR_EVENT_RETENTION", "1825d");
    let _worker = world.worker().await;
    say(&world, "opt_out", &["u-1"]).await;
    let user = format!("gdpr:{{default}}:user:{}", tag("u-1"));
    let until: String = world.ask(&["HGET", &user, "events_retained_until"]).await;
    let until = chrono::DateTime::parse_from_rfc3339(&until).unwrap();
    let days = (until.to_utc() - chrono::Utc::now()).num_days();
    assert!((1823..=1825).contains(&days), "{days}");
}

#[tokio::test]
async fn nothing_of_an_event_stays_in_redis_or_in_a_log() {
    const CANARY: &str = "canary.person@example.test";
    let mut world = World::new().await;
    world.set("GDPR_LOG", "trace");
    world.set("GDPR_PROFILE_RETENTION", "100d");
    let worker = world.worker().await;
    world.put_event(&json!({ "event": "canary-event", "properties": { "distinct_id": CANARY, "canary-name": "canary-value" } })).await;
    world.put_profile(&json!({ "$distinct_id": CANARY, "$set": { "canary-name": 1 } })).await;
    world
        .put("event", &json!([{ "event": 5, "properties": { "distinct_id": CANARY } }]).to_string())
        .await;
    world.put("event", CANARY).await;
    let id = world.add(&json!({ "kind": "opt_in", "distinct_ids": [CANARY], "properties": { "canary": "canary" } })).await;
    world.until(&id, "completed").await;
    world.until_records("$opt_in", 1).await;
    world.until_queue_is_empty().await;
    assert_eq!(worker.stop().await.0, Some(0));
    assert!(!world.logs().contains("canary"), "in a log");
    assert!(!world.dump().await.windows(6).any(|window| window == b"canary"), "in Redis");
}
