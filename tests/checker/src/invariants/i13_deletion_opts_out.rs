//! **I13 a deletion opts out.** Whoever asked for a deletion is out, unless they opted in later; and from the moment the
//! deletion is on its way to Mixpanel no record about them arrives.

use super::stays_out::{self, Period};
use crate::{
    account::Account,
    history::tag,
    verdict::{Finding, Ruling},
};

pub(super) fn judge(account: &Account<'_>) -> Ruling {
    let run = &account.history.run;
    let mut out = Vec::new();
    let mut periods = Vec::new();
    for life in account.lives.iter().filter(|life| life.kind() == "deletion") {
        let Some((received, _)) = life.received else { continue };
        let lasts = Period::from(account, life, received.ms).is_some_and(|period| period.lasts());
        let stays_in = |id: &&String| {
            let user = account.hash(&format!("user:{}", tag(&run.pepper, &run.project, id)));
            user.is_none_or(|user| user.get("consent") != "opted_out")
        };
        if lasts && life.ids().iter().any(|id| stays_in(&id)) {
            out.push(Finding::new("asked for a deletion, but is not opted out").request(life.id));
        }
        let sent = life.steps.iter().find(|event| event.get("to") == "submitting");
        periods.extend(sent.and_then(|event| Period::from(account, life, event.ms)));
    }
    let mut ruling = stays_out::judge(account, &periods);
    out.append(&mut ruling.violations);
    ruling.violations = out;
    ruling
}
