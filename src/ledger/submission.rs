//! From waiting requests to a batch that Mixpanel has: seal, claim, and what the answer was.

use std::time::Duration;

use gdpr_jobs::{DistinctId, Kind, RequestId};
use redis::Value;

use super::{Group, Ledger, LedgerError, vault::Vault};
use crate::queue::GateError;

/// A request in a batch, identifiers still sealed.
#[derive(Clone, Debug)]
pub struct SealedMember {
    /// The request.
    pub request: RequestId,
    sealed: Vec<u8>,
}

impl SealedMember {
    pub(super) fn new(request: RequestId, sealed: Vec<u8>) -> Self {
        Self { request, sealed }
    }

    /// The identifiers in clear.
    pub fn open(&self, vault: &Vault) -> Result<Vec<DistinctId>, LedgerError> {
        Ok(vault.open(&self.request, &self.sealed)?)
    }
}

/// An attempt to send a batch, recorded before the first byte goes out.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// The batch.
    pub batch: String,
    /// The attempt: whoever records its outcome names it.
    pub attempt: u64,
    /// Its requests.
    pub members: Vec<SealedMember>,
    /// Why it is not known that this record is kept: then nothing may be sent.
    pub unkept: Option<String>,
}

/// What is to be done about a batch without an answer.
#[derive(Clone, Debug)]
pub enum Claim {
    /// The batch has an answer, or is over.
    Gone,
    /// Not yet; a job for the right time is scheduled.
    Wait,
    /// It may be sent once a slot is held.
    Due,
    /// Too many answers were lost: its requests are held.
    Held,
    /// The next attempt is recorded: send it.
    Send(Sealed),
}

/// Where evidence of a task found its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acceptance {
    /// The batch is submitted.
    Accepted,
    /// The batch had a task already.
    Surplus,
    /// The batch was closed before.
    Late,
}

impl Ledger {
    /// How many requests wait in a group.
    pub async fn waiting(&self, group: &Group) -> Result<u64, LedgerError> {
        let key = self.keys().named(&format!("open:{group}"));
        Ok(redis::cmd("ZCARD").arg(key).query_async(&mut self.connection()).await?)
    }

    /// Drains a group into a batch of at most `most` identifiers, and records the intent to send it.
    pub async fn seal(
        &self,
        group: &Group,
        most: usize,
        lease: Duration,
    ) -> Result<Option<Sealed>, LedgerError> {
        let call = self.call(|s| &s.seal).arg(group.to_string()).arg(most).arg(millis(lease));
        let (reply, kept): (Vec<Value>, _) = self.run_intent(call).await?;
        let mut reply = reply.into_iter();
        let Some(batch) = reply.next() else { return Ok(None) };
        let batch = redis::from_redis_value(batch).map_err(|_| LedgerError::Unexpected("seal"))?;
        sealed(batch, reply, kept).map(Some)
    }

    /// Looks after a batch without an answer. With `send`, the caller holds a slot for the call.
    pub async fn claim(
        &self,
        batch: &str,
        lease: Duration,
        quarantine: Duration,
        budget: u32,
        send: bool,
    ) -> Result<Claim, LedgerError> {
        let call = self
            .call(|s| &s.claim)
            .arg(batch)
            .arg(millis(lease))
            .arg(millis(quarantine))
            .arg(budget)
            .arg(if send { "send" } else { "look" });
        let (reply, kept): (Vec<Value>, _) =
            if send { self.run_intent(call).await? } else { (self.run_job(call).await?, Ok(())) };
        let mut reply = reply.into_iter();
        let word: String = reply
            .next()
            .and_then(|word| redis::from_redis_value(word).ok())
            .ok_or(LedgerError::Unexpected("claim"))?;
        match word.as_str() {
            "gone" => Ok(Claim::Gone),
            "wait" => Ok(Claim::Wait),
            "due" => Ok(Claim::Due),
            "held" => Ok(Claim::Held),
            "send" => sealed(batch.to_owned(), reply, kept).map(Claim::Send),
            _ => Err(LedgerError::Unexpected("claim")),
        }
    }

    /// Records that Mixpanel took the batch as a task.
    pub async fn accept(
        &self,
        batch: &str,
        attempt: u64,
        task: &str,
        first_poll: Duration,
    ) -> Result<Acceptance, LedgerError> {
        let call =
            self.call(|s| &s.accept).arg(batch).arg(attempt).arg(task).arg(millis(first_poll));
        match self.run_kept::<String>(call).await?.as_str() {
            "accepted" => Ok(Acceptance::Accepted),
            "surplus" => Ok(Acceptance::Surplus),
            "late" => Ok(Acceptance::Late),
            _ => Err(LedgerError::Unexpected("accept")),
        }
    }

    /// Records that the answer to an attempt was lost, for the reason given.
    pub async fn lost(
        &self,
        batch: &str,
        attempt: u64,
        why: &str,
        quarantine: Duration,
    ) -> Result<(), LedgerError> {
        let call = self.call(|s| &s.lost).arg(batch).arg(attempt).arg(why).arg(millis(quarantine));
        self.run_kept(call).await
    }

    /// Records a 409: `whole` follow the live tasks, `part` follow them and are sent again afterwards, the
    /// rest of the batch is sent again after `wait`.
    #[expect(clippy::too_many_arguments, reason = "one transition, told whole")]
    pub async fn adopt(
        &self,
        batch: &str,
        attempt: u64,
        tasks: &[String],
        whole: &[RequestId],
        part: &[RequestId],
        first_poll: Duration,
        wait: Duration,
    ) -> Result<(), LedgerError> {
        let mut call = self
            .call(|s| &s.adopt)
            .arg(batch)
            .arg(attempt)
            .arg(millis(first_poll))
            .arg(millis(wait))
            .arg(tasks.len())
            .arg(tasks);
        for requests in [whole, part] {
            call = call.arg(requests.len());
            for request in requests {
                call = call.arg(request.as_str());
            }
        }
        self.run_kept(call).await
    }

    /// Keeps a kind from being submitted after a 429. The wait doubles from `least` to `most` with each in a
    /// row, is never shorter than `asked` (within `most`), and is lengthened by `jitter` (0.0 to 0.5). Returns it.
    pub async fn hold_back(
        &self,
        kind: Kind,
        least: Duration,
        most: Duration,
        asked: Option<Duration>,
        jitter: f64,
    ) -> Result<Duration, LedgerError> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 500")]
        let thousandths = (jitter.clamp(0.0, 0.5) * 1000.0) as u64;
        let call = self
            .call(|s| &s.hold_back)
            .arg(kind.as_str())
            .arg(millis(least))
            .arg(millis(most))
            .arg(asked.map_or(0, millis))
            .arg(thousandths);
        self.run(call).await.map(Duration::from_millis)
    }
}

/// Whole milliseconds, as the scripts take them.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The rest of a reply: attempt, then request and sealed identifiers by turns.
fn sealed(
    batch: String,
    mut reply: impl Iterator<Item = Value>,
    kept: Result<(), GateError>,
) -> Result<Sealed, LedgerError> {
    let unexpected = || LedgerError::Unexpected("batch members");
    let attempt =
        reply.next().and_then(|v| redis::from_redis_value(v).ok()).ok_or_else(unexpected)?;
    let mut members = Vec::new();
    while let Some(request) = reply.next() {
        let request: String = redis::from_redis_value(request).map_err(|_| unexpected())?;
        let sealed = reply.next().and_then(|v| redis::from_redis_value(v).ok());
        members.push(SealedMember {
            request: request.parse().map_err(|_| unexpected())?,
            sealed: sealed.ok_or_else(unexpected)?,
        });
    }
    Ok(Sealed { batch, attempt, members, unkept: kept.err().map(|error| error.to_string()) })
}
