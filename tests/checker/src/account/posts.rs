//! For which batch each call was made: the calls themselves do not say.

use std::{
    cmp::Ordering,
    collections::{HashMap, HashSet},
};

use super::{Account, Life};
use crate::history::{Call, Produced};

/// A call that was to make a task.
#[derive(Debug)]
pub(crate) struct Post<'h> {
    pub(crate) call: &'h Call,
    /// The kind of its requests.
    pub(crate) kind: &'h str,
    /// The batch that it was made for, by the requests whose ids it names.
    pub(crate) batch: Option<&'h str>,
    /// When the latest attempt before it was recorded.
    pub(crate) intent_ms: Option<u64>,
}

/// A batch, as far as calls are matched with it.
struct Candidate<'h> {
    name: &'h str,
    kind: &'h str,
    asked: &'h Produced,
    /// When it was sealed.
    ms: u64,
    /// Its different ids.
    size: usize,
}

/// The calls of this project that were to make a task. A call was made for that batch, sealed before it, which has most
/// of its ids and fewest others; of two alike, for the later one.
pub(super) fn matched<'h>(account: &Account<'h>) -> Vec<Post<'h>> {
    let run = &account.history.run;
    let (candidates, by_id) = candidates(account);
    let ours = |call: &&Call| {
        call.project.as_deref() == Some(run.token.as_str())
            && !call.task.as_ref().is_some_and(|task| run.foreign_tasks.contains(task))
    };
    let calls = account.history.calls.iter().filter(ours);
    let posts = calls.filter_map(|call| {
        let kind = call.creates()?;
        let before = call.at() + run.clock_slack_ms;
        let mut common: HashMap<usize, usize> = HashMap::new();
        for id in &call.ids {
            for place in by_id.get(id.as_str()).into_iter().flatten() {
                if candidates[*place].ms <= before && fits(&candidates[*place], call, kind) {
                    *common.entry(*place).or_default() += 1;
                }
            }
        }
        let better = |a: &(usize, usize), b: &(usize, usize)| {
            let (one, two) = (&candidates[a.0], &candidates[b.0]);
            let all = |candidate: &Candidate<'_>, common| candidate.size + call.ids.len() - common;
            let shares = (a.1 * all(two, b.1)).cmp(&(b.1 * all(one, a.1)));
            shares.then(one.ms.cmp(&two.ms)).then_with(|| -> Ordering { a.0.cmp(&b.0) })
        };
        let best = common.into_iter().max_by(better).map(|(place, _)| candidates[place].name);
        let intents = best.and_then(|name| account.batches.get(name)).map(|b| &b.intents);
        let intent = intents.and_then(|all| all.iter().rfind(|event| event.ms <= before));
        Some(Post { call, kind, batch: best, intent_ms: intent.map(|event| event.ms) })
    });
    posts.collect()
}

/// Every batch that was sealed, and by distinct_id in which of them it stands.
fn candidates<'h>(account: &Account<'h>) -> (Vec<Candidate<'h>>, HashMap<&'h str, Vec<usize>>) {
    let (mut all, mut by_id) = (Vec::new(), HashMap::<&str, Vec<usize>>::new());
    for (name, batch) in &account.batches {
        let members = || batch.members.iter().filter_map(|id| account.life(id));
        let asked = members().find_map(|life| life.produced);
        let (Some(first), Some(asked)) = (batch.intents.first(), asked) else { continue };
        let ids: HashSet<&str> = members().flat_map(Life::ids).map(String::as_str).collect();
        for id in &ids {
            by_id.entry(id).or_default().push(all.len());
        }
        all.push(Candidate { name, kind: batch.kind, asked, ms: first.ms, size: ids.len() });
    }
    (all, by_id)
}

/// Whether the call asks for what the batch's requests ask for, as far as it says.
fn fits(candidate: &Candidate<'_>, call: &Call, kind: &str) -> bool {
    let same = |said: &Option<String>, asked: &str| {
        said.as_ref().is_none_or(|said| said.eq_ignore_ascii_case(asked))
    };
    candidate.kind == kind
        && same(&call.compliance, &candidate.asked.regulation)
        && (kind != "retrieval" || same(&call.disclosure, &candidate.asked.disclosure))
}
