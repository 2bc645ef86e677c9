//! `consent`: whether people may be tracked, and since when.

use chrono::{DateTime, SecondsFormat, Utc};
use gdpr_jobs::{ConsentAnswer, DistinctId};
use serde::Serialize;

use super::{Outcome, failure::Failure, output::Output, session::Session, table::Table};
use crate::config::Flags;

/// What holds for one id.
#[derive(Serialize)]
struct Row {
    tag: String,
    /// What the person said, or `default`.
    consent: &'static str,
    /// What the worker does with an event of this id alone.
    tracking: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<DateTime<Utc>>,
}

/// Prints what holds for each id, in the order given.
pub(super) async fn consent(
    flags: &Flags,
    distinct_ids: Vec<String>,
    output: &mut Output,
) -> Result<Outcome, Failure> {
    let session = Session::open(flags).await?;
    let consent = session.consent()?;
    let mut rows = Vec::with_capacity(distinct_ids.len());
    for distinct_id in distinct_ids {
        let tag = session.tag(&distinct_id)?.to_string();
        let answer = consent.of(&DistinctId::new(distinct_id)).await;
        rows.push(row(tag, answer.map_err(|e| Failure::told(e.to_string()))?));
    }
    if output.is_json() {
        rows.iter().try_for_each(|row| output.json(row))?;
        return Ok(Outcome::Done);
    }
    let mut table = Table::with_header(&["tag", "consent", "tracking", "since"]);
    for row in &rows {
        let since = row.since.map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true));
        table.row([&row.tag, row.consent, row.tracking, &since.unwrap_or_default()]);
    }
    output.table(&table)?;
    Ok(Outcome::Done)
}

fn row(tag: String, answer: ConsentAnswer) -> Row {
    let (consent, since) = match answer {
        ConsentAnswer::Said { state, at } => (state.as_str(), at),
        ConsentAnswer::Default(_) => ("default", None),
    };
    let tracking = if answer.allows_tracking() { "allowed" } else { "forbidden" };
    Row { tag, consent, tracking, since }
}
