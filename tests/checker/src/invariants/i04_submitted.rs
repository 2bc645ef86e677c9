//! **I4 submitted.** For every id of a completed deletion there is an accepted call to the deletion endpoint of the right
//! project that names exactly that id, byte for byte, and whose task was seen to be SUCCESS before the deletion was
//! completed. A task that is older than the request counts only if the ledger says that it was followed.

use std::collections::HashMap;

use crate::{
    account::{Account, Life},
    history::Call,
    verdict::{Finding, Ruling},
};

pub(super) fn judge(account: &Account<'_>) -> Ruling {
    let mut tasks: HashMap<&str, Vec<&Call>> = HashMap::new();
    // When a poll first told that a task had ended well.
    let mut succeeded: HashMap<&str, u64> = HashMap::new();
    for call in &account.history.calls {
        let Some(task) = &call.task else { continue };
        if call.project.as_deref() != Some(account.history.run.token.as_str()) {
            continue;
        }
        match call.kind.as_str() {
            "create-deletion" if call.acted => {
                for id in &call.ids {
                    tasks.entry(id).or_default().push(call);
                }
            }
            "poll-deletion" if call.status == Some(200) && is_success(call) => {
                succeeded.entry(task).or_insert_with(|| call.at());
            }
            _ => {}
        }
    }
    let deletions = account.lives.iter().filter(|life| life.kind() == "deletion");
    let done = deletions.filter_map(|life| life.completed().map(|event| (life, event.ms)));
    let slack = account.history.run.clock_slack_ms;
    let sound = |life: &Life<'_>, call: &&Call, end: u64| {
        let task = call.task.as_deref().unwrap_or_default();
        let received = life.received.map_or(0, |(event, _)| event.ms);
        succeeded.get(task).is_some_and(|at| *at <= end + slack)
            && (call.at() + slack >= received || follows(life, task))
    };
    done.filter_map(|(life, end)| {
        let missing = life.ids().iter().filter(|id| {
            let calls = tasks.get(id.as_str()).map_or(&[][..], Vec::as_slice);
            !calls.iter().any(|call| sound(life, call, end))
        });
        let missing = missing.count();
        let text = || {
            format!("completed, but {missing} of its {} ids stand in no task that had succeeded by then", life.ids().len())
        };
        (missing > 0).then(|| Finding::new(text()).request(life.id))
    })
    .collect()
}

fn is_success(call: &Call) -> bool {
    call.task_status.as_ref().is_some_and(|word| word.eq_ignore_ascii_case("success"))
}

/// Whether the ledger says that the request waited for this very task.
fn follows(life: &Life<'_>, task: &str) -> bool {
    life.steps.iter().any(|event| event.get("tracking_id") == task)
}
