//! Asking after a task.

use std::sync::Arc;

use super::shapes::{self, Sight};
use crate::call::Reply;
use crate::export::links::Link;
use crate::faults::Occasion;
use crate::kind::Kind;
use crate::log::Entry;
use crate::state::State;
use crate::task::{TaskKind, TaskStatus};

/// Counts the poll, moves the task on if polls do that, and shows it.
pub(super) fn poll(
    state: &mut State,
    project: &str,
    kind: Kind,
    id: &str,
    entry: &mut Entry,
) -> Reply {
    let found = state.tasks.get_mut(project, id).filter(|task| kind.polls() == Some(task.kind));
    let Some(task) = found else {
        entry.task_status = Some("NOT_FOUND".to_owned());
        return shapes::not_found(&state.settings, &mut state.dice);
    };
    task.polls += 1;
    entry.acted = true;
    state.settle();
    show(state, project, kind, id, entry)
}

fn show(state: &mut State, project: &str, kind: Kind, id: &str, entry: &mut Entry) -> Reply {
    let at = Occasion { kind, project: Some(project) };
    let Some(task) = state.tasks.find(id) else {
        return shapes::not_found(&state.settings, &mut state.dice);
    };
    let finished = task.kind == TaskKind::Retrieval && task.status == TaskStatus::Success;
    let mut word = task.status.word().to_owned();
    if let Some(told) = state.faults.poll_word(at, task, &mut state.dice) {
        entry.fault = Some("task-status");
        word = told;
    }
    let linked = finished && word == "SUCCESS";
    let hidden = linked && state.faults.hides_link(at, &mut state.dice);
    if hidden {
        entry.fault = Some("empty-link");
    }
    let ids = Arc::clone(&task.ids);
    let foreign =
        if linked && !hidden { state.faults.foreign_link(at, &ids, &mut state.dice) } else { None };
    if foreign.is_some() {
        entry.fault = Some("link");
    }
    let wrong_ids = state.faults.echoes_wrongly(at, &mut state.dice);
    if wrong_ids {
        entry.fault = Some("wrong-echo");
    }
    let link = match foreign {
        Some(link) => Some(link),
        None if linked && !hidden => link(state, project, id),
        None => None,
    };
    entry.task_status = Some(word.clone());
    let sight = Sight { word: &word, link, wrong_ids };
    match state.tasks.find(id) {
        Some(task) => shapes::polled(task, sight, &state.settings, &mut state.dice),
        None => shapes::not_found(&state.settings, &mut state.dice),
    }
}

/// The task's link: the last one while it is fresh, else a new one.
fn link(state: &mut State, project: &str, id: &str) -> Option<String> {
    let now = state.clock.seconds();
    let task = state.tasks.get_mut(project, id)?;
    let name = match &task.link {
        Some(name) if state.links.is_fresh(name, now) => Arc::clone(name),
        _ => {
            let format = state.settings.export_format.pick(&mut state.dice);
            let expires = now + state.settings.link_seconds;
            let name = state.links.give(Link { task: Arc::clone(&task.id), expires, format });
            task.link = Some(Arc::clone(&name));
            name
        }
    };
    Some(format!("{}/exports/{name}", state.public_url))
}
