//! **I5 no foreign ids.** Every id in a call that makes a task belongs to an acknowledged request of the same kind and
//! project that had not ended (been cancelled, say) before that attempt was recorded.

use crate::{
    account::{Account, Life, Post},
    verdict::{Finding, Ruling},
};

pub(super) fn judge(account: &Account<'_>) -> Ruling {
    let foreign = |post: &Post<'_>| {
        let ids = post.call.ids.iter();
        ids.filter(|id| !account.owners(id).any(|life| wants(account, life, post))).count()
    };
    account
        .posts
        .iter()
        .filter_map(|post| {
            let count = foreign(post);
            let text = format!(
                "{count} of {} ids belong to no open {} of this project",
                post.call.ids.len(),
                post.kind
            );
            let finding = Finding::new(text).call(post.call.seq);
            (count > 0).then(|| match post.batch {
                Some(batch) => finding.batch(batch),
                None => finding,
            })
        })
        .collect()
}

fn wants(account: &Account<'_>, life: &Life<'_>, post: &Post<'_>) -> bool {
    let slack = account.history.run.clock_slack_ms;
    let at = post.intent_ms.unwrap_or(post.call.at() + slack);
    life.kind() == post.kind
        && life.received.is_some_and(|(event, _)| event.ms <= at)
        && life.end().is_none_or(|end| end.ms >= at)
}
