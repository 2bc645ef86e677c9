//! What Mixpanel answered to a batch, and what becomes of its requests. The one place that decides it.

use std::{collections::HashSet, time::Duration};

use gdpr_jobs::{DistinctId, Kind, RequestId, Status};

use super::{
    Context, StepError,
    schedule::{jitter, next_poll},
    stops::{self, Refused},
    submit::{Outgoing, quarantine},
};
use crate::{
    ledger::{Exception, ExportFate, Group, Settlement},
    mixpanel::{Ambiguity, Conflict, CreateOutcome, Refusal, TrackingId, Turn},
};

/// Records the outcome of a call, whatever it takes.
pub(super) async fn record(
    ctx: &Context,
    turn: Turn,
    sent: &Outgoing,
    outcome: CreateOutcome,
) -> Result<(), StepError> {
    match outcome {
        CreateOutcome::Accepted { task } => {
            accepted(ctx, sent, &task).await?;
            stops::credentials_work(ctx, turn).await
        }
        CreateOutcome::Conflict(conflict) => {
            conflicting(ctx, sent, &conflict).await?;
            stops::credentials_work(ctx, turn).await
        }
        CreateOutcome::Refused(refusal) => {
            refused(ctx, sent, &refusal).await?;
            match refusal {
                // About the batch, so it was read: by somebody whom the credentials let in.
                Refusal::Invalid { .. } | Refusal::TooLarge => {
                    stops::credentials_work(ctx, turn).await
                }
                _ => Ok(()),
            }
        }
        CreateOutcome::Unknown(ambiguity) => lost(ctx, sent, ambiguity).await,
    }
}

async fn accepted(ctx: &Context, sent: &Outgoing, task: &TrackingId) -> Result<(), StepError> {
    let first = next_poll(&ctx.config, Duration::ZERO, 1, jitter());
    let (batch, attempt) = (&sent.batch, sent.attempt);
    let how = ctx.insist(|| ctx.ledger.accept(batch, attempt, task.as_str(), first)).await?;
    tracing::info!(project = %ctx.project, batch, task = %task, ?how, "Mixpanel has the batch");
    Ok(())
}

async fn lost(ctx: &Context, sent: &Outgoing, ambiguity: Ambiguity) -> Result<(), StepError> {
    let why = match ambiguity {
        Ambiguity::Timeout => "no answer in time",
        Ambiguity::ConnectionLost => "the connection broke before the answer",
        Ambiguity::RequestTimeout { .. } => "the server did not get the whole call in time",
        Ambiguity::ServerError { .. } => "the server failed (5xx)",
        Ambiguity::Unreadable { .. } => "the answer said yes but named no task: probably accepted",
        Ambiguity::Unexpected { .. } => "the answer had a status that none should have",
    };
    tracing::warn!(project = %ctx.project, batch = sent.batch, attempt = sent.attempt, why, "the answer to a batch was lost");
    let wait = quarantine(ctx, sent.group.kind);
    let why = format!("unknown whether Mixpanel has it: {why}");
    Ok(ctx.insist(|| ctx.ledger.lost(&sent.batch, sent.attempt, &why, wait)).await?)
}

async fn refused(ctx: &Context, sent: &Outgoing, refusal: &Refusal) -> Result<(), StepError> {
    let stopped = match stops::stop(ctx, sent.group.kind, Refused::Create, refusal).await {
        Ok(stopped) => stopped,
        // Known is that it was refused: that must be recorded, or the attempt would count as unknown.
        Err(error) => {
            tracing::warn!(project = %ctx.project, %error, "calls could not be stopped; the batch waits by itself");
            Some((
                ctx.config.backoff_min,
                "Mixpanel refused it for now; sent again by itself".to_owned(),
            ))
        }
    };
    let settlement = match stopped {
        Some((wait, reason)) => back_to_queue(sent, wait, &reason),
        None => match refusal {
            Refusal::Invalid { status, named } => {
                divide(sent, named, &format!("Mixpanel refused it (HTTP {status})"))
            }
            Refusal::TooLarge => divide(sent, &[], "Mixpanel refused it as too large (HTTP 413)"),
            _ => withheld(sent),
        },
    };
    ctx.insist(|| ctx.ledger.settle(&sent.batch, &settlement)).await?;
    tracing::warn!(project = %ctx.project, batch = sent.batch, why = settlement.why, "a batch was refused");
    Ok(())
}

fn settlement(sent: &Outgoing, to: Status, why: &str) -> Settlement {
    Settlement {
        from: &["sending", "unknown"],
        attempt: Some(sent.attempt),
        end: "refused",
        to,
        group: Some(sent.group.clone()),
        reason: why.to_owned(),
        why: why.to_owned(),
        wait: Duration::ZERO,
        task: None,
        export: ExportFate::None,
        exceptions: Vec::new(),
    }
}

fn back_to_queue(sent: &Outgoing, wait: Duration, why: &str) -> Settlement {
    Settlement { wait, ..settlement(sent, Status::Queued, why) }
}

/// The call was not made, because there was no slot for it any more.
pub(super) async fn not_sent(
    ctx: &Context,
    sent: &Outgoing,
    wait: Duration,
) -> Result<(), StepError> {
    let settlement = back_to_queue(sent, wait, "not sent yet: calls are paused");
    ctx.insist(|| ctx.ledger.settle(&sent.batch, &settlement)).await?;
    Ok(())
}

/// The call was never made: a reserved id got past intake.
fn withheld(sent: &Outgoing) -> Settlement {
    settlement(
        sent,
        Status::Held,
        "not sent: it names nobody, or a reserved id; look at the request, then fail it",
    )
}

/// Mixpanel will not take the batch as it is. If it names ids, their requests fail and the others go again;
/// otherwise the batch is bisected until the refused ids stand alone.
fn divide(sent: &Outgoing, named: &[DistinctId], why: &str) -> Settlement {
    let named: HashSet<&DistinctId> = named.iter().collect();
    let is_named = |ids: &[DistinctId]| ids.iter().any(|id| named.contains(id));
    let bad: Vec<&RequestId> =
        sent.people.iter().filter(|(_, ids)| is_named(ids)).map(|(request, _)| request).collect();
    if sent.people.len() == 1 {
        return settlement(sent, Status::Failed, why);
    }
    if !bad.is_empty() && bad.len() < sent.people.len() {
        let exceptions =
            bad.into_iter().map(|request| exception(request, Status::Failed, None, why)).collect();
        let others = "sent again without requests that Mixpanel refused";
        return Settlement { exceptions, ..settlement(sent, Status::Queued, others) };
    }
    bisect(sent, why)
}

/// Two halves, each a cohort of its own.
fn bisect(sent: &Outgoing, why: &str) -> Settlement {
    let why = format!("{why}; divided to find out whom that is about");
    let members = sent.people.iter().map(|(request, _)| request);
    settlement(sent, Status::Queued, &why).bisected(&sent.batch, &sent.group, members)
}

fn exception(request: &RequestId, to: Status, group: Option<Group>, reason: &str) -> Exception {
    Exception { request: request.clone(), to, group, reason: reason.to_owned() }
}

/// Some ids have a live task already. With both ids and tasks named, deletions of them follow those tasks.
async fn conflicting(ctx: &Context, sent: &Outgoing, conflict: &Conflict) -> Result<(), StepError> {
    tracing::warn!(project = %ctx.project, batch = sent.batch, ids = conflict.ids.len(), tasks = conflict.tasks.len(),
        foreign = conflict.foreign, "some ids have a live task already (409)");
    let named: HashSet<&DistinctId> = conflict.ids.iter().collect();
    let of = |test: &dyn Fn(&[DistinctId]) -> bool| -> Vec<RequestId> {
        sent.people
            .iter()
            .filter(|(_, ids)| test(ids))
            .map(|(request, _)| request.clone())
            .collect()
    };
    let alone = sent.people.len() == 1 && named.is_empty();
    let whole = of(&|ids| alone || ids.iter().all(|id| named.contains(id)));
    let part = of(&|ids| {
        ids.iter().any(|id| named.contains(id)) && !ids.iter().all(|id| named.contains(id))
    });

    if whole.is_empty() && part.is_empty() {
        // It does not say whom it is about.
        let settlement = bisect(sent, "Mixpanel has a live task for somebody in it (409)");
        ctx.insist(|| ctx.ledger.settle(&sent.batch, &settlement)).await?;
        return Ok(());
    }
    // An export can be split only if everybody in it is known. Who else the task was asked for is not.
    if conflict.tasks.is_empty() || sent.group.kind == Kind::Retrieval {
        return wait_out(ctx, sent, whole.iter().chain(&part)).await;
    }
    let tasks: Vec<String> = conflict.tasks.iter().map(|task| task.as_str().to_owned()).collect();
    let first = next_poll(&ctx.config, Duration::ZERO, 1, jitter());
    let (batch, attempt) = (&sent.batch, sent.attempt);
    ctx.insist(|| ctx.ledger.adopt(batch, attempt, &tasks, &whole, &part, first, Duration::ZERO))
        .await?;
    Ok(())
}

/// The live tasks are not named, or must not be followed: those requests are sent again when the tasks have
/// had time to end, the others at once.
async fn wait_out(
    ctx: &Context,
    sent: &Outgoing,
    conflicting: impl Iterator<Item = &RequestId>,
) -> Result<(), StepError> {
    let why = "Mixpanel has a live task for it that cannot be followed (409); sent again later";
    let apart = sent.group.cohort(format!("{}.wait", sent.batch));
    let apart_ids: HashSet<&RequestId> = conflicting.collect();
    let others = sent.people.iter().filter(|(request, _)| !apart_ids.contains(request));
    let at_once = "sent again without requests that have a live task";
    let exceptions = others
        .map(|(r, _)| exception(r, Status::Queued, Some(sent.group.main()), at_once))
        .collect();
    let settlement = Settlement {
        group: Some(apart),
        wait: ctx.config.backoff_max,
        exceptions,
        ..settlement(sent, Status::Queued, why)
    };
    ctx.insist(|| ctx.ledger.settle(&sent.batch, &settlement)).await?;
    Ok(())
}
