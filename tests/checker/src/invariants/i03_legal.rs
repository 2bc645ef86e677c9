//! **I3 legal.** Each move of a request that had not ended is in the table, and comes from where the move before led to;
//! hashes and `stats` say what the ledger says, and no script met an illegal move.

use std::collections::HashMap;

use crate::{
    account::{Account, FINAL, Life},
    verdict::{Finding, Ruling},
};

/// What may follow a state that is not final.
fn next(from: &str) -> &'static [&'static str] {
    match from {
        "queued" => &["submitting", "cancelled", "held", "completed", "failed"],
        // Attempts are counted while it stays.
        "submitting" => &["submitting", "submitted", "queued", "held", "failed"],
        "submitted" => &["packaging", "completed", "queued", "cancelled", "held"],
        "packaging" => &["completed", "queued", "held"],
        "held" => &["queued", "failed", "submitted", "packaging"],
        _ => &[],
    }
}

pub(super) fn judge(account: &Account<'_>) -> Ruling {
    let mut ruling = Ruling::default();
    for life in account.lives.iter().filter(|life| !life.steps.is_empty()) {
        if let Some(text) = illegal(life).or_else(|| hash_differs(account, life)) {
            ruling.note(Finding::new(text).request(life.id));
        }
    }
    count(account, &mut ruling);
    ruling
}

fn illegal(life: &Life<'_>) -> Option<String> {
    let mut now = "";
    for event in &life.steps {
        let (from, to) = (event.get("from"), event.get("to"));
        if FINAL.contains(&now) || (from.is_empty() && !now.is_empty()) {
            // Told by I2 and I1.
            return None;
        }
        if from != now {
            return Some(format!("moved from {from:?} to {to}, but was {now:?}"));
        }
        let begins = now.is_empty() && matches!(to, "queued" | "merged" | "rejected" | "completed");
        if !begins && !next(now).contains(&to) {
            return Some(format!("moved from {now:?} to {to}, which is not legal"));
        }
        now = to;
    }
    None
}

fn hash_differs(account: &Account<'_>, life: &Life<'_>) -> Option<String> {
    let Some(hash) = account.hash(&format!("request:{}", life.id)) else {
        let end = life.steps.last().map_or(0, |event| event.ms);
        let until = end + account.history.run.record_retention_s * 1000;
        let may_be_gone = life.is_final() && until <= account.history.run.ended_ms;
        return (!may_be_gone).then(|| "has no hash".to_owned());
    };
    let (found, expected) = (hash.get("status"), life.status());
    (found != expected).then(|| format!("its hash says {found}, its ledger {expected}"))
}

fn count(account: &Account<'_>, ruling: &mut Ruling) {
    let mut expected: HashMap<String, i64> = HashMap::new();
    for life in account.lives.iter().filter(|life| life.receipts > 0) {
        *expected.entry(format!("{}.{}", life.kind(), life.status())).or_default() += 1;
    }
    let stats = &account.history.state.stats;
    let of_requests = stats.iter().filter(|(name, _)| expected_name(name));
    let mut names: Vec<&String> =
        expected.keys().chain(of_requests.map(|(name, _)| name)).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let found = stats.get(name).copied().unwrap_or(0);
        let expected = expected.get(name).copied().unwrap_or(0);
        if found != expected {
            ruling.note(Finding::new(format!("stats say {name} {found}, the ledger {expected}")));
        }
    }
    let illegal = stats.get("illegal_moves").copied().unwrap_or(0);
    if illegal != 0 {
        ruling.note(Finding::new(format!("scripts met {illegal} illegal moves, expected 0")));
    }
}

/// `kind.status`; other counters are not about requests.
fn expected_name(name: &str) -> bool {
    let Some((_, status)) = name.split_once('.') else { return false };
    FINAL.contains(&status) || !next(status).is_empty()
}
