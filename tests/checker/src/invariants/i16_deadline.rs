//! **I16 deadline.** Each request's deadline is the law's; while it is open it stands in `due` under that time, where
//! those that need attention are looked for (`gdpr-worker due`; there is no event of attention); and Mixpanel has it
//! within the time the run allows, not counting times at which nothing could be sent, and its wait for a copy.

use chrono::{DateTime, Datelike, Days, NaiveDate, Utc};

use crate::{
    account::{Account, Life},
    verdict::{Finding, Ruling},
};

pub(super) fn judge(account: &Account<'_>) -> Ruling {
    let known = account.lives.iter().filter(|life| life.produced.is_some() && life.receipts == 1);
    known
        .filter(|life| life.status() != "rejected")
        .filter_map(|life| {
            let text = wrong_deadline(life)
                .or_else(|| not_listed(account, life))
                .or_else(|| too_late(account, life))?;
            Some(Finding::new(text).request(life.id))
        })
        .collect()
}

/// GDPR: the same day of the next month, or its last. CCPA: 45 days.
fn deadline(regulation: &str, received: DateTime<Utc>) -> Option<DateTime<Utc>> {
    if regulation == "CCPA" {
        return received.checked_add_days(Days::new(45));
    }
    let (year, month) = match received.month() {
        12 => (received.year() + 1, 1),
        month => (received.year(), month + 1),
    };
    let day =
        (1..=received.day()).rev().find_map(|day| NaiveDate::from_ymd_opt(year, month, day))?;
    Some(day.and_time(received.time()).and_utc())
}

fn wrong_deadline(life: &Life<'_>) -> Option<String> {
    let (produced, (event, _)) = (life.produced?, life.received?);
    let entry_s = i64::try_from(produced.order().0 / 1000).ok()?;
    let received = DateTime::from_timestamp(produced.received_s.unwrap_or(entry_s), 0)?;
    let expected = deadline(&produced.regulation, received)?;
    let found = event.get("due_at");
    // Of two copies of a document the later one may be taken in first: the deadline is set right with the other.
    let told = std::iter::once(&event).chain(&life.deadlines).map(|event| event.get("due_at"));
    let mut told = told.filter_map(|due| DateTime::parse_from_rfc3339(due).ok());
    (!told.any(|due| due == expected))
        .then(|| format!("due at {found:?}, expected {}", expected.format("%FT%TZ")))
}

fn not_listed(account: &Account<'_>, life: &Life<'_>) -> Option<String> {
    if life.is_final() {
        return None;
    }
    let hash = account.hash(&format!("request:{}", life.id))?;
    let due = DateTime::parse_from_rfc3339(hash.get("due_at")).ok()?.timestamp();
    let listed = account.history.state.due.get(life.id) == Some(&due);
    (!listed).then(|| "open, but not in `due` under its deadline".to_owned())
}

fn too_late(account: &Account<'_>, life: &Life<'_>) -> Option<String> {
    let run = &account.history.run;
    if !matches!(life.kind(), "retrieval" | "deletion") {
        return None;
    }
    let (received, _) = life.received?;
    let taken = life.steps.iter().find(|event| event.get("to") == "submitted");
    let until = match (taken, life.end()) {
        (Some(taken), _) => taken.ms,
        // It ended without ever being sent.
        (None, Some(_)) => return None,
        (None, None) => run.ended_ms,
    };
    // A deletion waits for the copies that the person asked for.
    let copies = life.ids().iter().flat_map(|id| account.owners(id));
    let copies = copies.filter(|other| life.kind() == "deletion" && other.kind() == "retrieval");
    let free = copies.filter_map(Life::end).map(|end| end.ms).filter(|end| *end < until);
    let from = free.max().unwrap_or(0).max(received.ms);
    let idle: u64 = run
        .unhealthy
        .iter()
        .map(|(start, end)| (*end).min(until).saturating_sub((*start).max(from)))
        .sum();
    let took = until.saturating_sub(from).saturating_sub(idle);
    (took > run.submit_within_ms).then(|| {
        format!("{took} ms until Mixpanel had it, expected {} at most", run.submit_within_ms)
    })
}
