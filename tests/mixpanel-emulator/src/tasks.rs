//! All tasks, and which ids have a live deletion.
//!
//! Invariant: `deleting` holds an id of a project exactly while a deletion task that names it is
//! not final; `live` holds exactly the tasks that are not final, oldest first.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::people::People;
use crate::settings::Settings;
use crate::task::{Task, TaskKind, TaskStatus};

/// The registry.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    all: HashMap<Arc<str>, Task>,
    order: Vec<Arc<str>>,
    live: Vec<Arc<str>>,
    deleting: HashMap<(Arc<str>, Arc<str>), Arc<str>>,
}

/// Which ids of a new deletion are already being deleted, and by which tasks.
#[derive(Debug, PartialEq)]
pub(crate) struct Conflict {
    pub(crate) ids: Vec<Arc<str>>,
    pub(crate) tasks: Vec<Arc<str>>,
}

/// What a cancel met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cancelled {
    Done,
    TooLate,
    Unknown,
}

impl Tasks {
    /// A new id: 19 decimal digits for a retrieval, a UUID for a deletion.
    pub(crate) fn new_id(&self, kind: TaskKind) -> Arc<str> {
        loop {
            let random = Uuid::new_v4();
            let id: Arc<str> = match kind {
                TaskKind::Deletion => random.to_string().into(),
                TaskKind::Retrieval => {
                    format!("158{:016}", random.as_u128() % 10_000_000_000_000_000).into()
                }
            };
            if !self.all.contains_key(&id) {
                return id;
            }
        }
    }

    /// Takes a task in. If two live deletions name one id (conflicts off), the older one keeps it.
    pub(crate) fn insert(&mut self, task: Task) {
        if task.kind == TaskKind::Deletion {
            for id in task.ids.iter() {
                let key = (Arc::clone(&task.project), Arc::clone(id));
                self.deleting.entry(key).or_insert_with(|| Arc::clone(&task.id));
            }
        }
        self.order.push(Arc::clone(&task.id));
        self.live.push(Arc::clone(&task.id));
        self.all.insert(Arc::clone(&task.id), task);
    }

    /// A task of a project.
    pub(crate) fn get_mut(&mut self, project: &str, id: &str) -> Option<&mut Task> {
        self.all.get_mut(id).filter(|task| *task.project == *project)
    }

    /// A task of any project.
    pub(crate) fn find(&self, id: &str) -> Option<&Task> {
        self.all.get(id)
    }

    /// All tasks, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Task> {
        self.order.iter().filter_map(|id| self.all.get(id))
    }

    /// Ids among `ids` that a live deletion of the project names; `None` if there are none.
    pub(crate) fn conflict(&self, project: &Arc<str>, ids: &[Arc<str>]) -> Option<Conflict> {
        let mut conflict = Conflict { ids: Vec::new(), tasks: Vec::new() };
        for id in ids {
            if let Some(task) = self.deleting.get(&(Arc::clone(project), Arc::clone(id))) {
                conflict.ids.push(Arc::clone(id));
                if !conflict.tasks.contains(task) {
                    conflict.tasks.push(Arc::clone(task));
                }
            }
        }
        (!conflict.ids.is_empty()).then_some(conflict)
    }

    /// How many retrievals of a project are not final.
    pub(crate) fn open_retrievals(&self, project: &str) -> usize {
        let open = |task: &&Task| task.kind == TaskKind::Retrieval && *task.project == *project;
        self.live.iter().filter_map(|id| self.all.get(id)).filter(open).count()
    }

    /// Moves all live tasks to where they are due, with all that their end brings.
    pub(crate) fn settle(&mut self, settings: &Settings, now: f64, people: &mut People) {
        for id in self.live.clone() {
            let due = self.all.get(&id).map(|task| task.due_status(settings, now));
            if let Some(status) = due {
                self.set_status(&id, status, settings, people);
            }
        }
    }

    /// Gives a task a status. A finished deletion erases its people, a finished retrieval keeps
    /// what they have now. Says whether the task is known.
    pub(crate) fn set_status(
        &mut self,
        id: &str,
        status: TaskStatus,
        settings: &Settings,
        people: &mut People,
    ) -> bool {
        let Some(task) = self.all.get_mut(id) else { return false };
        let ended = status.is_final() && !task.status.is_final();
        task.status = status;
        if ended && status == TaskStatus::Success {
            match task.kind {
                TaskKind::Deletion => people.erase(&task.project, &task.ids),
                TaskKind::Retrieval => {
                    let snapshot = people.snapshot(&task.project, &task.ids, settings.invent);
                    task.snapshot = Some(Arc::new(snapshot));
                }
            }
        }
        if ended {
            self.retire(id);
        }
        true
    }

    /// Whether a task can still be cancelled.
    pub(crate) fn is_cancelable(&self, id: &str) -> bool {
        self.all.get(id).is_some_and(|task| task.status < TaskStatus::Started)
    }

    /// Cancels one deletion.
    pub(crate) fn cancel(&mut self, project: &str, id: &str) -> Cancelled {
        let Some(task) = self
            .all
            .get_mut(id)
            .filter(|task| *task.project == *project && task.kind == TaskKind::Deletion)
        else {
            return Cancelled::Unknown;
        };
        match task.status {
            TaskStatus::Pending | TaskStatus::Staging => task.status = TaskStatus::Revoked,
            TaskStatus::Revoked => return Cancelled::Done,
            _ => return Cancelled::TooLate,
        }
        self.retire(id);
        Cancelled::Done
    }

    /// Takes a final task out of the live ones.
    fn retire(&mut self, id: &str) {
        self.live.retain(|live| **live != *id);
        let Some(task) = self.all.get(id) else { return };
        if task.kind == TaskKind::Deletion {
            for person in task.ids.iter() {
                let key = (Arc::clone(&task.project), Arc::clone(person));
                if self.deleting.get(&key).is_some_and(|owner| **owner == *id) {
                    self.deleting.remove(&key);
                }
            }
        }
    }

    /// How many tasks have each status, by kind.
    pub(crate) fn by_status(&self) -> Map<String, Value> {
        let mut counts: BTreeMap<TaskKind, BTreeMap<&str, u64>> = BTreeMap::new();
        for task in self.all.values() {
            *counts.entry(task.kind).or_default().entry(task.status.word()).or_default() += 1;
        }
        let name = |kind| if kind == TaskKind::Deletion { "deletion" } else { "retrieval" };
        counts
            .into_iter()
            .map(|(kind, counts)| (name(kind).to_owned(), counts.into_iter().collect()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::*;

    fn deletion(tasks: &mut Tasks, ids: &[&str]) -> Arc<str> {
        let id = tasks.new_id(TaskKind::Deletion);
        tasks.insert(Task {
            id: Arc::clone(&id),
            kind: TaskKind::Deletion,
            project: "p".into(),
            ids: ids.iter().map(|id| Arc::from(*id)).collect(),
            compliance: "GDPR",
            disclosure: "DATA",
            requested: Utc::now(),
            created: 0.0,
            status: TaskStatus::Pending,
            polls: 0,
            doomed: false,
            snapshot: None,
            link: None,
        });
        id
    }

    fn conflict(tasks: &Tasks, ids: &[&str]) -> Option<Conflict> {
        tasks.conflict(&"p".into(), &ids.iter().map(|id| Arc::from(*id)).collect::<Vec<_>>())
    }

    #[test]
    fn a_conflict_names_the_ids_and_each_task_once() {
        let mut tasks = Tasks::default();
        let task = deletion(&mut tasks, &["a", "b"]);
        let expected = Conflict { ids: vec!["a".into(), "b".into()], tasks: vec![task] };
        assert_eq!(conflict(&tasks, &["a", "c", "b"]), Some(expected));
        assert_eq!(conflict(&tasks, &["c"]), None);
    }

    #[test]
    fn a_final_task_is_in_nobodys_way() {
        let (mut tasks, mut people) = (Tasks::default(), People::default());
        let task = deletion(&mut tasks, &["a"]);
        tasks.set_status(&task, TaskStatus::Failure, &Settings::default(), &mut people);
        assert_eq!(conflict(&tasks, &["a"]), None);
    }

    #[test]
    fn a_cancel_works_until_the_task_has_started() {
        let (mut tasks, mut people) = (Tasks::default(), People::default());
        let (early, late) = (deletion(&mut tasks, &["a"]), deletion(&mut tasks, &["b"]));
        tasks.set_status(&late, TaskStatus::Started, &Settings::default(), &mut people);
        assert_eq!(tasks.cancel("p", &early), Cancelled::Done);
        assert_eq!(tasks.cancel("p", &late), Cancelled::TooLate);
        assert_eq!(tasks.cancel("q", &late), Cancelled::Unknown);
        assert_eq!(conflict(&tasks, &["a", "b"]).map(|c| c.ids), Some(vec!["b".into()]));
    }

    #[test]
    fn ids_look_like_those_of_the_real_service() {
        let tasks = Tasks::default();
        let retrieval = tasks.new_id(TaskKind::Retrieval);
        assert!(retrieval.len() == 19 && retrieval.bytes().all(|byte| byte.is_ascii_digit()));
        assert!(tasks.new_id(TaskKind::Deletion).parse::<Uuid>().is_ok());
    }
}
