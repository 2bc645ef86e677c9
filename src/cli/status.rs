//! `status`: where a request stands.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use gdpr_jobs::{Record, RequestId, Status};
use serde::Serialize;

use super::{Outcome, days, failure::Failure, output::Output, session::Session, table::Table};
use crate::config::Flags;

/// The fields of the hash in the order in which people ask for them.
const FIELDS: [&str; 18] = [
    "kind",
    "status",
    "reason",
    "regulation",
    "disclosure_type",
    "distinct_ids",
    "received_at",
    "due_at",
    "updated_at",
    "batch",
    "tracking_id",
    "mixpanel_status",
    "attempts",
    "merged_into",
    "archive",
    "archive_sha256",
    "archive_bytes",
    "archive_expires_at",
];

/// The record as JSON.
#[derive(Serialize)]
struct Report<'a> {
    id: &'a RequestId,
    #[serde(flatten)]
    record: &'a Record,
    #[serde(skip_serializing_if = "Option::is_none")]
    days_left: Option<i64>,
}

/// Prints the request's hash, and how many days are left.
pub(super) async fn status(
    flags: &Flags,
    id: &RequestId,
    output: &mut Output,
) -> Result<Outcome, Failure> {
    let session = Session::open(flags).await?;
    let hash = session.ledger().request(id).await?;
    if hash.is_empty() {
        return Err(unknown(id, session.access.project.as_str()));
    }
    if output.is_json() {
        let record = Record::from_hash(hash).map_err(|e| Failure::told(e.to_string()))?;
        let due = record.due_at.filter(|_| record.status.is_open());
        let days_left = due.map(|due| days::left(due, Utc::now()));
        output.json(&Report { id, record: &record, days_left })?;
    } else {
        output.table(&table(id, &hash))?;
    }
    Ok(Outcome::Done)
}

fn table(id: &RequestId, hash: &HashMap<String, String>) -> Table {
    let text = |name: &str| hash.get(name).map(String::as_str).filter(|text| !text.is_empty());
    let mut table = Table::of_values();
    table.row(["id", id.as_str()]);
    for name in FIELDS {
        let Some(value) = text(name) else { continue };
        table.row([name, value]);
        if name == "due_at"
            && let Some(left) = left(value, text("status"))
        {
            table.row(["days left", &left]);
        }
    }
    table
}

/// Days left until a deadline, for as long as it counts.
fn left(due_at: &str, status: Option<&str>) -> Option<String> {
    let due = DateTime::parse_from_rfc3339(due_at).ok()?;
    let open = status?.parse::<Status>().is_ok_and(Status::is_open);
    open.then(|| days::in_words(due.to_utc(), Utc::now()))
}

fn unknown(id: &RequestId, project: &str) -> Failure {
    Failure::told(format!(
        "no request {id} in project {project}: expected the id that enqueue (or XADD) returned, or the \
         document's own. Check --project; whether a worker runs (it has not been taken up before); \
         and whether it is older than GDPR_RECORD_RETENTION (gdpr-worker history --request {id} still \
         knows it then)"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_left_only_while_a_request_is_open() {
        let due = (Utc::now() - chrono::TimeDelta::days(3)).to_rfc3339();
        assert_eq!(left(&due, Some("held")).as_deref(), Some("OVERDUE by 3"));
        assert_eq!(left(&due, Some("completed")), None);
        assert_eq!(left("soon", Some("held")), None);
    }
}
