//! The ledger stream itself: how far it goes, and its events one after the other, in bounded memory.

use redis::Value;

use super::{Ledger, LedgerError};
use crate::evidence::{Entry, Extent};

/// Events in one reply. Each may name 2,000 requests.
const PAGE: usize = 100;

impl Ledger {
    /// How far the ledger goes, as Redis itself counts it.
    pub async fn extent(&self) -> Result<Extent, LedgerError> {
        let mut redis = self.connection();
        let key = self.keys().ledger();
        if !redis::cmd("EXISTS").arg(&key).query_async(&mut redis).await? {
            return Ok(Extent::default());
        }
        let mut command = redis::cmd("XINFO");
        let told: Value = command.arg("STREAM").arg(&key).query_async(&mut redis).await?;
        let unexpected = || LedgerError::Unexpected("the description of the ledger stream");
        let mut extent = Extent::default();
        for (name, value) in told.into_map_iter().map_err(|_| unexpected())? {
            let name: String = redis::from_redis_value(name).map_err(|_| unexpected())?;
            match name.as_str() {
                "length" => extent.length = number(value).ok_or_else(unexpected)?,
                // Absent before Redis 7.
                "entries-added" => extent.added = number(value),
                "last-generated-id" => {
                    extent.last_id = redis::from_redis_value(value).map_err(|_| unexpected())?;
                }
                _ => {}
            }
        }
        Ok(extent)
    }

    /// Hands each event after `after` (exclusive; empty: from the first) up to `last` (inclusive; empty: to the end) to `see`.
    pub async fn walk(
        &self,
        after: &str,
        last: &str,
        mut see: impl FnMut(&Entry),
    ) -> Result<(), LedgerError> {
        let from = |id: &str| format!("({id}");
        let mut start = if after.is_empty() { "-".to_owned() } else { from(after) };
        let end = if last.is_empty() { "+" } else { last };
        loop {
            let mut command = redis::cmd("XRANGE");
            command.arg(self.keys().ledger()).arg(&start).arg(end).arg("COUNT").arg(PAGE);
            let page: Vec<(String, Vec<Vec<u8>>)> =
                command.query_async(&mut self.connection()).await?;
            let Some((id, _)) = page.last() else { return Ok(()) };
            start = from(id);
            for (id, flat) in page {
                see(&Entry::from_flat(id, flat));
            }
        }
    }
}

fn number(value: Value) -> Option<u64> {
    redis::from_redis_value(value).ok()
}
