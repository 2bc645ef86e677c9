//! A disk that is full at one point or another: no archive is half there, nothing is left over, and with room the same
//! call gives what it would have given.

use std::collections::BTreeSet;

use crate::archive::{
    tests::workbench::{Bench, hashes, person},
    *,
};

const POINTS: u64 = 24;

/// An export that fills pages, pieces and the quarantine: 40 people, and strangers.
fn export() -> String {
    let record = |n: u64| {
        // Digits that do not compress well, so that files grow in many steps.
        let noise = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let owner = n % 41;
        let more = noise.rotate_left(17).wrapping_mul(31);
        format!(
            r#"{{"event":"e{noise}","properties":{{"distinct_id":"u{owner}","noise":"{more:x}"}}}}"#
        )
    };
    let records: Vec<String> = (0..5000).map(record).collect();
    records.join("\n")
}

fn people() -> Vec<Person> {
    (0..40).map(|n| person(&format!("r{n}"), &[&format!("u{n}")])).collect()
}

fn with_room(most: u64) -> Bench {
    let bench = Bench::new();
    let quota = Quota { most, reserve: 0 };
    let key = SpoolKey::derive(&[7; 32]);
    let spool = Spool::new(bench.home.path().join("bounded"), key, quota).unwrap();
    // So little memory that the work files grow from the beginning.
    let means = Means { memory: 64 * 1024, threads: 1 };
    Bench { spool, means, ..bench }
}

#[test]
fn a_disk_that_is_full_at_any_point_costs_nothing_but_time() {
    let (export, people) = (export(), people());
    let enough = with_room(u64::MAX).run(export.as_bytes(), &people).unwrap();
    let mut failed_with = BTreeSet::new();
    let mut failures = 0;
    for point in 0..POINTS {
        let bench = with_room(point * 5 * 1024);
        match bench.run(export.as_bytes(), &people) {
            Err(PackageError::Spool(error)) => {
                failures += 1;
                failed_with.insert(format!("{:?}", error.kind()));
                assert!(bench.files("store").is_empty(), "an archive of a run that failed");
                assert!(bench.files("bounded").is_empty(), "leftovers of a run that failed");
            }
            // There was room enough: what comes is what always comes.
            Ok(packaged) => assert_eq!(hashes(&packaged), hashes(&enough)),
            Err(error) => panic!("{error}"),
        }
        // Room was made.
        let again = Bench { store: bench.store.clone(), ..with_room(u64::MAX) };
        let packaged = again.run(export.as_bytes(), &people).unwrap();
        assert_eq!(hashes(&packaged), hashes(&enough));
    }
    assert!(failures >= 20, "only {failures} points were in the way");
    assert_eq!(failed_with, BTreeSet::from(["QuotaExceeded".to_owned()]));
}
