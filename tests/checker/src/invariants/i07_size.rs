//! **I7 size.** A call names no more ids than the run allows, unless they are one request's, and none twice.

use std::collections::HashSet;

use crate::{
    account::{Account, Post},
    verdict::{Finding, Ruling},
};

pub(super) fn judge(account: &Account<'_>) -> Ruling {
    let run = &account.history.run;
    let wrong = |post: &Post<'_>| {
        let most = if post.kind == "retrieval" { run.batch_retrieval } else { run.batch_deletion };
        let ids = &post.call.ids;
        let distinct = ids.iter().collect::<HashSet<_>>().len();
        if distinct < ids.len() {
            return Some(format!("{} ids, but {distinct} different ones", ids.len()));
        }
        let members =
            post.batch.and_then(|name| account.batches.get(name)).map(|b| b.members.len());
        (ids.len() > most && members != Some(1))
            .then(|| format!("{} ids, expected {most} at most", ids.len()))
    };
    let found = account.posts.iter().filter_map(|post| Some((post, wrong(post)?)));
    found.map(|(post, text)| Finding::new(text).call(post.call.seq)).collect()
}
