//! What became of a task: still running, ended, or not to be found.

use std::time::Duration;

use gdpr_jobs::{RequestId, Status};

use super::{Batch, Group, Ledger, LedgerError, submission::millis};

/// A request of a batch that fares differently from the others.
#[derive(Clone, Debug)]
pub struct Exception {
    /// The request.
    pub request: RequestId,
    /// Its next status.
    pub to: Status,
    /// For `queued`: where it waits.
    pub group: Option<Group>,
    /// What its hash says as `reason`; empty for none.
    pub reason: String,
}

/// What becomes of the export of a batch that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFate {
    /// There is none, or nobody needs it.
    None,
    /// It will never do: it is kept to be looked at, and a retry asks Mixpanel for another.
    ToLookAt,
    /// It can be packaged once something here is mended: it is kept, and a retry takes it.
    ToRetry,
}

/// The end of a batch, and what becomes of its requests.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// States that the batch may be in; in any other, nothing happens.
    pub from: &'static [&'static str],
    /// The attempt that it must be at, if that matters.
    pub attempt: Option<u64>,
    /// How the batch ended: a word for its hash.
    pub end: &'static str,
    /// The next status of its requests.
    pub to: Status,
    /// For `queued`: where they wait.
    pub group: Option<Group>,
    /// What their hashes say as `reason`; empty for none.
    pub reason: String,
    /// What the ledger says.
    pub why: String,
    /// How long queued requests wait before they may be sent.
    pub wait: Duration,
    /// The task that the news is about.
    pub task: Option<String>,
    /// What becomes of the batch's export.
    pub export: ExportFate,
    /// Requests that fare differently.
    pub exceptions: Vec<Exception>,
}

impl Settlement {
    /// All requests of an accepted batch end alike.
    pub fn of_task(task: &str, end: &'static str, to: Status, why: &str) -> Self {
        Self {
            from: &["accepted"],
            attempt: None,
            end,
            to,
            group: None,
            reason: String::new(),
            why: why.to_owned(),
            wait: Duration::ZERO,
            task: Some(task.to_owned()),
            export: ExportFate::None,
            exceptions: Vec::new(),
        }
    }

    /// All go back to wait, in two halves that are sent apart: to find out whom the trouble is about.
    #[must_use]
    pub fn bisected<'a>(
        self,
        batch: &str,
        group: &Group,
        members: impl ExactSizeIterator<Item = &'a RequestId>,
    ) -> Self {
        let half = |n: u8| Some(group.cohort(format!("{batch}.{n}")));
        let first = members.len() / 2;
        let exceptions = members.skip(first).map(|request| Exception {
            request: request.clone(),
            to: Status::Queued,
            group: half(2),
            reason: self.reason.clone(),
        });
        let exceptions = exceptions.collect();
        Self { to: Status::Queued, group: half(1), exceptions, ..self }
    }
}

/// Whether a task that was not found is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Not yet believed; the next poll is scheduled.
    Wait,
    /// Said often enough, over long enough.
    Lost,
    /// The batch is over anyway.
    Gone,
}

/// An archive that is in the store.
#[derive(Clone, Debug)]
pub struct Archived {
    /// The request it answers.
    pub request: RequestId,
    /// Where it is.
    pub location: String,
    /// SHA-256 of the file, in hex.
    pub sha256: String,
    /// Size of the file.
    pub bytes: u64,
}

impl Ledger {
    /// Ends a batch. Returns whether anything changed.
    pub async fn settle(&self, batch: &str, s: &Settlement) -> Result<bool, LedgerError> {
        let group =
            |group: &Option<Group>| group.as_ref().map_or(String::new(), ToString::to_string);
        let mut call = self
            .call(|scripts| &scripts.settle)
            .arg(batch)
            .arg(s.from.join(","))
            .arg(s.attempt.map_or(String::new(), |n| n.to_string()))
            .arg(s.end)
            .arg(s.to.as_str())
            .arg(group(&s.group))
            .arg(&s.reason)
            .arg(&s.why)
            .arg(millis(s.wait))
            .arg(s.task.as_deref().unwrap_or_default())
            .arg(match s.export {
                ExportFate::None => "",
                ExportFate::ToLookAt => "keep",
                ExportFate::ToRetry => "again",
            });
        for e in &s.exceptions {
            call =
                call.arg(e.request.as_str()).arg(e.to.as_str()).arg(group(&e.group)).arg(&e.reason);
        }
        self.run_kept(call).await
    }

    /// Records a poll of a task; with `next`, schedules the one after it.
    pub async fn progress(
        &self,
        batch: &str,
        task: &str,
        word: &str,
        next: Option<Duration>,
    ) -> Result<(), LedgerError> {
        let next = next.map_or(String::new(), |next| millis(next).to_string());
        let call = self.call(|s| &s.progress).arg(batch).arg(task).arg(word).arg(next);
        self.run_job(call).await
    }

    /// Records that a task was not found; believed after `times` over `window`.
    pub async fn missing(
        &self,
        batch: &str,
        task: &str,
        times: u32,
        window: Duration,
        next: Duration,
    ) -> Result<Missing, LedgerError> {
        let call = self
            .call(|s| &s.missing)
            .arg(batch)
            .arg(task)
            .arg(times)
            .arg(millis(window))
            .arg(millis(next));
        match self.run_job::<String>(call).await?.as_str() {
            "wait" => Ok(Missing::Wait),
            "lost" => Ok(Missing::Lost),
            "gone" => Ok(Missing::Gone),
            _ => Err(LedgerError::Unexpected("missing")),
        }
    }

    /// Records that a task answers normally (again).
    pub async fn found(&self, batch: &str, task: &str) -> Result<(), LedgerError> {
        self.run_job(self.call(|s| &s.found).arg(batch).arg(task)).await
    }

    /// Records that the export of a batch is ready, and has it collected by its sealed link.
    pub async fn collect(&self, batch: &str, task: &str, link: &[u8]) -> Result<bool, LedgerError> {
        self.run_kept(self.call(|s| &s.collect).arg(batch).arg(task).arg(link)).await
    }

    /// Completes the retrievals of a batch whose archives are in the store, and sends those in doubt once more, each
    /// alone. Returns how many were completed by this call.
    pub async fn archived(
        &self,
        batch: &Batch,
        archives: &[Archived],
        in_doubt: &[RequestId],
        retention: Duration,
    ) -> Result<u64, LedgerError> {
        let group = batch.group.main().to_string();
        let mut call = self
            .call(|s| &s.archived)
            .arg(&batch.name)
            .arg(millis(retention))
            .arg(group)
            .arg(in_doubt.len());
        for request in in_doubt {
            call = call.arg(request.as_str());
        }
        for a in archives {
            call = call.arg(a.request.as_str()).arg(&a.location).arg(&a.sha256).arg(a.bytes);
        }
        self.run_kept(call).await
    }

    /// Records that a request's archive is no more; `note` says what is odd about that, if anything.
    pub async fn expire(&self, request: &RequestId, note: &str) -> Result<bool, LedgerError> {
        self.run_job(self.call(|s| &s.expire).arg(request.as_str()).arg(note)).await
    }
}
