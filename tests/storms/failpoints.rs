//! A worker dies at a named place, around each effect outside of it. Release builds have no such places.

use std::time::{Duration, Instant};

use crate::field::{Field, Plan, full};

/// Places that requests pass. Those of events are in the race of `tests/it`.
const PLACES: [&str; 25] = [
    "intake.read",
    "intake.recorded",
    "intake.settled",
    "submit.booked",
    "submit.sealed",
    "submit.sending",
    "submit.answered",
    "submit.recorded",
    "resume.looked",
    "resume.claimed",
    "poll.turn",
    "poll.answered",
    "poll.recorded",
    "cancel.asked",
    "fetch.piece",
    "collect.begun",
    "collect.fetched",
    "package.split",
    "package.settled",
    "package.placed",
    "collect.packaged",
    "collect.recorded",
    "expire.due",
    "expire.removed",
    "job.done",
];
/// A place that nobody comes by is left after this long.
const NOBODY_CAME: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: run it by name with --include-ignored"]
async fn failpoints() {
    if !cfg!(debug_assertions) {
        println!("failpoints: NOT RUN: a release build has none; leave out --release");
        return;
    }
    let rounds = if full() { 20 } else { 1 };
    // Whoever is to die is alone, so that it comes by the place. Archives end while the storm goes on.
    let plan = Plan { replicas: 0, ..Plan::new("failpoints", PLACES.len() * rounds * 6) };
    let plan = Plan { gap_ms: 0.0, ..plan }.with("GDPR_REQUEST_INTERVAL", "20ms");
    let mut field = Field::new(plan.with("GDPR_ARCHIVE_RETENTION", "3s")).await;
    // For those who resume: now and then an answer is lost.
    field
        .world
        .emulator
        .fault(
            serde_json::json!({ "match": "create", "fault": "act-then-close", "probability": 0.2 }),
        )
        .await;
    let mut places = PLACES.iter().cycle();
    let mut passed = std::collections::BTreeMap::new();
    field
        .storm(PLACES.len() * rounds, async |field| {
            let place = places.next().unwrap();
            let time = 1 + passed.values().sum::<usize>() % 3;
            field.fleet.start(&[("GDPR_FAILPOINT", format!("{place}:{time}"))]);
            let (newest, began) = (field.fleet.len() - 1, Instant::now());
            while !field.fleet.has_died(newest) {
                if began.elapsed() > NOBODY_CAME {
                    field.fleet.remove(newest);
                    println!("failpoints: nobody came by {place}");
                    return;
                }
                // Enough to come by every place, and no more than a lone replica works off.
                field.load.enqueue(3).await;
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            *passed.entry(*place).or_default() += 1;
            field.note(place);
        })
        .await;
    field.fleet.start(&[]);
    field.fleet.start(&[]);
    field.verdict().await;
    let never: Vec<_> = PLACES.iter().filter(|place| !passed.contains_key(*place)).collect();
    println!(
        "failpoints: died at {} places, {} times; never at {never:?}",
        passed.len(),
        passed.values().sum::<usize>()
    );
    assert!(never.is_empty(), "nobody died at {never:?}");
}
