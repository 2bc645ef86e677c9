//! Creating a task.

use std::sync::Arc;

use super::shapes;
use crate::call::Reply;
use crate::content::CreateRequest;
use crate::faults::Occasion;
use crate::forms::Toggle;
use crate::kind::Kind;
use crate::log::Entry;
use crate::state::State;
use crate::task::{Task, TaskKind, TaskStatus};

/// Makes a task of a request that fits, or says why not.
pub(super) fn create(
    state: &mut State,
    project: &Arc<str>,
    kind: Kind,
    request: &CreateRequest,
    entry: &mut Entry,
) -> Reply {
    let Some(task_kind) = kind.creates() else { return shapes::error(405, "Method not allowed") };
    let at = Occasion { kind, project: Some(project) };
    if let Some(refusal) = check_size(state, task_kind, request.ids.len())
        .or_else(|| refuse_on_command(state, at, request, entry))
        .or_else(|| refuse_by_state(state, project, task_kind, request))
    {
        return refusal;
    }
    let doomed = state.faults.dooms(at, &request.ids, &mut state.dice);
    if doomed {
        entry.fault = Some("fail-tasks");
    }
    let task = Task {
        id: state.tasks.new_id(task_kind),
        kind: task_kind,
        project: Arc::clone(project),
        ids: Arc::clone(&request.ids),
        compliance: request.compliance,
        disclosure: request.disclosure,
        requested: state.clock.date(),
        created: state.clock.seconds(),
        status: TaskStatus::Pending,
        polls: 0,
        doomed,
        snapshot: None,
        link: None,
    };
    entry.acted = true;
    entry.task = Some(task.id.to_string());
    let reply = shapes::created(&task, &state.settings, &mut state.dice);
    state.tasks.insert(task);
    reply
}

fn check_size(state: &State, kind: TaskKind, count: usize) -> Option<Reply> {
    let limit = match kind {
        TaskKind::Retrieval => state.settings.batch_retrieval,
        TaskKind::Deletion => state.settings.batch_deletion,
    };
    if count == 0 {
        return Some(shapes::error(400, "distinct_ids must hold at least one id"));
    }
    let message = format!("distinct_ids holds {count} ids, the limit is {limit}");
    (count > limit).then(|| shapes::error(state.settings.oversize_status, &message))
}

/// Refusals that a fault rule asks for.
fn refuse_on_command(
    state: &mut State,
    at: Occasion<'_>,
    request: &CreateRequest,
    entry: &mut Entry,
) -> Option<Reply> {
    if let Some((status, named)) = state.faults.refuses(at, &request.ids, &mut state.dice) {
        entry.fault = Some("bad-ids");
        return Some(shapes::invalid(status, &named));
    }
    let (ids, task) = state.faults.pretends_conflict(at, &request.ids, &mut state.dice)?;
    entry.fault = Some("conflict");
    let task = task.unwrap_or_else(|| state.tasks.new_id(TaskKind::Deletion).to_string());
    Some(shapes::conflict(&ids, &[task]))
}

/// Refusals that follow from the tasks there are.
fn refuse_by_state(
    state: &mut State,
    project: &Arc<str>,
    kind: TaskKind,
    request: &CreateRequest,
) -> Option<Reply> {
    match kind {
        TaskKind::Deletion => {
            if state.settings.conflicts.pick(&mut state.dice) != Toggle::On {
                return None;
            }
            let conflict = state.tasks.conflict(project, &request.ids)?;
            Some(shapes::conflict(&conflict.ids, &conflict.tasks))
        }
        TaskKind::Retrieval => {
            let limit = state.settings.scan_limit;
            if limit == 0 || state.tasks.open_retrievals(project) < limit {
                return None;
            }
            let message = "Too many pending scans for this project, please retry later";
            Some(shapes::limited(state.settings.limit_body, &mut state.dice, message))
        }
    }
}
