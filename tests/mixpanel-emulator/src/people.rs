//! What the emulator knows about people: what was ingested or seeded, and who was erased.
//!
//! Invariant: made-up data exists only for ids that were never seen and never erased.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::{Map, Value};

/// All people of all projects.
#[derive(Debug, Default)]
pub(crate) struct People {
    projects: HashMap<Arc<str>, Project>,
}

#[derive(Debug, Default)]
struct Project {
    known: HashMap<Arc<str>, Arc<Person>>,
    erased: HashSet<Arc<str>>,
}

/// What is stored about one id.
#[derive(Debug, Default, Clone)]
pub(crate) struct Person {
    /// Events in the form of the exports, in order of arrival.
    pub(crate) events: Vec<Arc<Value>>,
    /// Properties of the profile, if there is one.
    pub(crate) profile: Option<Map<String, Value>>,
}

/// What a retrieval holds: each of its ids with what was known at its end.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) people: Vec<(Arc<str>, Source)>,
    /// Events for each made-up person.
    pub(crate) invent: u32,
}

/// Where a person's records come from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    Stored(Arc<Person>),
    Invented,
    Nothing,
}

impl People {
    /// Stores an event that is already in the form of the exports.
    pub(crate) fn add_event(&mut self, project: &str, id: &str, event: Value) {
        self.person(project, id).events.push(Arc::new(event));
    }

    /// The profile of a person, made if there is none.
    pub(crate) fn profile(&mut self, project: &str, id: &str) -> &mut Map<String, Value> {
        self.person(project, id).profile.get_or_insert_default()
    }

    /// Removes the profile; events stay.
    pub(crate) fn delete_profile(&mut self, project: &str, id: &str) {
        self.person(project, id).profile = None;
    }

    fn person(&mut self, project: &str, id: &str) -> &mut Person {
        if !self.projects.contains_key(project) {
            self.projects.insert(project.into(), Project::default());
        }
        let known = &mut self.projects.entry(project.into()).or_default().known;
        Arc::make_mut(known.entry(id.into()).or_default())
    }

    /// Forgets people for good: not even made-up data is left of them.
    pub(crate) fn erase(&mut self, project: &Arc<str>, ids: &[Arc<str>]) {
        let project = self.projects.entry(Arc::clone(project)).or_default();
        for id in ids {
            project.known.remove(id);
            project.erased.insert(Arc::clone(id));
        }
    }

    /// What is known about these ids now, in their order.
    pub(crate) fn snapshot(&self, project: &str, ids: &[Arc<str>], invent: u32) -> Snapshot {
        let people = ids.iter().map(|id| (Arc::clone(id), self.source(project, id, invent)));
        Snapshot { people: people.collect(), invent }
    }

    fn source(&self, project: &str, id: &str, invent: u32) -> Source {
        let project = self.projects.get(project);
        if let Some(person) = project.and_then(|project| project.known.get(id)) {
            return Source::Stored(Arc::clone(person));
        }
        let erased = project.is_some_and(|project| project.erased.contains(id));
        if erased || invent == 0 { Source::Nothing } else { Source::Invented }
    }

    /// How many ids have stored data, and how many were erased.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let projects = self.projects.values();
        projects.fold((0, 0), |(known, erased), project| {
            (known + project.known.len(), erased + project.erased.len())
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn source(people: &People, id: &str) -> Source {
        people.source("p", id, 20)
    }

    #[test]
    fn an_id_that_was_never_seen_is_made_up_unless_that_is_off() {
        let people = People::default();
        assert!(matches!(source(&people, "u1"), Source::Invented));
        assert!(matches!(people.source("p", "u1", 0), Source::Nothing));
    }

    #[test]
    fn an_erased_person_has_nothing_until_new_data_comes() {
        let mut people = People::default();
        people.add_event("p", "u1", json!({}));
        people.erase(&"p".into(), &["u1".into(), "u2".into()]);
        assert!(matches!(source(&people, "u1"), Source::Nothing));
        assert!(matches!(source(&people, "u2"), Source::Nothing));
        people.profile("p", "u1").insert("plan".to_owned(), json!("pro"));
        assert!(matches!(source(&people, "u1"), Source::Stored(_)));
    }

    #[test]
    fn a_snapshot_is_not_touched_by_what_comes_later() {
        let mut people = People::default();
        people.add_event("p", "u1", json!({"event": "A"}));
        let snapshot = people.snapshot("p", &["u1".into()], 20);
        people.add_event("p", "u1", json!({"event": "B"}));
        people.erase(&"p".into(), &["u1".into()]);
        let [(_, Source::Stored(person))] = snapshot.people.as_slice() else {
            panic!("expected one stored person")
        };
        assert_eq!(person.events.len(), 1);
    }
}
