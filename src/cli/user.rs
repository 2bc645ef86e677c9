//! `user`: what is known about a person.

use gdpr_jobs::UserRecord;
use serde::Serialize;

use super::{Outcome, failure::Failure, output::Output, session::Session, table::Table};
use crate::config::Flags;

/// The fields of the hash in the order in which people ask for them.
const FIELDS: [&str; 9] = [
    "consent",
    "consent_at",
    "deletion",
    "deletion_at",
    "retrieval",
    "retrieval_at",
    "archive_expires_at",
    "events_retained_until",
    "requests",
];

/// The record as JSON.
#[derive(Serialize)]
struct Report<'a> {
    tag: &'a str,
    #[serde(flatten)]
    record: UserRecord,
}

/// Prints the person's tag and hash.
pub(super) async fn user(
    flags: &Flags,
    distinct_id: &str,
    output: &mut Output,
) -> Result<Outcome, Failure> {
    let session = Session::open(flags).await?;
    let tag = session.tag(distinct_id)?;
    let hash = session.ledger().user(&tag).await?;
    if hash.is_empty() {
        return Err(Failure::told(format!(
            "nothing is known about this person (tag {tag}) in project {}: expected a distinct_id of \
             which a request was taken up; check its spelling, --project and GDPR_PEPPER",
            session.access.project
        )));
    }
    if output.is_json() {
        let record = UserRecord::from_hash(hash).map_err(|e| Failure::told(e.to_string()))?;
        output.json(&Report { tag: tag.as_str(), record })?;
        return Ok(Outcome::Done);
    }
    let mut table = Table::of_values();
    table.row(["tag", tag.as_str()]);
    for name in FIELDS {
        if let Some(value) = hash.get(name).filter(|value| !value.is_empty()) {
            table.row([name, value]);
        }
    }
    output.table(&table)?;
    Ok(Outcome::Done)
}
