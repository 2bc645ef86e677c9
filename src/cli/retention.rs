//! `retention`: whose profiles are overdue for lack of events. Changes nothing: a dry run of what the worker does.

use chrono::SecondsFormat;
use serde::Serialize;

use super::{Outcome, failure::Failure, output::Output, session::Session, table::Table};
use crate::config::Flags;

#[derive(Serialize)]
struct Answer {
    profile_retention_days: Option<u64>,
    no_event_since: Option<String>,
    overdue: u64,
    deleted_today: u64,
    most_a_day: usize,
    seen: u64,
}

/// Prints how many profiles would be deleted.
pub(super) async fn retention(flags: &Flags, output: &mut Output) -> Result<Outcome, Failure> {
    let session = Session::open(flags).await?;
    let privacy = &session.access.privacy;
    let state = session.ledger().retention_state(privacy.profile_retention).await?;
    let answer = Answer {
        profile_retention_days: privacy.profile_retention.map(|time| time.as_secs() / 86_400),
        no_event_since: state.since.map(|since| since.to_rfc3339_opts(SecondsFormat::Secs, true)),
        overdue: state.left,
        deleted_today: state.today,
        most_a_day: privacy.profile_deletions_per_day,
        seen: state.seen,
    };
    if output.is_json() {
        output.json(&answer)?;
        return Ok(Outcome::Done);
    }
    let mut table = Table::with_header(&["what", "value"]);
    let since = answer.no_event_since.as_deref().unwrap_or("never (GDPR_PROFILE_RETENTION)");
    table.row(["profiles go without an event since", since]);
    table.row(["overdue", &answer.overdue.to_string()]);
    table.row(["deleted today", &answer.deleted_today.to_string()]);
    table.row(["most a day", &answer.most_a_day.to_string()]);
    table.row(["people with events on record", &answer.seen.to_string()]);
    output.table(&table)?;
    Ok(Outcome::Done)
}
