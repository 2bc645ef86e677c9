//! What the protocol promises, for every order of events; and that the model can tell when it does not hold.

#![expect(clippy::expect_used, reason = "tests")]

use model::{Report, Rules, Violation, explore};

fn walk(rules: &Rules) -> Report {
    let started = std::time::Instant::now();
    let report = explore(rules);
    println!(
        "{rules:?}: {} states in {:.1?}, {:?}",
        report.states,
        started.elapsed(),
        report.violation
    );
    report
}

/// Never lost, never unexplained; so many tasks can come about, and no more.
fn holds(rules: &Rules, most_tasks: u32) {
    let report = walk(rules);
    assert_eq!(report.violation, None, "{rules:?}");
    assert_eq!(report.most_tasks, most_tasks, "{rules:?}");
}

#[test]
fn with_two_workers_at_most_budget_and_one_tasks() {
    for budget in [0, 1] {
        holds(&Rules::of(budget), u32::from(budget) + 1);
    }
    holds(&Rules { refusals: 0, ..Rules::of(2) }, 3);
}

#[test]
fn with_three_workers() {
    for budget in [0, 1] {
        let rules = Rules { workers: 3, refusals: 0, ..Rules::of(budget) };
        holds(&rules, u32::from(budget) + 1);
    }
}

#[test]
fn with_two_refusals() {
    holds(&Rules { refusals: 2, rollback: false, ..Rules::of(1) }, 2);
}

#[test]
fn with_the_budget_of_deletions() {
    holds(&Rules { workers: 1, rollback: false, ..Rules::of(5) }, 6);
}

#[test]
fn exactly_one_task_where_mixpanel_refuses_conflicts() {
    holds(&Rules { conflicts: true, ..Rules::of(1) }, 1);
    holds(&Rules { conflicts: true, refusals: 0, ..Rules::of(2) }, 1);
    holds(&Rules { conflicts: true, workers: 1, rollback: false, ..Rules::of(5) }, 1);
    holds(&Rules { conflicts: true, workers: 3, refusals: 0, ..Rules::of(1) }, 1);
}

#[test]
#[ignore = "millions of states: some minutes"]
fn with_all_at_once() {
    holds(&Rules::of(2), 3);
    holds(&Rules { rollback: false, refusals: 0, ..Rules::of(5) }, 6);
    holds(&Rules { workers: 1, ..Rules::of(5) }, 6);
    holds(&Rules { conflicts: true, ..Rules::of(2) }, 1);
    holds(&Rules { conflicts: true, rollback: false, ..Rules::of(5) }, 1);
    holds(&Rules { workers: 3, rollback: false, ..Rules::of(1) }, 2);
}

/// A worker that saw a batch as over may settle its job after Redis has fallen back to when it was not.
#[test]
fn after_a_rollback_the_sweep_is_what_finds_a_forgotten_job() {
    let (violation, _) =
        walk(&Rules { sweep: false, ..Rules::of(1) }).violation.expect("a violation");
    assert_eq!(violation, Violation::Lost);
    // Otherwise the scripts themselves see to it that there is always a job.
    holds(&Rules { sweep: false, rollback: false, ..Rules::of(1) }, 2);
}

#[test]
fn without_the_sync_before_sending_a_task_is_unexplained() {
    let rules = Rules { sync_before_sending: false, refusals: 0, ..Rules::of(1) };
    let (violation, way) = walk(&rules).violation.expect("a violation");
    assert_eq!(violation, Violation::Unexplained);
    assert!(way.contains(&"Redis loses what it had not synced"), "{way:?}");
}

/// How `settle.lua` was: a refusal of the second attempt closed the batch, its requests began anew with a whole budget,
/// and the first attempt, which may have made a task, was forgotten.
#[test]
fn if_a_refusal_forgets_earlier_attempts_there_are_too_many_tasks() {
    let rules = Rules { refusal_keeps_unknown: false, rollback: false, ..Rules::of(1) };
    let (violation, way) = walk(&rules).violation.expect("a violation");
    assert_eq!(violation, Violation::TooManyTasks);
    assert!(way.contains(&"recorded: refused"), "{way:?}");
}
