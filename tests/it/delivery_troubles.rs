//! Events when something is wrong: Mixpanel away, throttled or refusing, workers that die.

use serde_json::{Value, json};

use crate::world::{World, document, event};

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

/// The part of an array that was settled before a worker died was counted again by the next one.
#[tokio::test]
async fn an_array_that_breaks_off_is_counted_once() {
    let mut world = World::new().await;
    world.set("GDPR_CALL_TIMEOUT", "1s");
    let worker = world.worker().await;
    let out = world.add(&document("opt_out", &["out"])).await;
    world.until(&out, "completed").await;
    world.emulator.fault(json!({ "match": "import", "fault": "status", "status": 503 })).await;
    let bad = json!({ "event": "Old", "properties": { "distinct_id": "u-1", "time": 5 } });
    world
        .put_event(&json!([event("out", "A"), event("u-1", "A"), bad, event("out", "A"), 7]))
        .await;
    world
        .wait("a try", async || (!world.emulator.calls("import").await.is_empty()).then_some(()))
        .await;
    worker.kill().await;
    world.set("GDPR_FAILPOINT", "deliver.sent");
    world.worker().await.until_dead().await;
    world.unset("GDPR_FAILPOINT");
    world.emulator.heal().await;
    let _worker = world.worker().await;
    world.until_queue_is_empty().await;
    let counts = world.filter().await;
    assert_eq!((counts["opted_out"], counts["events_delivered"]), (2, 1), "{counts:?}");
    assert_eq!((counts["refused"], world.refused().await.len()), (2, 2));
}

/// Three chunks of profile updates filled their lane, and the events behind them were not read any more.
#[tokio::test]
async fn events_go_on_while_profile_updates_cannot_be_delivered() {
    let world = World::new().await;
    world.emulator.fault(json!({ "match": "engage", "fault": "status", "status": 503 })).await;
    let worker = world.worker().await;
    for n in 0..8 {
        world.put_profile(&json!({ "$distinct_id": "u-1", "$set": { "n": n } })).await;
        world.put_event(&event("u-1", &format!("E{n}"))).await;
        // Each is read by itself: the next one comes when this one has been delivered.
        world.until_records(&format!("E{n}"), 1).await;
    }
    let waiting: u64 = world.ask(&["XLEN", "gdpr:{default}:events"]).await;
    assert_eq!(waiting, 8, "none of the profile updates is lost");
    let failed = world.profiles("u-1").await.len();
    world.emulator.heal().await;
    world.until_queue_is_empty().await;
    let arrived = world.profiles("u-1").await.split_off(failed);
    let numbers: Vec<i64> = arrived.iter().map(|p| p["$set"]["n"].as_i64().unwrap()).collect();
    assert_eq!(numbers, (0..8).collect::<Vec<i64>>());
    drop(worker);
}

/// Events that stand in a row leave the queue by one command, up to a place. That must not take what stands before them.
#[tokio::test]
async fn what_waits_before_a_row_of_settled_events_stays_in_the_queue() {
    const TWO: &str =
        "for _, event in ipairs(ARGV) do redis.call('XADD', KEYS[1], '*', 'event', event) end";
    let world = World::new().await;
    let trims = async || {
        world.ask::<String>(&["INFO", "commandstats"]).await.contains("cmdstat_xtrim:calls")
    };
    // Both at once, so that they are read together.
    let put_two = async |name: &str| {
        let (one, two) = (event("u-1", name).to_string(), event("u-2", name).to_string());
        world.ask::<()>(&["EVAL", TWO, "1", "gdpr:{default}:events", &one, &two]).await;
        world.until_records(name, 2).await;
    };
    world.emulator.fault(json!({ "match": "engage", "fault": "status", "status": 503 })).await;
    let _worker = world.worker().await;
    world.put_profile(&json!({ "$distinct_id": "u-1", "$set": { "n": 1 } })).await;
    // It has been read, by itself.
    let tried = async || (!world.emulator.calls("engage").await.is_empty()).then_some(());
    world.wait("a call that fails", tried).await;
    put_two("Behind").await;
    let waiting =
        async || (world.ask::<u64>(&["XLEN", "gdpr:{default}:events"]).await == 1).then_some(());
    world.wait("a queue with nothing but the profile update", waiting).await;
    assert!(!trims().await);
    world.emulator.heal().await;
    world.until_queue_is_empty().await;
    assert_eq!(world.profiles("u-1").await.last().unwrap()["$set"]["n"], 1);
    put_two("In front").await;
    world.until_queue_is_empty().await;
    assert!(trims().await);
}

/// A refusal that had nothing to do with the records set the whole queue aside, one by one.
#[tokio::test]
async fn when_everything_is_refused_the_queue_waits_and_health_says_so() {
    let mut world = World::new().await;
    let port = crate::world::free_port();
    world.set("GDPR_LISTEN", format!("127.0.0.1:{port}"));
    let _worker = world.worker().await;
    let refusal = json!({ "match": "engage", "fault": "status", "status": 400, "body": "api" });
    world.emulator.fault(refusal).await;
    for n in 0..3 {
        let update = json!({ "$distinct_id": "u-1", "$set": { "early": n } });
        world.put_profile(&json!([update, update])).await;
        world.until_queue_is_empty().await;
    }
    assert_eq!(world.refused().await.len(), 6);
    let late = (0..50).map(|n| json!({ "$distinct_id": "u-1", "$set": { "n": n } }));
    world.put_profile(&Value::from(late.collect::<Vec<_>>())).await;
    world
        .wait("the problem", async || {
            let (code, out, _) = world.command(&["health"]).await;
            (code == 1 && out.contains("refuses all profile updates")).then_some(())
        })
        .await;
    let calls = world.emulator.calls("engage").await.len();
    world
        .wait("a try", async || (world.emulator.calls("engage").await.len() > calls).then_some(()))
        .await;
    world.put_event(&event("u-1", "Goes on")).await;
    world.until_records("Goes on", 1).await;
    let aside = world.refused().await.len();
    assert!(aside <= 9, "{aside}");
    world.emulator.heal().await;
    world.until_queue_is_empty().await;
    let aside = world.refused().await.len();
    assert!(aside <= 10, "{aside}");
    let counts = world.filter().await;
    assert_eq!(counts["profiles_delivered"], 56 - i64::try_from(aside).unwrap());
    let (code, out, _) = world.command(&["health"]).await;
    assert_eq!(code, 0, "{out}");
}

#[tokio::test]
async fn a_batch_of_nothing_but_bad_records_is_gone_through_without_a_wait() {
    let world = World::new().await;
    world.emulator.fault(json!({ "match": "engage", "fault": "bad-records", "status": 200 })).await;
    let worker = world.worker().await;
    for _ in 0..2 {
        let bad = json!({ "$distinct_id": "u-1", "$set": { "$fail": true } });
        world.put_profile(&Value::from(vec![bad; 40])).await;
    }
    world.put_profile(&json!({ "$distinct_id": "u-2", "$set": { "good": 1 } })).await;
    world.until_queue_is_empty().await;
    assert_eq!(world.refused().await.len(), 80);
    assert_eq!(world.profiles("u-2").await.last().unwrap()["$set"]["good"], 1);
    assert!(!worker.log().contains("one is tried now and then"));
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
