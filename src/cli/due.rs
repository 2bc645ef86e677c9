//! `due`: the open requests, the most urgent first.

use chrono::{DateTime, SecondsFormat, Utc};
use gdpr_jobs::RequestId;
use serde::Serialize;

use super::{
    Outcome, days,
    failure::Failure,
    output::{self, Output},
    session::Session,
    table::Table,
};
use crate::config::Flags;

/// An open request.
#[derive(Serialize)]
struct Row {
    id: RequestId,
    kind: String,
    status: String,
    due_at: DateTime<Utc>,
    days_left: i64,
    overdue: bool,
}

/// Prints the first `count` open requests by deadline.
pub(super) async fn due(
    flags: &Flags,
    count: u32,
    output: &mut Output,
) -> Result<Outcome, Failure> {
    let now = Utc::now();
    let rows = read(&Session::open(flags).await?, count, now).await?;
    if output.is_json() {
        rows.iter().try_for_each(|row| output.json(row))?;
        return Ok(Outcome::Done);
    }
    if rows.is_empty() {
        output::complain("no open requests");
        return Ok(Outcome::Done);
    }
    let mut table = Table::with_header(&["request", "kind", "status", "due at", "days left"]);
    for row in &rows {
        let due_at = row.due_at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let left = days::in_words(row.due_at, now);
        table.row([row.id.as_str(), &row.kind, &row.status, &due_at, &left]);
    }
    output.table(&table)?;
    Ok(Outcome::Done)
}

async fn read(session: &Session, count: u32, now: DateTime<Utc>) -> Result<Vec<Row>, Failure> {
    let ledger = session.ledger();
    let due = ledger.due(usize::try_from(count).unwrap_or(usize::MAX)).await?;
    let ids: Vec<RequestId> = due.iter().map(|request| request.request.clone()).collect();
    let fields = ledger.fields(&ids, &["kind", "status"]).await?;
    let rows = due.into_iter().zip(fields).map(|(request, fields)| {
        let mut fields = fields.into_iter().map(Option::unwrap_or_default);
        let due_at = DateTime::from_timestamp(request.due, 0).unwrap_or(DateTime::<Utc>::MAX_UTC);
        Row {
            id: request.request,
            kind: fields.next().unwrap_or_default(),
            status: fields.next().unwrap_or_default(),
            due_at,
            days_left: days::left(due_at, now),
            overdue: due_at < now,
        }
    });
    Ok(rows.collect())
}
