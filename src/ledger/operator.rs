//! Decisions by people: cancellations, and what to do with held requests.

use std::time::Duration;

use gdpr_jobs::RequestId;

use super::{Job, Ledger, LedgerError, submission::millis};

/// How far a cancellation could be decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CancelStep {
    /// It is decided.
    Done,
    /// Its target is not in a state to decide; ask again soon.
    Wait,
    /// Every request of the target's batch asked for it: the tasks may be cancelled at Mixpanel.
    Call {
        /// The batch.
        batch: String,
        /// Its tasks.
        tasks: Vec<String>,
    },
}

/// What a person decided about a held request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Try again: with the export, if one is kept for it, else from the beginning.
    Retry,
    /// Send it again, even if an export is kept.
    Renew,
    /// Give it up, for a reason.
    Fail(String),
}

/// What became of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Done.
    Done,
    /// There is no such request.
    Absent,
    /// It is not held; its status.
    NotHeld(String),
}

impl Ledger {
    /// Decides a cancellation as far as that needs no call. A target that does not exist may still turn up
    /// within `patience`.
    pub async fn cancel(
        &self,
        cancellation: &RequestId,
        patience: Duration,
    ) -> Result<CancelStep, LedgerError> {
        let call = self.call(|s| &s.cancel).arg(cancellation.as_str()).arg(millis(patience));
        let reply: Vec<String> = self.run_job(call).await?;
        match reply.as_slice() {
            [word] if word == "done" => Ok(CancelStep::Done),
            [word] if word == "wait" => Ok(CancelStep::Wait),
            [word, batch, tasks] if word == "call" => Ok(CancelStep::Call {
                batch: batch.clone(),
                tasks: tasks.split_whitespace().map(str::to_owned).collect(),
            }),
            _ => Err(LedgerError::Unexpected("cancel")),
        }
    }

    /// Records Mixpanel's answer to a cancellation.
    pub async fn cancelled(
        &self,
        cancellation: &RequestId,
        batch: &str,
        revoked: bool,
        why: &str,
    ) -> Result<(), LedgerError> {
        let call = self
            .call(|s| &s.cancelled)
            .arg(cancellation.as_str())
            .arg(batch)
            .arg(if revoked { "1" } else { "0" })
            .arg(why);
        self.run_kept(call).await
    }

    /// Carries out a decision about a held request.
    pub async fn decide(
        &self,
        request: &RequestId,
        decision: &Decision,
    ) -> Result<Verdict, LedgerError> {
        let (word, reason) = match decision {
            Decision::Retry => ("retry", ""),
            Decision::Renew => ("renew", ""),
            Decision::Fail(reason) => ("fail", reason.as_str()),
        };
        let call = self.call(|s| &s.operator).arg(request.as_str()).arg(word).arg(reason);
        let reply: Vec<String> = self.run(call).await?;
        match reply.as_slice() {
            [word] if word == "ok" => Ok(Verdict::Done),
            [word] if word == "absent" => Ok(Verdict::Absent),
            [_, status] => Ok(Verdict::NotHeld(status.clone())),
            _ => Err(LedgerError::Unexpected("operator")),
        }
    }

    /// Held deletions that were over the day's number ([`Rules::deletions_per_day`](super::Rules)).
    pub async fn capped_deletions(&self) -> Result<Vec<RequestId>, LedgerError> {
        let mut command = redis::cmd("SMEMBERS");
        command.arg(self.keys().named("deletions:capped"));
        let ids: Vec<String> = command.query_async(&mut self.connection()).await?;
        ids.iter()
            .map(|id| id.parse().map_err(|_| LedgerError::Unexpected("deletions:capped")))
            .collect()
    }

    /// Has `job` done after `delay`, or earlier if that is scheduled already.
    pub async fn defer(&self, job: &Job, delay: Duration) -> Result<(), LedgerError> {
        self.run_job(self.call(|s| &s.defer).arg(job.to_string()).arg(millis(delay))).await
    }

    /// Asks for a job at once, however often; if that is forgotten, it is asked for again another time.
    pub async fn remind(&self, job: &Job) -> Result<(), LedgerError> {
        self.run(self.call(|s| &s.defer).arg(job.to_string()).arg(0)).await
    }

    /// Asks again for every group and batch that must not be forgotten. Returns how many there are.
    pub async fn sweep(&self) -> Result<(u64, u64), LedgerError> {
        self.run_job(self.call(|s| &s.sweep)).await
    }
}
