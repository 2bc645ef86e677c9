//! Withdrawing a request: by itself while it waits, at Mixpanel while its whole task may go.

use std::{sync::Arc, time::Duration};

use gdpr_jobs::{Kind, RequestId};

use super::{
    Context, StepError,
    stops::{self, Refused},
};
use crate::{
    failpoint,
    ledger::{CancelStep, Job},
    mixpanel::{CancelOutcome, Class, TrackingId},
};

/// A cancellation may overtake its target on another replica: so long an unknown target may still turn up. A target
/// that a dead worker had read turns up after the lease of its entry; twice, if its second reader dies, too.
const PATIENCE: Duration = Duration::from_secs(60);
const LEASES: u32 = 4;
/// How soon to look again at a target that cannot be decided about yet.
const AGAIN: Duration = Duration::from_secs(1);

/// Decides one cancellation.
pub(super) async fn cancel(ctx: &Arc<Context>, request: RequestId) -> Result<(), StepError> {
    let job = Job::Cancel(request.clone());
    let patience = PATIENCE.max(ctx.config.job_lease * LEASES);
    failpoint::reached("cancel.asked");
    let (batch, tasks) = match ctx.ledger.cancel(&request, patience).await? {
        CancelStep::Done => return Ok(()),
        CancelStep::Wait => return Ok(ctx.ledger.defer(&job, AGAIN).await?),
        CancelStep::Call { batch, tasks } => (batch, tasks),
    };
    let mut revoked = 0;
    for task in &tasks {
        let Ok(task) = TrackingId::new(task.as_str()) else { continue };
        let Some(turn) = stops::turn_or_defer(ctx, Class::Submit, &job).await? else {
            return Ok(());
        };
        let outcome = ctx.mixpanel.cancel_deletion(&task).await;
        let refused = match outcome {
            CancelOutcome::Cancelled => {
                stops::credentials_work(ctx, turn).await?;
                revoked += 1;
                continue;
            }
            CancelOutcome::TooLate | CancelOutcome::NoSuchTask => {
                stops::credentials_work(ctx, turn).await?;
                if outcome == CancelOutcome::TooLate {
                    "Mixpanel has started the deletion (405)"
                } else {
                    "Mixpanel does not know the task"
                }
            }
            CancelOutcome::Refused(refusal) => {
                match stops::stop(ctx, Kind::Deletion, Refused::Other, &refusal).await? {
                    Some((wait, _)) => return Ok(ctx.ledger.defer(&job, wait.max(AGAIN)).await?),
                    None => "Mixpanel refused to cancel the task",
                }
            }
            // It may have worked: the next poll, or the next try, tells.
            CancelOutcome::Unknown(_) => {
                return Ok(ctx.ledger.defer(&job, ctx.config.poll_min).await?);
            }
        };
        ctx.insist(|| ctx.ledger.cancelled(&request, &batch, false, refused)).await?;
        return Ok(());
    }
    if revoked == tasks.len() {
        let why = "the task was cancelled at Mixpanel";
        ctx.insist(|| ctx.ledger.cancelled(&request, &batch, true, why)).await?;
    }
    Ok(())
}
