//! Scripts whose effect must be kept before anything outside Redis depends on it.

use std::time::{Duration, Instant};

use redis::{FromRedisValue, RedisResult};

use super::{Ledger, LedgerError, script::Call, submission::millis};
use crate::queue::{GateError, Passage, server::Finding, was_not_run};

/// How long a write is written again and waited for, before the caller hears that it is not kept.
const PATIENCE: Duration = Duration::from_secs(30);

impl Ledger {
    /// Why Redis forgets what it is told, if it does: then nothing may be sent. Looks now and then.
    pub async fn volatile(&self) -> Result<Option<Finding>, LedgerError> {
        match &self.gate {
            Some(gate) => Ok(gate.volatile().await?),
            None => Ok(None),
        }
    }

    /// Refuses if Redis forgets what it is told.
    pub(super) async fn must_be_durable(&self) -> Result<(), LedgerError> {
        self.volatile().await?.map_or(Ok(()), |finding| Err(LedgerError::Volatile(finding)))
    }

    /// Waits until all that was written so far is kept.
    pub async fn all_kept(&self) -> Result<(), LedgerError> {
        match &self.gate {
            Some(gate) => Ok(gate.enter().await?.kept().await?),
            None => Ok(()),
        }
    }

    /// Runs a script and waits until its effect is kept.
    pub(super) async fn run_kept<T: FromRedisValue>(
        &self,
        call: Call<'_>,
    ) -> Result<T, LedgerError> {
        let until = Instant::now() + PATIENCE;
        let mut first = None;
        loop {
            let Some((reply, passage)) = self.run_at_the_gate(&call, false).await? else {
                return self.run(call).await;
            };
            // A repeat finds that all is done: what the first one did is the answer.
            let reply = first.take().unwrap_or(reply);
            match passage.kept().await {
                Ok(()) => return Ok(reply),
                Err(error @ GateError::NotKept { .. }) if Instant::now() < until => {
                    tracing::warn!(%error, "waiting for Redis");
                    first = Some(reply);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Runs a script of a job that ends with it. A job that is acknowledged is gone; were its effect on a primary that is
    /// replaced, and the acknowledgement on the next one, nobody would go on. Where replicas must have everything, it is
    /// therefore kept first; one server alone has both or neither.
    pub(super) async fn run_job<T: FromRedisValue>(
        &self,
        call: Call<'_>,
    ) -> Result<T, LedgerError> {
        match &self.gate {
            Some(gate) if gate.needs_replicas() => self.run_kept(call).await,
            _ => self.run(call).await,
        }
    }

    /// Runs a script that records the intent of a call, unless Redis forgets what it is told. Tells whether it is
    /// kept; if it is not, the call must not be made.
    pub(super) async fn run_intent<T: FromRedisValue>(
        &self,
        call: Call<'_>,
    ) -> Result<(T, Result<(), GateError>), LedgerError> {
        match self.run_at_the_gate(&call, true).await? {
            Some((reply, passage)) => Ok((reply, passage.kept().await)),
            None => Ok((self.run(call).await?, Ok(()))),
        }
    }

    /// `None` without a gate.
    async fn run_at_the_gate<T: FromRedisValue>(
        &self,
        call: &Call<'_>,
        must_be_durable: bool,
    ) -> Result<Option<(T, Passage)>, LedgerError> {
        let Some(gate) = &self.gate else { return Ok(None) };
        let mut retried = false;
        loop {
            let mut passage = gate.enter().await?;
            if must_be_durable && let Some(finding) = passage.volatile() {
                return Err(LedgerError::Volatile(finding));
            }
            let reply: RedisResult<T> = call.invoke(passage.connection()).await;
            match reply {
                // The primary has moved; the next passage leads to the new one.
                Err(error) if was_not_run(&error) && !retried => retried = true,
                reply => {
                    let reply = reply?;
                    (self.scheduled)();
                    return Ok(Some((reply, passage)));
                }
            }
        }
    }

    /// Records that an attempt was claimed and not sent, because its claim is not known to be kept; the batch is tried
    /// again after `wait`.
    pub async fn unsent(
        &self,
        batch: &str,
        attempt: u64,
        why: &str,
        wait: Duration,
    ) -> Result<(), LedgerError> {
        let call = self.call(|s| &s.unsent).arg(batch).arg(attempt).arg(why).arg(millis(wait));
        self.run(call).await
    }
}
