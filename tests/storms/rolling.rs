//! Replicas are replaced one by one while they work, from one build to another and back.
//!
//! `STORM_PREVIOUS=PATH` names the program of the build before; without it both are this one.

use std::path::PathBuf;

use crate::field::{Field, Plan, scaled};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rolling_restart() {
    let this = PathBuf::from(env!("CARGO_BIN_EXE_gdpr-worker"));
    let previous = std::env::var_os("STORM_PREVIOUS").map(PathBuf::from);
    let told =
        if previous.is_some() { "from the previous build and back" } else { "within this build" };
    println!("rolling-restart: {told}");
    let previous = previous.unwrap_or_else(|| this.clone());
    let mut field =
        Field::new(Plan { replicas: 0, ..Plan::new("rolling-restart", scaled(400, 6000)) }).await;
    field.fleet.build(previous.clone());
    for _ in 0..3 {
        field.fleet.start(&[]);
    }
    let mut upgrade = true;
    field
        .storm(scaled(2, 10), async |field| {
            field.fleet.build(if upgrade { this.clone() } else { previous.clone() });
            upgrade = !upgrade;
            for number in 0..field.fleet.len() {
                field.load.enqueue(10).await;
                field.fleet.roll(number).await;
            }
            field.note("rolled");
        })
        .await;
    field.fleet.build(this);
    for number in 0..field.fleet.len() {
        field.fleet.roll(number).await;
    }
    let sums = field.verdict().await.figures;
    assert_eq!((sums.extra_tasks, sums.unknown), (0, 0), "a stop in good order loses no answer");
}
