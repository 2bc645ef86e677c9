//! **I8 rate.** Between two arrivals of calls to the GDPR API of the project lies at least the shortest time, all
//! replicas taken together, by the emulator's own clock.

use crate::{
    account::Account,
    verdict::{Finding, Ruling},
};

pub(super) fn judge(account: &Account<'_>) -> Ruling {
    let run = &account.history.run;
    let ours = |project: &Option<String>| project.as_deref() == Some(run.token.as_str());
    let is_foreign =
        |task: &Option<String>| task.as_ref().is_some_and(|task| run.foreign_tasks.contains(task));
    let calls = account.history.calls.iter();
    // Somebody else's calls are not ours to answer for.
    let calls = calls.filter(|call| {
        call.is_gdpr()
            && ours(&call.project)
            && !(call.creates().is_some() && is_foreign(&call.task))
    });
    let mut arrivals: Vec<(f64, u64)> = calls.map(|call| (call.ms, call.seq)).collect();
    arrivals.sort_by(|a, b| a.0.total_cmp(&b.0));
    let close = arrivals.windows(2).filter(|pair| pair[1].0 - pair[0].0 < run.min_gap_ms);
    close
        .map(|pair| {
            let gap = pair[1].0 - pair[0].0;
            let text = format!("{gap:.1} ms apart, expected {} at least", run.min_gap_ms);
            Finding::new(text).call(pair[0].1).call(pair[1].1)
        })
        .collect()
}
