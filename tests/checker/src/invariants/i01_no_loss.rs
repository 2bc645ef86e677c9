//! **I1 no loss.** Every acknowledged request has exactly one event that took it in, under its own id, kind and tags;
//! what was meant to be rejected was rejected, and nothing else. An entry that is still on the producers' stream is not
//! lost. (The producer is acknowledged by XADD, before intake: there is no "time ≤ ack" here.)

use std::collections::HashSet;

use crate::{
    account::{Account, Life},
    history::{Produced, tag},
    verdict::{Finding, Ruling},
};

pub(super) fn judge(account: &Account<'_>) -> Ruling {
    let waiting: HashSet<&str> =
        account.history.state.requests.iter().map(String::as_str).collect();
    let lives = account.lives.iter();
    let asked = lives.filter_map(|life| life.produced.map(|produced| (life, produced)));
    asked
        .filter_map(|(life, produced)| {
            let on_the_way = life.receipts == 0 && waiting.contains(produced.entry.as_str());
            let wrong = if on_the_way { None } else { wrong(account, life, produced) };
            wrong.map(|text| Finding::new(text).request(life.id))
        })
        .collect()
}

fn wrong(account: &Account<'_>, life: &Life<'_>, produced: &Produced) -> Option<String> {
    match life.receipts {
        0 => return Some("acknowledged, but not in the ledger: lost".to_owned()),
        1 => {}
        n => return Some(format!("taken in {n} times, expected once")),
    }
    let rejected = life.steps.first().is_some_and(|event| event.get("to") == "rejected");
    match (produced.refused, rejected) {
        (true, true) => return None,
        (true, false) => return Some("was to be rejected, and was not".to_owned()),
        (false, true) => return Some("rejected, although its document is right".to_owned()),
        (false, false) => {}
    }
    if life.kind() != produced.kind {
        return Some(format!("taken in as {}, expected {}", life.kind(), produced.kind));
    }
    let run = &account.history.run;
    let expected: HashSet<String> =
        produced.ids.iter().map(|id| tag(&run.pepper, &run.project, id)).collect();
    let found: HashSet<String> = life.tags().into_iter().map(str::to_owned).collect();
    (found != expected).then(|| "taken in for somebody else: its tags are others".to_owned())
}
