//! The checker is checked: a history in which everything is right, then one forgery after the other. Each must be found
//! by exactly the invariant that it breaks.

#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(clippy::needless_pass_by_value, reason = "a story reads better without so many &")]

mod draft;
mod folder;
mod forgeries;
mod large;
mod right;
mod zips;

use std::collections::BTreeMap;

use checker::{History, Verdict, judge};
use draft::Draft;

fn verdict(draft: &Draft) -> Verdict {
    let folder = tempfile::tempdir().unwrap();
    draft.write(folder.path());
    judge(&History::load(folder.path()).unwrap())
}

#[test]
fn a_right_history_holds_in_every_point() {
    let verdict = verdict(&right::history());
    assert_eq!(verdict.violated(), [""; 0], "{verdict}");
    assert_eq!(verdict.undecided(), [""; 0], "{verdict}");
    let sums = verdict.figures;
    assert!(sums.extra_tasks == 1 && sums.unknown == 2 && sums.archives == 4, "{sums:?}");
}

#[test]
fn every_forgery_is_found_by_its_own_invariant() {
    let mut of_invariant: BTreeMap<&str, usize> = BTreeMap::new();
    let mut missed = Vec::new();
    for (invariant, what, forge) in forgeries::ALL {
        *of_invariant.entry(invariant).or_default() += 1;
        let mut draft = right::history();
        forge(&mut draft);
        let verdict = verdict(&draft);
        if verdict.violated() != [*invariant] {
            missed.push(format!("{invariant} {what}: found {:?}\n{verdict}", verdict.violated()));
        }
        let text = verdict.to_string() + &serde_json::to_string(&verdict).unwrap();
        assert!(
            !right::PEOPLE.iter().any(|id| text.contains(id)),
            "a verdict names a person: {text}"
        );
    }
    let forged = forgeries::ALL.len();
    println!("forged {forged}, caught {}", forged - missed.len());
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    assert_eq!(of_invariant.len(), 18);
    assert!(of_invariant.values().all(|count| *count >= 2), "{of_invariant:?}");
}

#[test]
fn what_is_missing_is_told_and_not_taken_for_right() {
    let mut draft = right::history();
    draft.ingested.clear();
    draft.delivered.clear();
    draft.run["replayed"] = serde_json::Value::Null;
    draft.run["searched"] = serde_json::json!([]);
    draft.run["quiet_ms"] = 10_000_000.into();
    let verdict = verdict(&draft);
    assert_eq!(verdict.violated(), [""; 0], "{verdict}");
    assert_eq!(verdict.undecided(), ["I11", "I12", "I13", "I14", "I17", "I18"]);
}

/// 20,000 people with five ids each: the size of the storms.
#[test]
fn a_large_history_is_judged_in_seconds() {
    let started = std::time::Instant::now();
    let draft = large::history(20_000);
    let folder = tempfile::tempdir().unwrap();
    draft.write(folder.path());
    let made = started.elapsed();
    let verdict = judge(&History::load(folder.path()).unwrap());
    let took = started.elapsed().checked_sub(made).unwrap();
    println!("{} requests judged in {took:.1?} (made up in {made:.1?})", verdict.figures.requests);
    assert_eq!(verdict.violated(), [""; 0], "{verdict}");
    assert!(took.as_secs() < 120, "{took:?}");
}
