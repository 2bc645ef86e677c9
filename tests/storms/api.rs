//! Mixpanel answers late after it acted, never, with garbage, by half, with errors; or is away for days.

use std::time::Duration;

use serde_json::json;

use crate::{
    field::{Field, Plan, scaled},
    load::Mix,
};

/// Each with its share of all calls of the GDPR API.
const FAULTS: [(&str, f64); 6] = [
    ("act-then-timeout", 0.05),
    ("timeout", 0.05),
    ("retry-after", 0.05),
    ("status", 0.05),
    ("truncate", 0.02),
    ("garbage", 0.02),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn api_faults() {
    let plan = Plan { mix: Mix::BATCHES, ..Plan::new("api-faults", scaled(600, 9_000)) };
    let plan = plan.with("GDPR_CALL_TIMEOUT", "500ms").with("GDPR_SEND_LEASE", "1s");
    // Small batches: it is calls that count.
    let plan = plan.with("GDPR_BATCH_DELETION", "8").with("GDPR_BATCH_RETRIEVAL", "8");
    let mut field = Field::new(plan.with("GDPR_REQUEST_INTERVAL", "110ms")).await;
    for (fault, probability) in FAULTS {
        for calls in ["create", "poll"] {
            let seconds = if fault == "retry-after" { 1.0 } else { 3.0 };
            let rule = json!({ "match": calls, "fault": fault, "probability": probability, "seconds": seconds });
            field.world.emulator.fault(rule).await;
        }
    }
    field.storm(scaled(4, 100), async |field| field.pause(20..60).await).await;
    let sums = field.verdict().await.figures;
    println!(
        "api-faults: {} calls, {} extra tasks for {} unknown answers",
        sums.calls, sums.extra_tasks, sums.unknown
    );
    assert!(sums.extra_tasks <= sums.unknown);
}

/// A long trouble at a scale of an hour to a second: waits grow from 100 ms to 2 s instead of from a minute to an hour.
async fn long_trouble(name: &'static str, rule: serde_json::Value, seconds: usize) {
    let mut field = Field::new(Plan::new(name, scaled(200, 5000))).await;
    let seconds = Duration::from_secs(u64::try_from(seconds).unwrap());
    field
        .storm(1, async |field| {
            field.world.emulator.fault(rule.clone()).await;
            field.load.enqueue(50).await;
            tokio::time::sleep(seconds).await;
            field.world.emulator.heal().await;
            field.note("trouble");
        })
        .await;
    assert_eq!(field.fleet.ended, 0, "no replica gave up");
    field.verdict().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_calls_for_six_hours() {
    let rule = json!({ "match": "create", "fault": "status", "status": 429 });
    long_trouble("429-for-hours", rule, scaled(3, 6)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_credentials_for_two_days() {
    let rule = json!({ "match": "any", "fault": "status", "status": 401 });
    long_trouble("401-for-days", rule, scaled(3, 48)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: run it by name with --include-ignored"]
async fn an_api_that_is_down_for_three_days() {
    let rule = json!({ "match": "any", "fault": "close" });
    long_trouble("down-for-days", rule, scaled(3, 72)).await;
}
