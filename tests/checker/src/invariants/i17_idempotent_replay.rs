//! **I17 a replay changes nothing.** After everything that has an id of its own was enqueued a second time, no call makes
//! a task and no request moves, but for archives that expire.

use crate::{
    account::Account,
    verdict::{Finding, Ruling},
};

pub(super) fn judge(account: &Account<'_>) -> Ruling {
    let Some(replay) = &account.history.run.replayed else {
        return Ruling::lacks(
            "a replay: enqueue everything again and say in run.json when (`replayed`)",
        );
    };
    let posts = account.posts.iter().filter(|post| post.call.seq > replay.call);
    let calls =
        posts.map(|post| Finding::new("a call was made after the replay").call(post.call.seq));
    let order = |entry: &str| {
        let (ms, seq) = entry.split_once('-').unwrap_or((entry, "0"));
        (ms.parse().unwrap_or(0), seq.parse().unwrap_or(0))
    };
    let mark: (u64, u64) = order(&replay.event);
    let events = account.history.ledger.iter().filter(|event| event.order() > mark);
    let moved = events.filter(|event| {
        event.requests().next().is_some() && !matches!(event.get("to"), "" | "expired")
    });
    let found = moved.map(|event| Finding {
        requests: event.requests().map(str::to_owned).collect(),
        ..Finding::new(format!("moved to {} after the replay", event.get("to")))
    });
    calls.chain(found).collect()
}
