//! Sending: a slot first, then the batch and its intent in one recorded step, then the call.

use std::{sync::Arc, time::Duration};

use gdpr_jobs::{DistinctId, Kind, RequestId};

use super::{Context, StepError, answer, stops};
use crate::{
    ledger::{Batch, BatchState, Claim, Group, Job, Sealed},
    mixpanel::{Class, NewTask, Turn},
};

/// A batch on its way, identifiers in clear.
pub(super) struct Outgoing {
    pub(super) batch: String,
    pub(super) attempt: u64,
    pub(super) group: Group,
    pub(super) people: Vec<(RequestId, Vec<DistinctId>)>,
}

impl Outgoing {
    fn open(ctx: &Context, group: Group, sealed: Sealed) -> Result<Self, StepError> {
        let people = sealed
            .members
            .iter()
            .map(|member| Ok((member.request.clone(), member.open(&ctx.vault)?)))
            .collect::<Result<_, StepError>>()?;
        Ok(Self { batch: sealed.batch, attempt: sealed.attempt, group, people })
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
    let Some(turn) = stops::turn_or_defer(ctx, Class::Submit, &job).await? else { return Ok(()) };
    let most = match group.kind {
        Kind::Retrieval => ctx.config.rules.full_retrieval,
        _ => ctx.config.rules.full_deletion,
    };
    match ctx.ledger.seal(&group, most, ctx.config.send_lease).await? {
        Some(sealed) => send(ctx, turn, Outgoing::open(ctx, group, sealed)?).await,
        None => Ok(()),
    }
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
    let job = Job::Resume(batch.clone());
    let Some(turn) = stops::turn_or_defer(ctx, Class::Submit, &job).await? else { return Ok(()) };
    match claim(ctx, &batch, group.kind, true).await? {
        Claim::Send(sealed) => send(ctx, turn, Outgoing::open(ctx, group, sealed)?).await,
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
async fn send(ctx: &Arc<Context>, turn: Turn, outgoing: Outgoing) -> Result<(), StepError> {
    let in_task = Arc::clone(ctx);
    let call = ctx.calls.spawn(async move {
        let ctx = in_task;
        let ids = outgoing.ids();
        tracing::info!(project = %ctx.project, batch = outgoing.batch, attempt = outgoing.attempt,
            kind = %outgoing.group.kind, requests = outgoing.people.len(), ids = ids.len(), "sending a batch");
        let outcome = ctx.mixpanel.create(outgoing.task(), outgoing.group.regulation, &ids).await;
        answer::record(&ctx, turn, &outgoing, outcome).await
    });
    call.await.map_err(|_| StepError::Lost)?
}
