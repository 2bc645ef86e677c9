//! Asking how far a task is. A chain of delayed jobs, never a sleeping one.

use std::{sync::Arc, time::Duration};

use chrono::Utc;
use gdpr_jobs::{Kind, Status};

use super::{
    Context, StepError,
    schedule::{jitter, next_poll},
    stops::{self, Refused},
};
use crate::{
    failpoint,
    ledger::{Batch, BatchState, Job, Missing, Settlement},
    mixpanel::{Class, PollOutcome, RemoteStatus, TaskKind, TaskReport, TrackingId},
};

/// NOT_FOUND must be said this often before it counts.
const MISSING_TIMES: u32 = 5;
/// A task of a single request may report FAILURE this often before a person must look.
const FAILURES_OF_ONE: u64 = 4;

pub(super) fn task_kind(kind: Kind) -> TaskKind {
    match kind {
        Kind::Retrieval => TaskKind::Retrieval,
        _ => TaskKind::Deletion,
    }
}

/// Polls one task of a batch.
pub(super) async fn poll(ctx: &Arc<Context>, batch: String, task: String) -> Result<(), StepError> {
    let Some(batch) = ctx.ledger.batch(&batch).await? else { return Ok(()) };
    if batch.state != BatchState::Accepted || !batch.tasks.contains_key(&task) {
        return Ok(());
    }
    let Ok(id) = TrackingId::new(task.as_str()) else { return Ok(()) };
    let job = Job::Poll(batch.name.clone(), task.clone());
    let next = until_next(ctx, &batch).await?;
    let Some(turn) = stops::turn_or_defer(ctx, Class::Poll, &job).await? else { return Ok(()) };
    failpoint::reached("poll.turn");
    let outcome = ctx.mixpanel.poll(task_kind(batch.group.kind), &id).await;
    failpoint::reached("poll.answered");
    match outcome {
        PollOutcome::Report(report) => {
            stops::credentials_work(ctx, turn).await?;
            if batch.missing.contains(&task) && report.status != RemoteStatus::NotFound {
                ctx.ledger.found(&batch.name, &task).await?;
            }
            reported(ctx, &batch, &task, report, next).await?;
            failpoint::reached("poll.recorded");
            Ok(())
        }
        PollOutcome::NoSuchTask => {
            stops::credentials_work(ctx, turn).await?;
            missing(ctx, &batch, &task, next).await
        }
        PollOutcome::Refused(refusal) => {
            let wait = stops::stop(ctx, batch.group.kind, Refused::Other, &refusal)
                .await?
                .map_or(next, |(wait, _)| wait);
            Ok(ctx.ledger.defer(&job, wait).await?)
        }
        PollOutcome::Unavailable(ambiguity) => {
            tracing::warn!(project = %ctx.project, batch = batch.name, ?ambiguity, "a poll had no usable answer");
            Ok(ctx.ledger.defer(&job, next).await?)
        }
    }
}

async fn until_next(ctx: &Context, batch: &Batch) -> Result<Duration, StepError> {
    let age = batch.accepted_at.and_then(|at| (Utc::now() - at).to_std().ok()).unwrap_or_default();
    Ok(next_poll(&ctx.config, age, ctx.ledger.live_batches().await?, jitter()))
}

async fn reported(
    ctx: &Context,
    batch: &Batch,
    task: &str,
    report: TaskReport,
    next: Duration,
) -> Result<(), StepError> {
    let word = report.status.as_str().to_owned();
    match report.status {
        RemoteStatus::Success if batch.group.kind == Kind::Retrieval => {
            let Some(link) = report.link else {
                // Done, but the link is not there yet.
                return Ok(ctx.ledger.progress(&batch.name, task, &word, Some(next)).await?);
            };
            let sealed = ctx.vault.seal_bytes(&batch.name, link.expose().as_bytes());
            let sealed = sealed.map_err(crate::ledger::LedgerError::from)?;
            ctx.ledger.collect(&batch.name, task, &sealed).await?;
            Ok(())
        }
        RemoteStatus::Success => erased(ctx, batch, task).await,
        RemoteStatus::Failure | RemoteStatus::Revoked if others_go_on(batch, task) => {
            Ok(ctx.ledger.progress(&batch.name, task, &word, None).await?)
        }
        RemoteStatus::Failure => failed(ctx, batch, task).await,
        RemoteStatus::Revoked => revoked(ctx, batch, task).await,
        RemoteStatus::NotFound => missing(ctx, batch, task, next).await,
        RemoteStatus::Pending
        | RemoteStatus::Staging
        | RemoteStatus::Started
        | RemoteStatus::Unknown
        | RemoteStatus::Other(_) => {
            Ok(ctx.ledger.progress(&batch.name, task, &word, Some(next)).await?)
        }
    }
}

/// Mixpanel reports the deletion as done. A batch that follows several tasks waits for all of them.
async fn erased(ctx: &Context, batch: &Batch, task: &str) -> Result<(), StepError> {
    if batch.needs_all {
        ctx.ledger.progress(&batch.name, task, "SUCCESS", None).await?;
        let waits = batch.tasks.iter().any(|(other, word)| other != task && word != "SUCCESS");
        if waits {
            return Ok(());
        }
    }
    let settlement = if batch.requeue_after {
        let why = "the task of before has ended: sent again, for all of its ids";
        Settlement { group: Some(batch.group.main()), ..ended(task, "done", Status::Queued, why) }
    } else {
        Settlement::of_task(task, "done", Status::Completed, "Mixpanel reported SUCCESS")
    };
    settle(ctx, batch, &settlement).await
}

/// Whether another task of the batch may still do the work. Where every task is needed, none can make up for one.
fn others_go_on(batch: &Batch, task: &str) -> bool {
    let over = ["SUCCESS", "FAILURE", "REVOKED", "NOT_FOUND"];
    !batch.needs_all
        && batch.tasks.iter().any(|(other, word)| other != task && !over.contains(&word.as_str()))
}

fn ended(task: &str, end: &'static str, to: Status, why: &str) -> Settlement {
    Settlement { reason: why.to_owned(), ..Settlement::of_task(task, end, to, why) }
}

async fn settle(ctx: &Context, batch: &Batch, settlement: &Settlement) -> Result<(), StepError> {
    ctx.ledger.settle(&batch.name, settlement).await?;
    tracing::info!(project = %ctx.project, batch = batch.name, to = %settlement.to, why = settlement.why, "a batch ended");
    Ok(())
}

/// FAILURE: its requests need a new task. From the second time on the batch is bisected, so that an id that makes
/// tasks fail is found.
async fn failed(ctx: &Context, batch: &Batch, task: &str) -> Result<(), StepError> {
    let members = ctx.ledger.members(&batch.name).await?;
    let counts = ctx.ledger.fields(&members, &["task_failures"]).await?;
    let before = counts
        .iter()
        .filter_map(|row| row.first()?.as_deref()?.parse::<u64>().ok())
        .max()
        .unwrap_or(0);
    let settlement = if before == 0 {
        let why = "Mixpanel reported FAILURE; sent again";
        Settlement { group: Some(batch.group.main()), ..ended(task, "failed", Status::Queued, why) }
    } else if members.len() > 1 {
        let why = "Mixpanel reported FAILURE again; divided to find out whom that is about";
        let again = ended(task, "failed", Status::Queued, why);
        again.bisected(&batch.name, &batch.group, members.iter())
    } else if before + 1 < FAILURES_OF_ONE {
        let group = Some(batch.group.cohort(format!("{}.1", batch.name)));
        let again = ended(
            task,
            "failed",
            Status::Queued,
            "Mixpanel reported FAILURE for this request alone; sent again",
        );
        Settlement { group, wait: ctx.config.backoff_min, ..again }
    } else {
        let why = "Mixpanel reported FAILURE again and again for this request alone: check its ids in Mixpanel, then retry or fail";
        ended(task, "failed", Status::Held, why)
    };
    settle(ctx, batch, &settlement).await
}

/// REVOKED: what we asked for if every request of the batch asked to be cancelled; otherwise somebody else did it.
async fn revoked(ctx: &Context, batch: &Batch, task: &str) -> Result<(), StepError> {
    let members = ctx.ledger.members(&batch.name).await?;
    let asked = ctx.ledger.fields(&members, &["cancel_asked"]).await?;
    let by_us =
        !asked.is_empty() && asked.iter().all(|row| row.first().is_some_and(Option::is_some));
    let settlement = if by_us {
        ended(task, "revoked", Status::Cancelled, "cancelled at Mixpanel as asked")
    } else {
        let why = "the task was revoked, but not by this service; sent again";
        Settlement {
            group: Some(batch.group.main()),
            ..ended(task, "revoked", Status::Queued, why)
        }
    };
    settle(ctx, batch, &settlement).await
}

async fn missing(
    ctx: &Context,
    batch: &Batch,
    task: &str,
    next: Duration,
) -> Result<(), StepError> {
    let window = ctx.config.missing_window;
    match ctx.ledger.missing(&batch.name, task, MISSING_TIMES, window, next).await? {
        Missing::Wait | Missing::Gone => Ok(()),
        Missing::Lost => {
            let why = "Mixpanel does not know the task any more; sent again";
            let group = Some(batch.group.main());
            settle(ctx, batch, &Settlement { group, ..ended(task, "lost", Status::Queued, why) })
                .await
        }
    }
}
