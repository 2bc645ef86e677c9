//! Cancelling deletions: by task, and by ids as the prose documents have it.

use std::sync::Arc;

use super::shapes;
use crate::call::Reply;
use crate::log::Entry;
use crate::state::State;
use crate::tasks::Cancelled;

/// Cancels one task.
pub(super) fn one(state: &mut State, project: &str, id: &str, entry: &mut Entry) -> Reply {
    let outcome = state.tasks.cancel(project, id);
    answer(state, outcome, id, entry)
}

/// Cancels every live deletion that names one of the ids, unless one of them has started.
pub(super) fn by_ids(
    state: &mut State,
    project: &Arc<str>,
    ids: &[Arc<str>],
    entry: &mut Entry,
) -> Reply {
    let Some(conflict) = state.tasks.conflict(project, ids) else {
        return answer(state, Cancelled::Unknown, "", entry);
    };
    let task = conflict.tasks.first().map_or("", |task| &**task);
    entry.task = Some(task.to_owned());
    let started = conflict.tasks.iter().any(|task| !state.tasks.is_cancelable(task));
    if started {
        return answer(state, Cancelled::TooLate, task, entry);
    }
    for task in &conflict.tasks {
        state.tasks.cancel(project, task);
    }
    answer(state, Cancelled::Done, task, entry)
}

fn answer(state: &mut State, outcome: Cancelled, task: &str, entry: &mut Entry) -> Reply {
    match outcome {
        Cancelled::Done => {
            entry.acted = true;
            shapes::cancelled(task, &state.settings, &mut state.dice)
        }
        Cancelled::TooLate => shapes::error(405, "The task has started and cannot be canceled"),
        Cancelled::Unknown => shapes::error(404, "Task not found"),
    }
}
