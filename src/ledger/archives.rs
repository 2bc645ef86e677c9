//! Archives that stand in the ledger: which there are, whose time is over, and what the store says otherwise.

use gdpr_jobs::{RequestId, Status};

use super::{Ledger, LedgerError};

/// What the ledger says of a request's archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveFact {
    /// The request's status; `None` when there is no such request (any more).
    pub status: Option<Status>,
    /// Where its archive is, if it has one.
    pub location: Option<String>,
}

/// What of a batch must stay in the spools.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpoolNeeds {
    /// Its export: somebody still waits for an archive from it.
    pub export: bool,
    /// Its quarantine: somebody's archive is there, or may come. It goes with the last of them.
    pub quarantine: bool,
}

/// How many archives are looked up in one round trip.
const PAGE: usize = 500;

impl Ledger {
    /// The requests whose archives are to be in the store, page by page; `after` is 0 at first, then what the page
    /// before returned, until that is 0 again. An archive that comes or goes meanwhile may be missing or doubled.
    pub async fn archives(&self, after: u64) -> Result<(u64, Vec<RequestId>), LedgerError> {
        let mut command = redis::cmd("ZSCAN");
        command.arg(self.keys().named("archives")).arg(after).arg("COUNT").arg(PAGE);
        let (next, pairs): (u64, Vec<(String, f64)>) =
            command.query_async(&mut self.connection()).await?;
        let ids = pairs
            .into_iter()
            .map(|(id, _)| id.parse().map_err(|_| LedgerError::Unexpected("archives")));
        Ok((next, ids.collect::<Result<_, _>>()?))
    }

    /// What the ledger says of the archives of these requests, in their order.
    pub async fn archive_facts(
        &self,
        requests: &[RequestId],
    ) -> Result<Vec<ArchiveFact>, LedgerError> {
        let rows = self.fields(requests, &["status", "archive"]).await?;
        rows.into_iter()
            .map(|row| {
                let mut row = row.into_iter();
                let status = row.next().flatten().map(|word| word.parse());
                let status = status.transpose();
                Ok(ArchiveFact {
                    status: status.map_err(|_| LedgerError::Unexpected("request status"))?,
                    location: row.next().flatten(),
                })
            })
            .collect()
    }

    /// Records that the archive of a completed request is not where it should be. Returns whether that is news.
    pub async fn archive_missing(
        &self,
        request: &RequestId,
        note: &str,
    ) -> Result<bool, LedgerError> {
        self.run_job(self.call(|s| &s.archive_missing).arg(request.as_str()).arg(note)).await
    }

    /// Records something about a retrieval that changes no status of it.
    pub async fn note(&self, request: &RequestId, what: &str) -> Result<(), LedgerError> {
        self.run_job(self.call(|s| &s.note).arg(request.as_str()).arg(what)).await
    }

    /// What of a batch must stay in the spools.
    pub async fn spool_needs(&self, batch: &str) -> Result<SpoolNeeds, LedgerError> {
        let members = self.members(batch).await?;
        let rows = self.fields(&members, &["status", "batch"]).await?;
        let statuses = rows.iter().filter_map(|row| {
            let word = |n: usize| row.get(n).and_then(Option::as_deref);
            // One that was sent again has another batch by now.
            (word(1) == Some(batch)).then(|| word(0)?.parse::<Status>().ok()).flatten()
        });
        let mut needs = SpoolNeeds::default();
        for status in statuses {
            needs.export |= matches!(status, Status::Packaging | Status::Held);
            needs.quarantine |= status.is_open() || status == Status::Completed;
        }
        Ok(needs)
    }
}
