//! `link`: an address under which one archive can be fetched for a while, to hand it to the person.

use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, SecondsFormat, Utc};
use gdpr_jobs::RequestId;
use serde_json::json;

use super::{Outcome, failure::Failure, output::Output, session::Session};
use crate::{archive::ArchiveStore, config::Flags};

/// A link that ends sooner is of no use, and no provider signs it.
const LEAST: Duration = Duration::from_secs(1);

/// Makes a link to the archive of `id` that works for `lifetime`, and records that.
pub(super) async fn link(
    flags: &Flags,
    id: &RequestId,
    lifetime: Duration,
    output: &mut Output,
) -> Result<Outcome, Failure> {
    let session = Session::open(flags).await?;
    let ledger = session.ledger();
    let hash = ledger.request(id).await?;
    let Some(location) = hash.get("archive") else {
        let status = hash.get("status").map_or("unknown", String::as_str);
        return Err(Failure::told(format!(
            "request {id} is {status}: expected a completed retrieval, only that has an archive"
        )));
    };
    let lifetime = match until_expiry(&hash) {
        Some(left) if left < LEAST => {
            return Err(Failure::told(format!(
                "the archive of request {id} is at the end of its retention and is being destroyed: expected an archive whose time is not over"
            )));
        }
        Some(left) => lifetime.min(left),
        None => lifetime,
    };
    let (url, location) = (session.access.archive_url.clone(), location.clone());
    let made =
        tokio::task::spawn_blocking(move || ArchiveStore::open(&url)?.link(&location, lifetime));
    let link = made
        .await
        .map_err(|_| Failure::told("making the link broke off; try again"))?
        .map_err(|error| Failure::told(error.to_string()))?;
    let ends = (Utc::now() + lifetime).to_rfc3339_opts(SecondsFormat::Secs, true);
    ledger
        .note(id, &format!("the operator made a link to the archive that works until {ends}"))
        .await?;
    if output.is_json() {
        output.json(&json!({ "id": id, "url": link.as_str(), "expires_at": ends }))?;
    } else {
        output.line(link)?;
        super::output::complain(format_args!(
            "works until {ends}; whoever has it can read the archive"
        ));
    }
    Ok(Outcome::Done)
}

/// What is left of an archive's time: a link shall not outlive it. Nothing when it is over.
fn until_expiry(hash: &HashMap<String, String>) -> Option<Duration> {
    let end = DateTime::parse_from_rfc3339(hash.get("archive_expires_at")?).ok()?;
    Some((end.to_utc() - Utc::now()).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(expires_at: &str) -> Option<Duration> {
        until_expiry(&[("archive_expires_at".to_owned(), expires_at.to_owned())].into())
    }

    #[test]
    fn an_archive_whose_time_is_over_has_none_left() {
        assert_eq!(left("2020-01-01T00:00:00Z"), Some(Duration::ZERO));
        assert!(left("2999-01-01T00:00:00Z").is_some_and(|left| left > LEAST));
        assert_eq!(until_expiry(&HashMap::new()), None);
    }
}
