//! Sending: a slot first, then, while it comes, the batch and its intent in one recorded step, then the call.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use gdpr_jobs::{DistinctId, Kind, RequestId, Status};

use super::{Context, StepError, answer, stops};
use crate::{
    failpoint,
    ledger::{Batch, BatchState, Claim, Exception, Group, Job, Sealed, Settlement},
    mixpanel::{Booking, Class, Denied, NewTask, Turn, Why},
};

/// When an attempt follows one that was not sent because its intent was not kept.
const RETRY_UNKEPT: Duration = Duration::from_secs(1);

/// A batch on its way, identifiers in clear.
pub(super) struct Outgoing {
    pub(super) batch: String,
    pub(super) attempt: u64,
    pub(super) group: Group,
    pub(super) people: Vec<(RequestId, Vec<DistinctId>)>,
    /// Why it must not be sent yet.
    unkept: Option<String>,
    /// From here on the call might end after the lease of the attempt, when others may have gone on.
    send_before: Instant,
}

impl Outgoing {
    /// `claimed` is a moment before the attempt was recorded.
    fn open(
        ctx: &Context,
        group: Group,
        sealed: Sealed,
        claimed: Instant,
    ) -> Result<Self, StepError> {
        let people = sealed
            .members
            .iter()
            .map(|member| Ok((member.request.clone(), member.open(&ctx.vault)?)))
            .collect::<Result<_, StepError>>()?;
        let send_before = claimed + ctx.config.send_lease.saturating_sub(ctx.config.call_timeout);
        let Sealed { batch, attempt, unkept, .. } = sealed;
        Ok(Self { batch, attempt, group, people, unkept, send_before })
    }

    /// Every identifier once, in the order of the requests.
    fn ids(&self) -> Vec<DistinctId> {
        let mut seen = std::collections::HashSet::new();
        let all = self.people.iter().flat_map(|(_, ids)| ids);
        all.filter(|id| seen.insert(*id)).cloned().collect()
    }

    fn task(&self) -> NewTask {
        match self.group.kind {
            Kind::Retrieval => NewTask::Retrieval { disclosure: self.group.disclosure },
            _ => NewTask::Deletion,
        }
    }
}

/// Makes a batch of what waits in a group, and sends it.
pub(super) async fn submit(ctx: &Arc<Context>, group: Group) -> Result<(), StepError> {
    if ctx.ledger.waiting(&group).await? == 0 {
        return Ok(());
    }
    let job = Job::Submit(group.clone());
    let Some(booking) = stops::booking_or_defer(ctx, &job).await? else { return Ok(()) };
    let most = match group.kind {
        Kind::Retrieval => ctx.config.rules.full_retrieval,
        _ => ctx.config.rules.full_deletion,
    };
    failpoint::reached("submit.booked");
    let claimed = Instant::now();
    match ctx.ledger.seal(&group, most, ctx.config.send_lease).await? {
        Some(sealed) => match Outgoing::open(ctx, group.clone(), sealed.clone(), claimed) {
            Ok(outgoing) => send(ctx, booking, outgoing).await,
            Err(_) => set_apart(ctx, &sealed, group).await,
        },
        None => Ok(()),
    }
}

/// Nothing was sent: requests whose identifiers cannot be read are held, the others go again without them.
async fn set_apart(ctx: &Context, sealed: &Sealed, group: Group) -> Result<(), StepError> {
    let unreadable = sealed.members.iter().filter(|member| member.open(&ctx.vault).is_err());
    let bad: Vec<RequestId> = unreadable.map(|member| member.request.clone()).collect();
    let why = "its identifiers cannot be opened: set GDPR_PEPPER back to what it was, then retry";
    tracing::error!(project = %ctx.project, batch = sealed.batch, requests = bad.len(), "identifiers cannot be opened: was GDPR_PEPPER changed while requests were open?");
    let held =
        |request| Exception { request, to: Status::Held, group: None, reason: why.to_owned() };
    let settlement = Settlement {
        from: &["sending"],
        attempt: Some(sealed.attempt),
        group: Some(group),
        exceptions: bad.into_iter().map(held).collect(),
        task: None,
        ..Settlement::of_task(
            "",
            "not sent",
            Status::Queued,
            "sent again without requests that cannot be read",
        )
    };
    ctx.insist(|| ctx.ledger.settle(&sealed.batch, &settlement)).await?;
    Ok(())
}

/// Looks after a batch whose answer is missing, and sends it again when that is due.
pub(super) async fn resume(ctx: &Arc<Context>, batch: String) -> Result<(), StepError> {
    let Some(Batch { state: BatchState::Sending | BatchState::Unknown, group, .. }) =
        ctx.ledger.batch(&batch).await?
    else {
        return Ok(());
    };
    if !matches!(claim(ctx, &batch, group.kind, false).await?, Claim::Due) {
        return Ok(());
    }
    failpoint::reached("resume.looked");
    let job = Job::Resume(batch.clone());
    let Some(booking) = stops::booking_or_defer(ctx, &job).await? else { return Ok(()) };
    let claimed = Instant::now();
    match claim(ctx, &batch, group.kind, true).await? {
        Claim::Send(sealed) => {
            failpoint::reached("resume.claimed");
            send(ctx, booking, Outgoing::open(ctx, group, sealed, claimed)?).await
        }
        Claim::Gone | Claim::Wait | Claim::Due | Claim::Held => Ok(()),
    }
}

/// How often an attempt whose answer was lost may be repeated: a second deletion costs a call and is answered
/// with a conflict; a second retrieval can take up the whole scan allowance.
pub(super) const fn budget(kind: Kind) -> u32 {
    match kind {
        Kind::Retrieval => 1,
        _ => 5,
    }
}

pub(super) fn quarantine(ctx: &Context, kind: Kind) -> Duration {
    match kind {
        Kind::Retrieval => ctx.config.unknown_wait_retrieval,
        _ => ctx.config.unknown_wait_deletion,
    }
}

async fn claim(ctx: &Context, batch: &str, kind: Kind, send: bool) -> Result<Claim, StepError> {
    let (lease, wait) = (ctx.config.send_lease, quarantine(ctx, kind));
    Ok(ctx.ledger.claim(batch, lease, wait, budget(kind), send).await?)
}

/// The call and the record of its outcome run in a task of their own: once the first byte is out, nothing that
/// happens to the job may drop the answer.
async fn send(ctx: &Arc<Context>, booking: Booking, outgoing: Outgoing) -> Result<(), StepError> {
    if let Some(why) = &outgoing.unkept {
        return unkept(ctx, &outgoing, why).await;
    }
    let in_task = Arc::clone(ctx);
    let call = ctx.calls.spawn(async move { call(&in_task, booking, &outgoing).await });
    call.await.map_err(|_| StepError::Lost)?
}

/// The intent might be forgotten, and the call would then be one that nobody knows of: it is not made.
async fn unkept(ctx: &Context, outgoing: &Outgoing, why: &str) -> Result<(), StepError> {
    let (batch, attempt) = (&outgoing.batch, outgoing.attempt);
    tracing::warn!(project = %ctx.project, batch, attempt, why, "a batch is not sent yet");
    let why = "not sent: Redis did not confirm in time that the intent is kept";
    let wait = ctx.config.request_interval.max(RETRY_UNKEPT);
    Ok(ctx.insist(|| ctx.ledger.unsent(batch, attempt, why, wait)).await?)
}

async fn call(ctx: &Context, booking: Booking, outgoing: &Outgoing) -> Result<(), StepError> {
    let ids = outgoing.ids();
    failpoint::reached("submit.sealed");
    let turn = match in_time(ctx, booking.turn().await, outgoing.send_before).await? {
        Ok(turn) => turn,
        Err(denied) => return answer::not_sent(ctx, outgoing, denied.retry_in).await,
    };
    tracing::info!(project = %ctx.project, batch = outgoing.batch, attempt = outgoing.attempt,
        kind = %outgoing.group.kind, requests = outgoing.people.len(), ids = ids.len(), "sending a batch");
    failpoint::reached("submit.sending");
    let outcome = ctx.mixpanel.create(outgoing.task(), outgoing.group.regulation, &ids).await;
    failpoint::reached("submit.answered");
    answer::record(ctx, turn, outgoing, outcome).await?;
    failpoint::reached("submit.recorded");
    Ok(())
}

/// Sealing takes time: a slot that was missed over it is given up for another one. Only a pause, or too long a wait,
/// sends the batch back.
async fn in_time(
    ctx: &Context,
    mut turn: Turn,
    before: Instant,
) -> Result<Result<Turn, Denied>, StepError> {
    while turn.is_over() {
        turn = match ctx.pace.acquire(Class::Submit).await? {
            Ok(turn) => turn,
            Err(Denied { why: Why::Busy, retry_in }) if Instant::now() + retry_in < before => {
                tokio::time::sleep(retry_in).await;
                continue;
            }
            Err(denied) => return Ok(Err(denied)),
        };
    }
    Ok(Ok(turn))
}
