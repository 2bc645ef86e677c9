//! **I6 explained.** The k-th call of a batch has k attempts in the ledger that were recorded before it arrived. A batch
//! has no more tasks beyond its first than attempts that were recorded as unknown, and no more than its budget.
//! (Whether an attempt was on the disk before the call shows after a power cut: then it would be missing here. There are
//! no journals beside the ledger.)

use std::collections::BTreeMap;

use crate::{
    account::{Account, Batch, Post},
    verdict::{Finding, Ruling},
};

pub(super) fn judge(account: &Account<'_>) -> Ruling {
    let run = &account.history.run;
    let mut ruling = Ruling::default();
    let mut of_batch: BTreeMap<&str, Vec<&Post<'_>>> = BTreeMap::new();
    for post in &account.posts {
        match post.batch {
            Some(batch) => of_batch.entry(batch).or_default().push(post),
            None => ruling
                .note(Finding::new("no recorded attempt stands behind it").call(post.call.seq)),
        }
    }
    for (name, posts) in of_batch {
        let Some(batch) = account.batches.get(name) else { continue };
        for (before, post) in posts.iter().enumerate() {
            let until = post.call.at() + run.clock_slack_ms;
            let recorded = batch.intents.iter().filter(|intent| intent.ms <= until).count();
            if recorded <= before {
                let text = format!(
                    "call number {} of it, but {recorded} attempts were recorded by then",
                    before + 1
                );
                ruling.note(Finding::new(text).batch(name).call(post.call.seq));
            }
        }
        if let Some(text) = too_many(batch, &posts, run.budget_retrieval, run.budget_deletion) {
            let calls = posts.iter().filter(|post| post.call.acted).map(|post| post.call.seq);
            ruling.note(Finding { calls: calls.collect(), ..Finding::new(text).batch(name) });
        }
    }
    ruling
}

fn too_many(
    batch: &Batch<'_>,
    posts: &[&Post<'_>],
    retrieval: usize,
    deletion: usize,
) -> Option<String> {
    let tasks = posts.iter().filter(|post| post.call.acted).count();
    let extra = tasks.saturating_sub(1);
    let budget = if batch.kind == "retrieval" { retrieval } else { deletion };
    if extra > batch.unknown {
        return Some(format!(
            "{tasks} tasks, but {} lost answers that could explain them",
            batch.unknown
        ));
    }
    (extra > budget).then(|| format!("{tasks} tasks, expected {} at most", budget + 1))
}
