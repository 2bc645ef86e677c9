//! Replicas whose clocks are wrong and jump, and a Redis whose clock jumps.

use std::path::Path;

use rand::RngExt as _;

use crate::field::{Field, Plan, scaled};

/// Where Debian's package `faketime` has its library for programs of several threads.
fn library() -> String {
    format!("/usr/lib/{}-linux-gnu/faketime/libfaketimeMT.so.1", std::env::consts::ARCH)
}

/// Each replica has a file that says by how much its clock is wrong, and changes at each blow.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: run it by name with --include-ignored"]
async fn clocks() {
    let library = library();
    if !Path::new(&library).exists() {
        println!(
            "clocks: NOT RUN: the package faketime is not installed (scripts/install-tools brings it)"
        );
        return;
    }
    let mut field =
        Field::new(Plan { replicas: 0, ..Plan::new("clocks", scaled(300, 4000)) }).await;
    let files: Vec<_> = (0..3).map(|n| field.world.folder().join(format!("clock-{n}"))).collect();
    for file in &files {
        std::fs::write(file, "+0").unwrap();
        field.fleet.start(&[
            ("LD_PRELOAD", library.clone()),
            ("FAKETIME_TIMESTAMP_FILE", file.display().to_string()),
            ("FAKETIME_CACHE_DURATION", "1".to_owned()),
            // Waits are by a clock that no adjustment of the time changes.
            ("DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]);
    }
    field
        .storm(scaled(4, 24), async |field| {
            let who = field.anyone();
            let most = [2, 3600, 86_400 * 400][field.dice.random_range(0..3)];
            let off: i64 = field.dice.random_range(-most..=most);
            // Written aside and moved: it is read at any moment.
            let aside = files[who].with_extension("next");
            std::fs::write(&aside, format!("{off:+}")).unwrap();
            std::fs::rename(&aside, &files[who]).unwrap();
            field.pause(1200..1800).await;
            field.note("clock");
        })
        .await;
    assert_eq!(field.fleet.ended, 0, "no replica ended over its clock");
    let sums = field.verdict().await.figures;
    assert_eq!(
        (sums.extra_tasks, sums.unknown),
        (0, 0),
        "no lease was judged by a replica's clock"
    );
}
