//! Fetching the export of a batch and making the archives. Repeated after a crash, it gives the same archives.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};

use super::{
    Context, StepError, fetch,
    setback::{Setback, hold, set_back},
};
use crate::{
    archive::{self, BatchFacts, Packaged, Packaging, Person},
    failpoint,
    ledger::{Archived, Batch, BatchState, ExportFate, Job, LedgerError},
    mixpanel::ExportLink,
};

/// How soon to try again when this process has its hands full.
const BUSY: Duration = Duration::from_secs(1);

/// Collects the export of a batch.
pub(super) async fn collect(ctx: &Arc<Context>, name: String) -> Result<(), StepError> {
    let Ok(_fetching) = Arc::clone(&ctx.downloads).try_acquire_owned() else {
        return Ok(ctx.ledger.defer(&Job::Collect(name), BUSY).await?);
    };
    let Some(batch) = ctx.ledger.batch(&name).await? else { return Ok(()) };
    if batch.state != BatchState::Collecting {
        return Ok(());
    }
    failpoint::reached("collect.begun");
    match fetch_and_package(ctx, &batch).await {
        Ok(Some(Ok(packaged))) => done(ctx, &batch, packaged).await,
        Ok(Some(Err(setback))) => set_back(ctx, &batch, setback).await,
        // Another export is being packaged. This one is in the spool by now.
        Ok(None) => Ok(ctx.ledger.defer(&Job::Collect(name), BUSY).await?),
        // Asking again will not help.
        Err(StepError::Ledger(LedgerError::Unopenable(error))) => {
            hold(ctx, &batch, &error.to_string(), ExportFate::ToRetry).await
        }
        Err(error) => Err(error),
    }
}

/// Packaging an export never came to an end, and took its worker with it for all that is known.
pub(super) async fn give_up(ctx: &Context, name: &str) -> Result<(), StepError> {
    let Some(batch) = ctx.ledger.batch(name).await? else { return Ok(()) };
    let why = "packaging its export broke off again and again: look at the worker's log, memory and disk, then retry";
    hold(ctx, &batch, why, ExportFate::ToRetry).await
}

async fn fetch_and_package(
    ctx: &Arc<Context>,
    batch: &Batch,
) -> Result<Option<Result<Packaged, Setback>>, StepError> {
    let Some(link) = open_link(ctx, batch)? else { return Ok(Some(Err(Setback::StaleLink))) };
    let people = people(ctx, batch).await?;
    if people.len() != batch.requests {
        return Ok(Some(Err(Setback::Hold(not_all_known(batch, &people), ExportFate::ToLookAt))));
    }
    let export = match fetch::fetch(ctx, batch, &link).await? {
        Ok(export) => export,
        Err(error) => return Ok(Some(Err(Setback::from(&error)))),
    };
    failpoint::reached("collect.fetched");
    let Ok(place) = Arc::clone(&ctx.packaging).try_acquire_owned() else { return Ok(None) };
    let (facts, whole) = (facts(ctx, batch), Arc::clone(ctx));
    let packaged = tokio::task::spawn_blocking(move || {
        let _place = place;
        let job = Packaging {
            batch: &facts,
            people: &people,
            password: whole.config.export_password.as_ref(),
            limits: &whole.archives.limits,
            means: whole.archives.means,
            options: &whole.archives.options,
            spool: &whole.spool,
            store: &whole.store,
        };
        archive::package(export, &job)
    });
    let packaged = packaged.await.map_err(|_| StepError::Lost)?;
    failpoint::reached("collect.packaged");
    Ok(Some(packaged.map_err(|error| Setback::from(&error))))
}

fn open_link(ctx: &Context, batch: &Batch) -> Result<Option<ExportLink>, LedgerError> {
    let Some(sealed) = &batch.sealed_link else { return Ok(None) };
    let link = ctx.vault.open_bytes(&batch.name, sealed)?;
    Ok(ExportLink::parse(&String::from_utf8_lossy(&link)))
}

async fn people(ctx: &Context, batch: &Batch) -> Result<Vec<Person>, StepError> {
    let members = ctx.ledger.sealed_members(&batch.name).await?;
    let requests: Vec<_> = members.iter().map(|m| m.request.clone()).collect();
    let received = ctx.ledger.fields(&requests, &["received_at"]).await?;
    let people = members.into_iter().zip(received).map(|(member, row)| {
        let received_at = row.into_iter().next().flatten();
        Ok(Person {
            ids: member.open(&ctx.vault)?,
            received_at: received_at
                .and_then(|text| DateTime::parse_from_rfc3339(&text).ok())
                .map_or(DateTime::UNIX_EPOCH, |time| time.with_timezone(&Utc)),
            request: member.request,
        })
    });
    people.collect()
}

/// Records of somebody whose ids are gone could be taken for another's; if one person is left, all of them would be.
fn not_all_known(batch: &Batch, people: &[Person]) -> String {
    format!(
        "its export was asked for {} requests and only {} of them are known now: it cannot be told whose a record is; retry asks for a new export",
        batch.requests,
        people.len()
    )
}

fn facts(ctx: &Context, batch: &Batch) -> BatchFacts {
    BatchFacts {
        project: ctx.project.clone(),
        batch: batch.name.clone(),
        tracking_id: batch.collected_task.clone().unwrap_or_default(),
        regulation: batch.group.regulation,
        disclosure: batch.group.disclosure,
        exported_at: batch.exported_at.unwrap_or(DateTime::UNIX_EPOCH),
    }
}

async fn done(ctx: &Arc<Context>, batch: &Batch, packaged: Packaged) -> Result<(), StepError> {
    if packaged.quarantined > 0 {
        tracing::warn!(project = %ctx.project, batch = batch.name, read = packaged.read, quarantined = packaged.quarantined,
            "records of the export belong to nobody in the batch with certainty; nobody got them");
    }
    let archives: Vec<Archived> = packaged
        .archives
        .into_iter()
        .map(|a| Archived {
            request: a.request,
            location: a.location,
            sha256: a.sha256,
            bytes: a.bytes,
        })
        .collect();
    let retention = ctx.config.archive_retention;
    let in_doubt = &packaged.in_doubt;
    let completed =
        ctx.insist(|| ctx.ledger.archived(batch, &archives, in_doubt, retention)).await?;
    failpoint::reached("collect.recorded");
    tracing::info!(project = %ctx.project, batch = batch.name, completed, in_doubt = in_doubt.len(), "archives are in the store");
    // Not before: after a crash up to here, it need not be fetched again.
    fetch::forget(ctx, batch).await
}
