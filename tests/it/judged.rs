//! Everything at once, with kills and faults, judged by the independent checker.

use std::time::Duration;

use checker::history::Run;
use serde_json::{Value, json};

use crate::world::{Asked, World};

const PEOPLE: usize = 150;
const QUIET: Duration = Duration::from_secs(2);

fn request(number: usize, part: &str, kind: &str, ids: &[String]) -> Value {
    json!({ "id": format!("r-{number:04}-{part}"), "kind": kind, "distinct_ids": ids })
}

/// What a person asks for, who is like every tenth.
fn wishes(number: usize) -> Vec<Value> {
    let id = format!("person-{number:04}");
    let one = [id.clone()];
    let two = [id.clone(), format!("$device:{id}")];
    let ask = |part: &str, kind: &str, ids: &[String]| request(number, part, kind, ids);
    let cancel = |part: &str| json!({ "id": format!("r-{number:04}-cancel"), "kind": "cancellation", "request_id": format!("r-{number:04}-{part}") });
    let mut ccpa = ask("copy", "retrieval", &one);
    ccpa["regulation"] = "CCPA".into();
    match number % 10 {
        0 => vec![ask("erase", "deletion", &one), ask("again", "deletion", &one)],
        1 => vec![ask("erase", "deletion", &two), ask("erase", "deletion", &two)],
        2 => vec![ask("copy", "retrieval", &two)],
        3 => vec![ccpa, ask("other", "retrieval", &one)],
        4 => vec![ask("copy", "retrieval", &one), ask("erase", "deletion", &one)],
        5 => vec![ask("erase", "deletion", &one), cancel("erase")],
        6 => vec![
            ask("out", "opt_out", &two),
            ask("in", "opt_in", &one),
            ask("erase", "deletion", &two),
        ],
        7 => vec![ask("out", "opt_out", &one), ask("in", "opt_in", &one)],
        8 => vec![ask("out", "opt_out", &two)],
        _ => vec![ask("copy", "retrieval", &two), cancel("copy"), ask("erase", "deletion", &two)],
    }
}

async fn produce(world: &World) -> Vec<Asked> {
    let mut asked = Vec::new();
    for number in 0..PEOPLE {
        let event = |at: usize| json!({ "event": "Seen", "properties": { "distinct_id": format!("person-{number:04}"), "time": 1_795_000_000 + at } });
        world.put_event(&event(0)).await;
        for wish in wishes(number) {
            asked.push(world.ask_for(&wish).await);
        }
        world.put_event(&event(1)).await;
        if number % 10 == 0 {
            asked.push(world.ask_in_vain(r#"{"kind":"forget me"}"#).await);
        }
    }
    asked
}

async fn until_events(world: &World, count: usize) {
    world
        .wait("events of the ledger", async || {
            let length: usize = world.ask(&["XLEN", "gdpr:{default}:ledger"]).await;
            (length >= count).then_some(())
        })
        .await;
}

/// Waits until every request is final; an operator sends again what is held.
async fn until_all_are_final(world: &World, asked: &[Asked]) {
    world
        .wait("the end of all requests", async || {
            let mut open = 0;
            for one in asked {
                match world.status(&one.request).await.as_str() {
                    "held" => {
                        world.command(&["retry", &one.request]).await;
                        open += 1;
                    }
                    "completed" | "cancelled" | "rejected" | "failed" | "merged" => {}
                    _ => open += 1,
                }
            }
            (open == 0).then_some(())
        })
        .await;
    world.until_queue_is_empty().await;
    world.until_wire_is_empty().await;
}

#[tokio::test]
async fn a_mixed_load_with_kills_and_faults_is_right_in_every_point() {
    let settings =
        mixpanel_emulator::Settings { min_gap_ms: 200, task_polls: Some(0), ..World::quick() };
    let mut world = World::with(settings).await;
    world.set("GDPR_REQUEST_INTERVAL", "300ms");
    world.set("GDPR_BATCH_DELETION", "25");
    world.set("GDPR_BATCH_RETRIEVAL", "25");
    world.set("GDPR_CALL_TIMEOUT", "2s");
    world.set("GDPR_SEND_LEASE", "3s");
    world.set("GDPR_UNKNOWN_WAIT_DELETION", "200ms");
    world.set("GDPR_UNKNOWN_WAIT_RETRIEVAL", "200ms");
    world.set("GDPR_BACKOFF_MIN", "200ms");
    world.set("GDPR_BACKOFF_MAX", "1s");
    world.set("GDPR_JOB_LEASE", "1s");
    world
        .emulator
        .fault(json!([
            { "match": "create-deletion", "fault": "act-then-timeout", "seconds": 60, "times": 1 },
            { "match": "create-retrieval", "fault": "act-then-close", "times": 1 },
            { "match": "create", "fault": "status", "status": 429, "skip": 3, "times": 1 },
            { "match": "poll", "fault": "truncate", "times": 2 },
            { "match": "poll", "fault": "status", "status": 502, "body": "html", "times": 2 },
            { "match": "create-deletion", "fault": "bad-ids", "ids": ["person-0011"], "status": 400 },
            { "match": "export", "fault": "cut", "bytes": 500, "times": 2 },
            { "match": "import", "fault": "status", "status": 503, "times": 2 },
        ]))
        .await;
    let first = world.worker().await;
    let second = world.worker().await;
    let asked = produce(&world).await;
    until_events(&world, 60).await;
    first.kill().await;
    let third = world.worker().await;
    until_events(&world, 110).await;
    second.kill().await;
    let _fourth = world.worker().await;
    until_all_are_final(&world, &asked).await;

    let replayed = world.mark().await;
    for one in asked.iter().filter(|one| !one.refused) {
        world.add_text(&one.text).await;
    }
    world
        .wait("the replay to be taken in", async || {
            let left: u64 = world.ask(&["XLEN", "gdpr:{default}:requests"]).await;
            (left == 0).then_some(())
        })
        .await;
    tokio::time::sleep(QUIET).await;

    let run = Run {
        batch_deletion: 25,
        batch_retrieval: 25,
        min_gap_ms: 200.0,
        replayed: Some(replayed),
        quiet_ms: u64::try_from(QUIET.as_millis()).unwrap(),
        ..Run::default()
    };
    let verdict = world.judge(&asked, 2, run).await;
    println!("{verdict}");
    assert!(verdict.violated().is_empty(), "{verdict}");
    assert!(verdict.undecided().is_empty(), "{verdict}");
    assert!(verdict.figures.requests > 290 && verdict.figures.archives > 30, "{verdict}");
    drop(third);
}
