//! Reading: requests, people, deadlines and counts.

use std::collections::{BTreeMap, HashMap};

use gdpr_jobs::{RequestId, Status};

use super::{Ledger, LedgerError, Tag};

/// An open request and its deadline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueRequest {
    /// The request.
    pub request: RequestId,
    /// Its deadline, in Unix seconds.
    pub due: i64,
}

impl Ledger {
    /// The hash of a request; empty when there is none.
    pub async fn request(&self, id: &RequestId) -> Result<HashMap<String, String>, LedgerError> {
        let key = self.keys().request(id.as_str());
        Ok(redis::cmd("HGETALL").arg(key).query_async(&mut self.connection()).await?)
    }

    /// The hash of a person's tag; empty when nothing is known.
    pub async fn user(&self, tag: &Tag) -> Result<HashMap<String, String>, LedgerError> {
        let key = self.keys().user(tag.as_str());
        Ok(redis::cmd("HGETALL").arg(key).query_async(&mut self.connection()).await?)
    }

    /// The status of a request, if it exists.
    pub async fn status(&self, id: &RequestId) -> Result<Option<Status>, LedgerError> {
        let key = self.keys().request(id.as_str());
        let mut command = redis::cmd("HGET");
        let word: Option<String> =
            command.arg(key).arg("status").query_async(&mut self.connection()).await?;
        word.map(|w| w.parse().map_err(|_| LedgerError::Unexpected("request status"))).transpose()
    }

    /// Single fields of many requests, in one round trip.
    pub async fn fields(
        &self,
        requests: &[RequestId],
        names: &[&str],
    ) -> Result<Vec<Vec<Option<String>>>, LedgerError> {
        if requests.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipe = redis::pipe();
        for request in requests {
            pipe.cmd("HMGET").arg(self.keys().request(request.as_str())).arg(names);
        }
        Ok(pipe.query_async(&mut self.connection()).await?)
    }

    /// The first `count` open requests by deadline.
    pub async fn due(&self, count: usize) -> Result<Vec<DueRequest>, LedgerError> {
        let mut command = redis::cmd("ZRANGE");
        command.arg(self.keys().due()).arg(0).arg(i64::try_from(count).unwrap_or(i64::MAX) - 1);
        let pairs: Vec<(String, f64)> =
            command.arg("WITHSCORES").query_async(&mut self.connection()).await?;
        pairs
            .into_iter()
            .map(|(id, score)| {
                let request = id.parse().map_err(|_| LedgerError::Unexpected("due"))?;
                #[expect(clippy::cast_possible_truncation, reason = "Unix seconds")]
                Ok(DueRequest { request, due: score as i64 })
            })
            .collect()
    }

    /// How many requests of each kind are in each status: `deletion.queued` → 12.
    pub async fn stats(&self) -> Result<BTreeMap<String, i64>, LedgerError> {
        let key = self.keys().stats();
        Ok(redis::cmd("HGETALL").arg(key).query_async(&mut self.connection()).await?)
    }
}
