//! **I18 quiet.** Once every request is final there is no call to the GDPR API and no download for as long as the run
//! says, and nothing waits anywhere: no deadline, batch, request in a group, parcel that may still arrive, job on its way,
//! entry that nobody settled. (`groups` may name a group in which nothing waits, until the next sweep.)

use crate::{
    account::{Account, Life},
    verdict::{Finding, Ruling},
};

/// What was on its way when the last request became final may still arrive.
const ON_THE_WAY_MS: u64 = 1000;
/// Jobs of these steps may wait for ever: archives expire, housekeeping comes round.
const LASTING: [&str; 6] = ["expire", "sweep", "reconcile", "retain", "purge", "acknowledge"];

pub(super) fn judge(account: &Account<'_>) -> Ruling {
    let mut known = account.lives.iter().filter(|life| life.receipts > 0);
    if known.any(|life| !life.is_final()) {
        return Ruling::lacks("an end: some requests are not final");
    }
    let ends = account.lives.iter().filter_map(Life::end);
    let last = ends.map(|event| event.ms).max().unwrap_or(0);
    let run = &account.history.run;
    let mut ruling = Ruling::default();
    let replayed = run.replayed.as_ref().map_or(0, |replay| replay.call);
    for call in &account.history.calls {
        let ours = call.project.as_deref() == Some(run.token.as_str());
        let late = call.at() > last + ON_THE_WAY_MS;
        // A call after a replay is told by I17.
        let told = call.creates().is_some() && run.replayed.is_some() && call.seq > replayed;
        if late && !told && (call.kind == "export" || (call.is_gdpr() && ours)) {
            let text = format!(
                "a {} {} ms after the last request became final",
                call.kind,
                call.at() - last
            );
            ruling.note(Finding::new(text).call(call.seq));
        }
    }
    for (what, count) in left_over(account) {
        if count > 0 {
            ruling.note(Finding::new(format!("{count} {what} at the end, expected none")));
        }
    }
    if ruling.violations.is_empty() && run.ended_ms < last + run.quiet_ms {
        ruling.missing.push(format!(
            "the end of the silence: {} ms were watched, expected {}",
            run.ended_ms.saturating_sub(last),
            run.quiet_ms
        ));
    }
    ruling
}

fn left_over(account: &Account<'_>) -> [(&'static str, usize); 9] {
    let state = &account.history.state;
    let passing = |job: &&String| {
        let step = job.split('/').next().unwrap_or_default();
        !LASTING.contains(&step)
    };
    [
        ("deadlines", state.due.len()),
        ("waiting requests", state.open.values().chain(state.waiting.values()).sum()),
        ("batches", state.batches.len()),
        ("parcels on the wire", state.wire),
        ("jobs for later", state.delayed.iter().filter(passing).count()),
        ("jobs", state.work),
        ("entries that nobody settled", state.pending),
        ("documents that nobody took in", state.requests.len()),
        (
            "requests with identifiers",
            state.sealed.iter().filter(|id| account.life(id).is_none()).count(),
        ),
    ]
}
