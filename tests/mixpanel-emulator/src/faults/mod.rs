//! Faults on command: rules that are added and cleared while the emulator runs.
//!
//! Invariant: a rule with `times` is used up by the calls it changed, never by calls it only saw.

mod document;
mod records;
mod wire;

pub(crate) use document::RuleDocument;
pub(crate) use records::{Bad, BadRecords};
pub(crate) use wire::{Replacement, Wire, WireFault};

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::dice::Dice;
use crate::export::Taint;
use crate::ingest::Record;
use crate::kind::Kind;
use crate::task::{Task, TaskKind};

/// All rules, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    rules: Vec<Rule>,
    last_number: u64,
    /// How many times any rule was applied.
    pub(crate) applied: u64,
}

/// One rule: what it does, to which calls, how often.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) fault: Fault,
    pub(crate) matches: Match,
    pub(crate) project: Option<String>,
    /// Calls that fit and are let through first.
    pub(crate) skip: u32,
    /// How often it still applies; `None` = until cleared.
    pub(crate) times: Option<u32>,
    pub(crate) probability: f64,
    number: u64,
    applied: u64,
    document: Value,
}

/// What a rule does.
#[derive(Debug)]
pub(crate) enum Fault {
    /// Changes what happens on the wire.
    Wire(WireFault),
    /// Tasks that name one of the ids, or the next tasks if there are none, end in FAILURE.
    FailTasks(HashSet<String>),
    /// Polls of one task, or of any, say this word.
    TaskStatus { word: String, task: Option<String> },
    /// A create that names one of the ids is refused.
    BadIds { ids: HashSet<String>, status: u16, named: bool },
    /// A create is refused as if its ids, or those listed, were being deleted.
    Conflict { ids: Vec<String>, task: Option<String> },
    /// Polls name other ids than the task has.
    WrongEcho,
    /// A poll that says SUCCESS brings no link.
    EmptyLink,
    /// A poll of a finished retrieval with one of the ids, or of any, brings this link, wherever it leads.
    Link { link: String, ids: HashSet<String> },
    /// The body of an ingestion call is read slowly: a wait before each piece.
    SlowRead(Duration),
    /// Some records of an ingestion call are refused.
    BadRecords(BadRecords),
    /// Something is wrong with an export or with how it is served.
    Taint(Taint),
}

/// Which calls a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Match {
    Any,
    Create,
    Poll,
    Ingest,
    One(Kind),
}

impl Match {
    fn fits(self, kind: Kind) -> bool {
        match self {
            Self::Any => true,
            Self::Create => kind.creates().is_some(),
            Self::Poll => kind.polls().is_some(),
            Self::Ingest => kind.ingests(),
            Self::One(one) => one == kind,
        }
    }
}

/// The call that is asked about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Occasion<'a> {
    pub(crate) kind: Kind,
    pub(crate) project: Option<&'a str>,
}

impl Faults {
    /// Adds a rule and gives its number.
    pub(crate) fn add(&mut self, document: RuleDocument) -> Result<u64, String> {
        self.last_number += 1;
        let shown = serde_json::to_value(&document).unwrap_or_default();
        let mut rule = document.into_rule()?;
        rule.number = self.last_number;
        rule.document = shown;
        self.rules.push(rule);
        Ok(self.last_number)
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    /// The rules as they were given, with how often they applied and still will.
    pub(crate) fn list(&self) -> Value {
        let shown = |rule: &Rule| {
            json!({
                "number": rule.number, "applied": rule.applied, "left": rule.times,
                "rule": rule.document,
            })
        };
        self.rules.iter().map(shown).collect()
    }

    /// The wire fault for this call, if a rule has one; it is used up by asking.
    pub(crate) fn wire(&mut self, occasion: Occasion<'_>, dice: &mut Dice) -> Option<WireFault> {
        self.take(occasion, dice, |fault| match fault {
            Fault::Wire(wire) => Some(wire.clone()),
            _ => None,
        })
    }

    /// Whether a new task is to end in FAILURE.
    pub(crate) fn dooms(&mut self, at: Occasion<'_>, ids: &[Arc<str>], dice: &mut Dice) -> bool {
        let doomed = self.take(at, dice, |fault| match fault {
            Fault::FailTasks(bad) if bad.is_empty() => Some(()),
            Fault::FailTasks(bad) => ids.iter().any(|id| bad.contains(&**id)).then_some(()),
            _ => None,
        });
        doomed.is_some()
    }

    /// Status of a refusal because of bad ids, and the ids to name.
    pub(crate) fn refuses(
        &mut self,
        at: Occasion<'_>,
        ids: &[Arc<str>],
        dice: &mut Dice,
    ) -> Option<(u16, Vec<Arc<str>>)> {
        self.take(at, dice, |fault| {
            let Fault::BadIds { ids: bad, status, named } = fault else { return None };
            let found: Vec<_> = ids.iter().filter(|id| bad.contains(&***id)).cloned().collect();
            let shown = if *named { found.clone() } else { Vec::new() };
            (!found.is_empty()).then_some((*status, shown))
        })
    }

    /// Ids and task of a conflict that there is not.
    pub(crate) fn pretends_conflict(
        &mut self,
        at: Occasion<'_>,
        ids: &[Arc<str>],
        dice: &mut Dice,
    ) -> Option<(Vec<Arc<str>>, Option<String>)> {
        self.take(at, dice, |fault| {
            let Fault::Conflict { ids: listed, task } = fault else { return None };
            let named = |id: &&Arc<str>| listed.is_empty() || listed.iter().any(|l| **l == ***id);
            let found: Vec<_> = ids.iter().filter(named).cloned().collect();
            (!found.is_empty()).then(|| (found, task.clone()))
        })
    }

    /// The word that a poll of this task is to say instead of its status.
    pub(crate) fn poll_word(
        &mut self,
        at: Occasion<'_>,
        task: &Task,
        dice: &mut Dice,
    ) -> Option<String> {
        self.take(at, dice, |fault| match fault {
            Fault::TaskStatus { word, task: Some(id) } => (**id == *task.id).then(|| word.clone()),
            Fault::TaskStatus { word, task: None } => Some(word.clone()),
            _ => None,
        })
    }

    /// Whether this poll names wrong ids.
    pub(crate) fn echoes_wrongly(&mut self, at: Occasion<'_>, dice: &mut Dice) -> bool {
        self.take(at, dice, |fault| matches!(fault, Fault::WrongEcho).then_some(())).is_some()
    }

    /// Whether this poll of a finished retrieval brings no link.
    pub(crate) fn hides_link(&mut self, at: Occasion<'_>, dice: &mut Dice) -> bool {
        at.kind.polls() == Some(TaskKind::Retrieval)
            && self
                .take(at, dice, |fault| matches!(fault, Fault::EmptyLink).then_some(()))
                .is_some()
    }

    /// The link that this poll of a finished retrieval brings instead of its own.
    pub(crate) fn foreign_link(
        &mut self,
        at: Occasion<'_>,
        ids: &[Arc<str>],
        dice: &mut Dice,
    ) -> Option<String> {
        self.take(at, dice, |fault| {
            let Fault::Link { link, ids: listed } = fault else { return None };
            let fits = listed.is_empty() || ids.iter().any(|id| listed.contains(&**id));
            fits.then(|| link.clone())
        })
    }

    /// How long to wait before each piece of this call's body.
    pub(crate) fn slow_read(&mut self, at: Occasion<'_>, dice: &mut Dice) -> Option<Duration> {
        self.take(at, dice, |fault| match fault {
            Fault::SlowRead(pause) => Some(*pause),
            _ => None,
        })
    }

    /// Which records of this call are refused; a call without any is not touched.
    pub(crate) fn bad_records(
        &mut self,
        at: Occasion<'_>,
        records: &[Record],
        dice: &mut Dice,
    ) -> Option<Bad> {
        self.take(at, dice, |fault| match fault {
            Fault::BadRecords(rule) => rule.among(records, at.kind),
            _ => None,
        })
    }

    /// All that is to be wrong with the export that is downloaded now.
    pub(crate) fn taints(&mut self, at: Occasion<'_>, dice: &mut Dice) -> Vec<Taint> {
        let mut taints = Vec::new();
        for rule in &mut self.rules {
            let taint = rule.apply(at, dice, |fault| match fault {
                Fault::Taint(taint) => Some(*taint),
                _ => None,
            });
            self.applied += u64::from(taint.is_some());
            taints.extend(taint.map(|taint| match taint {
                // Each time another one.
                Taint::NewEtag(_) => Taint::NewEtag(rule.applied),
                other => other,
            }));
        }
        taints
    }

    /// The answer of the first rule that fits the call, has one, and is not spared by chance.
    fn take<T>(
        &mut self,
        at: Occasion<'_>,
        dice: &mut Dice,
        ask: impl Fn(&Fault) -> Option<T>,
    ) -> Option<T> {
        let answer = self.rules.iter_mut().find_map(|rule| rule.apply(at, dice, &ask));
        self.applied += u64::from(answer.is_some());
        answer
    }
}

impl Rule {
    /// The rule's answer if it fits the call, has one, and the call is not spared; it is used up by that.
    fn apply<T>(
        &mut self,
        at: Occasion<'_>,
        dice: &mut Dice,
        ask: impl Fn(&Fault) -> Option<T>,
    ) -> Option<T> {
        let other_project = self.project.is_some() && self.project.as_deref() != at.project;
        if self.times == Some(0) || other_project || !self.matches.fits(at.kind) {
            return None;
        }
        let answer = ask(&self.fault)?;
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        if !dice.happens(self.probability) {
            return None;
        }
        self.times = self.times.map(|times| times - 1);
        self.applied += 1;
        Some(answer)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn faults(rule: Value) -> Faults {
        let mut faults = Faults::default();
        faults.add(serde_json::from_value(rule).unwrap()).unwrap();
        faults
    }

    fn at(kind: Kind) -> Occasion<'static> {
        Occasion { kind, project: Some("p") }
    }

    #[test]
    fn a_rule_is_used_up_only_by_calls_that_it_changed() {
        let mut faults = faults(json!({"match": "poll", "fault": "status", "times": 2}));
        let mut dice = Dice::new(1);
        let mut hit = |kind| faults.wire(at(kind), &mut dice).is_some();
        let (create, poll) = (Kind::CreateDeletion, Kind::PollDeletion);
        assert_eq!(
            [create, poll, create, poll, poll].map(&mut hit),
            [false, true, false, true, false]
        );
    }

    #[test]
    fn skip_lets_calls_through_first() {
        let mut faults = faults(json!({"match": "poll", "fault": "close", "skip": 1, "times": 1}));
        let mut dice = Dice::new(1);
        let mut hit = |_| faults.wire(at(Kind::PollDeletion), &mut dice).is_some();
        assert_eq!([1, 2, 3].map(&mut hit), [false, true, false]);
    }

    #[test]
    fn a_rule_for_one_project_spares_the_others() {
        let mut faults = faults(json!({"fault": "close", "project": "q"}));
        assert!(faults.wire(at(Kind::Track), &mut Dice::new(1)).is_none());
    }

    #[test]
    fn bad_ids_are_named_only_if_asked() {
        let ids: Vec<Arc<str>> = vec!["a".into(), "b".into()];
        for (named, expected) in [(true, vec!["b".into()]), (false, vec![])] {
            let mut faults = faults(
                json!({"fault": "bad-ids", "ids": ["b", "z"], "status": 413, "name_ids": named}),
            );
            let refusal = faults.refuses(at(Kind::CreateRetrieval), &ids, &mut Dice::new(1));
            assert_eq!(refusal, Some((413, expected)));
            assert_eq!(
                faults.refuses(at(Kind::CreateRetrieval), &ids[..1], &mut Dice::new(1)),
                None
            );
        }
    }
}
