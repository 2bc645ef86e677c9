//! The steps of a request's life, one file each, thin: read, call, record.
//!
//! | job | step | what it leads to |
//! | --- | --- | --- |
//! | an entry of `requests` | [`intake`](mod@intake) | `submit/GROUP` after the linger |
//! | `submit/GROUP`, `resume/BATCH` | [`submit`], then [`answer`] | `poll/BATCH/TASK`, or `resume/BATCH`, or `submit/…` again |
//! | `poll/BATCH/TASK` | [`poll`] | the next poll, `collect/BATCH`, or the end |
//! | `collect/BATCH` | [`collect`] | archives, and `expire/REQUEST` for each |
//! | `cancel/REQUEST` | [`cancel`] | the end of two requests |
//! | `expire/REQUEST` | [`expire`] | the archive destroyed |
//! | `sweep` | [`sweep`] | a job for whatever has none |
//! | `reconcile` | [`reconcile`](mod@reconcile) | store and ledger say the same |
//! | `acknowledge/REQUEST` | (the ledger) | an opt-out or a deletion goes on when the wire is clear of its person |
//! | `purge` | [`crate::delivery::purge`] | events of people who opted out leave the queue |
//! | `retain` | [`retain`](mod@retain) | profiles without events are deleted |
//! | (every replica, for itself) | [`tidy`](mod@tidy) | nothing in the spool that nobody needs |
//! | (every replica, for itself) | [`checkpoint`](mod@checkpoint) | a signed statement of what the ledger is |
//!
//! Waiting is a delayed job, never a sleeping one. A step may run twice, or on two replicas at once: the ledger makes the
//! second a no-op. A step returns an error only for "deliver this again"; whatever Mixpanel says is a decision.

mod answer;
mod cancel;
mod checkpoint;
mod collect;
mod context;
mod expire;
mod fetch;
mod intake;
mod poll;
mod reconcile;
mod retain;
mod schedule;
mod setback;
mod stops;
mod submit;
mod tidy;

use std::{sync::Arc, time::Duration};

pub use checkpoint::{Notary, append_checkpoint};
pub use context::{Context, SetupError};
pub use intake::{INTAKE_GROUP, Incoming, intake};
pub use tidy::{TIDY_EVERY, tidy};

use crate::{
    delivery,
    ledger::{Job, LedgerError},
    mixpanel::PaceError,
    queue::{Decode, Fields, JOB_FIELD, Undecodable},
};

/// Why a job is to be delivered again.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The ledger could not be read or written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The pace could not be asked.
    #[error(transparent)]
    Pace(#[from] PaceError),
    /// Blocking work did not come back.
    #[error("a blocking task ended without a result")]
    Lost,
}

impl Decode for Job {
    fn decode(fields: &Fields) -> Result<Self, Undecodable> {
        fields
            .get(JOB_FIELD)
            .and_then(|text| std::str::from_utf8(text).ok())
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| Undecodable::new("not a job that this version knows"))
    }
}

/// How often the ledger is swept for work that nobody looks after.
const SWEEP_EVERY: Duration = Duration::from_secs(600);

/// A job that was delivered this often without an end may be what ends its workers.
const SUSPICIOUS: u64 = 5;

/// Does one job, which has been delivered so many times, this one included.
pub async fn work(ctx: &Arc<Context>, job: Job, deliveries: u64) -> Result<(), StepError> {
    match job {
        Job::Collect(batch) if deliveries > SUSPICIOUS => collect::give_up(ctx, &batch).await,
        Job::Submit(group) => submit::submit(ctx, group).await,
        Job::Resume(batch) => submit::resume(ctx, batch).await,
        Job::Poll(batch, task) => poll::poll(ctx, batch, task).await,
        Job::Collect(batch) => collect::collect(ctx, batch).await,
        Job::Cancel(request) => cancel::cancel(ctx, request).await,
        Job::Expire(request) => expire::expire(ctx, request).await,
        Job::Sweep => sweep(ctx).await,
        Job::Reconcile => reconcile::reconcile(ctx).await,
        Job::Acknowledge(request) => {
            ctx.ledger.acknowledge(&request).await?;
            Ok(())
        }
        Job::Purge => {
            let entries = delivery::purge(&ctx.delivery).await?;
            tracing::debug!(project = %ctx.project, entries, "purged");
            Ok(())
        }
        Job::Retain => retain::retain(ctx).await,
    }
}

async fn sweep(ctx: &Context) -> Result<(), StepError> {
    let (groups, batches) = ctx.ledger.sweep().await?;
    tracing::debug!(project = %ctx.project, groups, batches, "swept");
    Ok(ctx.ledger.defer(&Job::Sweep, SWEEP_EVERY).await?)
}
