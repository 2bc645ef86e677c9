//! Who was seen when, so that profiles without events can end. Kept only while a profile retention is set; the
//! settlement of a delivery ([`Ledger::settle_wire`]) writes it.
//!
//! | key after `gdpr:{project}:` | type | what |
//! | --- | --- | --- |
//! | `seen` `seen:ids` | zset, hash | tag → last event (Unix s), and the sealed id |
//! | `retention:DAY` | string | profiles deleted for lack of events on that day |

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Ledger, LedgerError};

/// Name under which the id of somebody who was seen is sealed.
pub fn seen_seal(tag: &str) -> String {
    format!("seen/{tag}")
}

/// What a look for people without events came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retained {
    /// Profiles asked to be deleted now.
    pub asked: u64,
    /// Profiles that are overdue and left.
    pub left: u64,
    /// Profiles asked to be deleted today.
    pub today: u64,
}

/// How the retention of profiles stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionState {
    /// People whose last event is on record.
    pub seen: u64,
    /// Profiles asked to be deleted today.
    pub today: u64,
    /// Profiles that are overdue.
    pub left: u64,
    /// Who had no event since then is overdue; nobody is without a retention.
    pub since: Option<DateTime<Utc>>,
}

impl Ledger {
    /// Asks for the deletion of at most `most_a_day` profiles without an event for `retention`, by the clock of Redis:
    /// that one has also noted when the events were delivered.
    pub async fn retain(
        &self,
        retention: Duration,
        most_a_day: usize,
    ) -> Result<Retained, LedgerError> {
        const AT_ONCE: usize = 500;
        let call = self.call(|s| &s.retain).arg(retention.as_secs()).arg(most_a_day).arg(AT_ONCE);
        let (asked, left, today) = self.run_job(call).await?;
        Ok(Retained { asked, left, today })
    }

    /// The state of the retention now, by the clock of Redis. Changes nothing.
    pub async fn retention_state(
        &self,
        retention: Option<Duration>,
    ) -> Result<RetentionState, LedgerError> {
        let (seconds, _): (i64, i64) =
            redis::cmd("TIME").query_async(&mut self.connection()).await?;
        let now = DateTime::from_timestamp_secs(seconds).ok_or(LedgerError::Unexpected("TIME"))?;
        let since = retention.map(|retention| now - retention);
        let seen = self.keys().named("seen");
        let mut pipe = redis::pipe();
        pipe.cmd("ZCARD").arg(&seen);
        pipe.cmd("GET").arg(self.keys().named(&format!("retention:{}", now.format("%Y-%m-%d"))));
        pipe.cmd("ZCOUNT")
            .arg(&seen)
            .arg("-inf")
            .arg(since.map_or(i64::MIN, |since| since.timestamp()));
        let (seen, today, left): (u64, Option<u64>, u64) =
            pipe.query_async(&mut self.connection()).await?;
        Ok(RetentionState { seen, today: today.unwrap_or(0), left, since })
    }

    /// Whether a person was seen (again): a deletion of the profile is out of date then.
    pub async fn is_seen(&self, tag: &str) -> Result<bool, LedgerError> {
        let mut command = redis::cmd("ZSCORE");
        command.arg(self.keys().named("seen")).arg(tag);
        let score: Option<f64> = command.query_async(&mut self.connection()).await?;
        Ok(score.is_some())
    }
}
