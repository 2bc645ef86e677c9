//! **I10 retention.** At the end there is no archive whose time is over, no sealed identifier of a request that ended,
//! and no hash of an ended request without a time to live, or with a longer one than the run allows.

use std::collections::HashMap;

use chrono::DateTime;

use crate::{
    account::{Account, Life},
    verdict::{Finding, Ruling},
};

pub(super) fn judge(account: &Account<'_>) -> Ruling {
    let mut ruling = Ruling::default();
    overdue_archives(account, &mut ruling);
    for id in &account.history.state.sealed {
        if account.life(id).is_some_and(Life::is_final) {
            ruling.note(
                Finding::new("ended, but its identifiers are still there, sealed").request(id),
            );
        }
    }
    let most = account.history.run.record_retention_s * 1000;
    for life in account.lives.iter().filter(|life| life.is_final()) {
        let Some(hash) = account.hash(&format!("request:{}", life.id)) else { continue };
        // A completed retrieval has an archive that must end first.
        let stays = life.kind() == "retrieval" && life.status() == "completed";
        let in_time = u64::try_from(hash.ttl_ms).is_ok_and(|ttl| ttl <= most);
        if !stays && !in_time {
            let text = format!("its hash lives for {} ms, expected {most} at most", hash.ttl_ms);
            ruling.note(Finding::new(text).request(life.id));
        }
    }
    ruling
}

fn overdue_archives(account: &Account<'_>, ruling: &mut Ruling) {
    let run = &account.history.run;
    let ends: HashMap<&str, i64> = account
        .lives
        .iter()
        .filter_map(|life| {
            let until = life.completed()?.get("archive_expires_at");
            let until = DateTime::parse_from_rfc3339(until).ok()?;
            Some((life.id, until.timestamp_millis()))
        })
        .collect();
    let store = account.history.archives.iter().flatten();
    for archive in store.filter_map(|stored| stored.archive.as_ref()) {
        let Some(end) = ends.get(archive.request.as_str()) else { continue };
        let end = u64::try_from(*end).unwrap_or(0) + run.expiry_grace_ms;
        if end < run.ended_ms {
            let text = format!("its archive should be gone for {} ms", run.ended_ms - end);
            ruling.note(Finding::new(text).request(&archive.request));
        }
    }
}
