//! The walk: breadth first, so that the way to a violation is a shortest one.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

use crate::{
    Rules,
    state::State,
    steps::{self, Step},
};

/// States are many, and nobody chooses them to collide.
#[derive(Default)]
struct Quick(u64);

impl Hasher for Quick {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_isize(&mut self, value: isize) {
        self.write_u64(value.unsigned_abs() as u64);
    }
}

/// What a walk found.
#[derive(Debug)]
pub struct Report {
    /// States that can be reached.
    pub states: usize,
    /// Most tasks that Mixpanel made for the request.
    pub most_tasks: u32,
    /// The first thing that must not be, with the way to it.
    pub violation: Option<(Violation, Vec<&'static str>)>,
}

/// What must not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// Mixpanel has a task whose attempt is not in the ledger.
    Unexplained,
    /// More tasks than one and the budget, or more than one although Mixpanel refuses conflicts.
    TooManyTasks,
    /// From here the request never becomes final.
    Lost,
    /// The request is done, and Mixpanel has no task for it.
    Undone,
}

fn wrong(rules: &Rules, state: &State) -> Option<Violation> {
    let most = if rules.conflicts { 1 } else { u32::from(rules.budget) + 1 };
    if state.tasks & !state.redis.recorded != 0 {
        return Some(Violation::Unexplained);
    }
    if state.tasks.count_ones() > most {
        return Some(Violation::TooManyTasks);
    }
    let done = state.redis.stand == crate::state::Stand::Done;
    (done && state.tasks == 0).then_some(Violation::Undone)
}

/// Walks through every state that `rules` allow. Stops at the first violation.
pub fn explore(rules: &Rules) -> Report {
    let first = State::first(rules).normal(rules);
    let mut places: HashMap<State, usize, BuildHasherDefault<Quick>> = HashMap::default();
    places.insert(first, 0);
    let mut states = vec![first];
    let mut from: Vec<(usize, Step)> = vec![(0, "")];
    let mut edges: Vec<(u32, u32)> = Vec::new();
    let mut at = 0;
    let mut most_tasks = 0;
    while let Some(&now) = states.get(at) {
        most_tasks = most_tasks.max(now.tasks.count_ones());
        if let Some(violation) = wrong(rules, &now) {
            let violation = Some((violation, way(&from, at)));
            return Report { states: states.len(), most_tasks, violation };
        }
        steps::next(rules, &now, &mut |step, state| {
            let state = state.normal(rules);
            let place = *places.entry(state).or_insert_with(|| {
                states.push(state);
                from.push((at, step));
                states.len() - 1
            });
            edges.push((index(place), index(at)));
        });
        at += 1;
    }
    let stuck = stuck(&states, edges);
    let violation = stuck.map(|at| (Violation::Lost, way(&from, at)));
    Report { states: states.len(), most_tasks, violation }
}

fn index(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

/// The first state from which no final one can be reached: found by going back from the final ones.
fn stuck(states: &[State], mut edges: Vec<(u32, u32)>) -> Option<usize> {
    edges.sort_unstable();
    let mut ends = vec![false; states.len()];
    let mut open: Vec<usize> = (0..states.len()).filter(|at| states[*at].is_final()).collect();
    for at in &open {
        ends[*at] = true;
    }
    while let Some(at) = open.pop() {
        let first = edges.partition_point(|(to, _)| *to < index(at));
        for (_, before) in edges[first..].iter().take_while(|(to, _)| *to == index(at)) {
            let before = *before as usize;
            if !std::mem::replace(&mut ends[before], true) {
                open.push(before);
            }
        }
    }
    ends.iter().position(|ends| !ends)
}

fn way(from: &[(usize, Step)], mut at: usize) -> Vec<Step> {
    let mut steps = Vec::new();
    while at != 0 {
        let (before, step) = from[at];
        steps.push(step);
        at = before;
    }
    steps.reverse();
    steps
}
