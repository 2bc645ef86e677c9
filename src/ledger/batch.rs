//! A batch as it stands in Redis.

use std::{collections::HashMap, str::FromStr};

use chrono::{DateTime, Utc};
use gdpr_jobs::RequestId;

use super::{Group, Ledger, LedgerError, SealedMember};

/// Where a batch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchState {
    /// An attempt is recorded and may be on the wire.
    Sending,
    /// The answer to an attempt was lost.
    Unknown,
    /// Mixpanel has it.
    Accepted,
    /// The export is being packaged.
    Collecting,
    /// Too many answers were lost.
    Held,
    /// It ended, in whatever way.
    Over,
}

/// A batch of requests, and the tasks that are known for it.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub state: BatchState,
    /// What its requests have in common.
    pub group: Group,
    /// How many requests its tasks were asked for; some may have left it since.
    pub requests: usize,
    /// Every task known, by tracking id, with the last word about it.
    pub tasks: HashMap<String, String>,
    /// Whether every task must succeed (adopted tasks), or one is enough.
    pub needs_all: bool,
    /// Whether its requests are sent again after the tasks have ended.
    pub requeue_after: bool,
    /// When Mixpanel accepted it.
    pub accepted_at: Option<DateTime<Utc>>,
    /// When its export was found ready.
    pub exported_at: Option<DateTime<Utc>>,
    /// Tasks that were not found at the last poll.
    pub missing: Vec<String>,
    /// The sealed link of the export.
    pub sealed_link: Option<Vec<u8>>,
    /// The task that the link came from.
    pub collected_task: Option<String>,
}

impl Ledger {
    /// Reads a batch; `None` when there is none of that name.
    pub async fn batch(&self, name: &str) -> Result<Option<Batch>, LedgerError> {
        let key = self.keys().named(&format!("batch:{name}"));
        let fields: HashMap<String, Vec<u8>> =
            redis::cmd("HGETALL").arg(key).query_async(&mut self.connection()).await?;
        if fields.is_empty() {
            return Ok(None);
        }
        Batch::from_fields(name, &fields).map(Some)
    }

    /// The requests of a batch, without their identifiers.
    pub async fn members(&self, batch: &str) -> Result<Vec<RequestId>, LedgerError> {
        let key = self.keys().named(&format!("batch:{batch}:members"));
        let ids: Vec<String> = redis::cmd("LRANGE")
            .arg(key)
            .arg(0)
            .arg(-1)
            .query_async(&mut self.connection())
            .await?;
        ids.iter()
            .map(|id| id.parse().map_err(|_| LedgerError::Unexpected("batch members")))
            .collect()
    }

    /// The requests of a batch with their sealed identifiers.
    pub async fn sealed_members(&self, batch: &str) -> Result<Vec<SealedMember>, LedgerError> {
        let requests = self.members(batch).await?;
        if requests.is_empty() {
            return Ok(Vec::new());
        }
        let mut command = redis::cmd("HMGET");
        command.arg(self.keys().named("sealed"));
        for request in &requests {
            command.arg(request.as_str());
        }
        let sealed: Vec<Option<Vec<u8>>> = command.query_async(&mut self.connection()).await?;
        // One that was given up meanwhile has no identifiers left.
        let both = requests.into_iter().zip(sealed);
        Ok(both.filter_map(|(r, s)| Some(SealedMember::new(r, s?))).collect())
    }

    /// How many batches somebody looks after.
    pub async fn live_batches(&self) -> Result<u32, LedgerError> {
        let key = self.keys().named("batches");
        Ok(redis::cmd("SCARD").arg(key).query_async(&mut self.connection()).await?)
    }

    /// Counts something that happened to a batch (a field of its hash); returns how often it did.
    pub async fn count(&self, batch: &str, what: &'static str) -> Result<u64, LedgerError> {
        let key = self.keys().named(&format!("batch:{batch}"));
        let mut command = redis::cmd("HINCRBY");
        Ok(command.arg(key).arg(what).arg(1).query_async(&mut self.connection()).await?)
    }
}

impl Batch {
    fn from_fields(name: &str, fields: &HashMap<String, Vec<u8>>) -> Result<Self, LedgerError> {
        let text = |field: &str| fields.get(field).and_then(|v| std::str::from_utf8(v).ok());
        let group = text("group").and_then(|g| Group::from_str(g).ok());
        let tasks = text("tracking_ids").unwrap_or_default().split_whitespace();
        let time = |field: &str| {
            text(field).and_then(|ms| ms.parse().ok()).and_then(DateTime::from_timestamp_millis)
        };
        Ok(Self {
            name: name.to_owned(),
            state: match text("state") {
                Some("sending") => BatchState::Sending,
                Some("unknown") => BatchState::Unknown,
                Some("accepted") => BatchState::Accepted,
                Some("collecting") => BatchState::Collecting,
                Some("held") => BatchState::Held,
                Some(_) => BatchState::Over,
                None => return Err(LedgerError::Unexpected("batch state")),
            },
            group: group.ok_or(LedgerError::Unexpected("batch group"))?,
            requests: text("requests")
                .and_then(|count| count.parse().ok())
                .ok_or(LedgerError::Unexpected("batch size"))?,
            tasks: tasks
                .map(|task| {
                    let word = text(&format!("task:{task}")).unwrap_or("PENDING");
                    (task.to_owned(), word.to_owned())
                })
                .collect(),
            needs_all: text("needs") == Some("all"),
            requeue_after: text("then") == Some("requeue"),
            accepted_at: time("accepted_ms"),
            exported_at: time("exported_ms"),
            missing: fields
                .keys()
                .filter_map(|f| f.strip_prefix("missing:"))
                .map(str::to_owned)
                .collect(),
            sealed_link: fields.get("link").cloned(),
            collected_task: text("collected_task").map(str::to_owned),
        })
    }
}
