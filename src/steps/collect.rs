//! Fetching the export of a batch and making the archives. Repeated after a crash, it gives the same archives.

use std::{path::Path, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use gdpr_jobs::{Kind, Status};
use tokio::io::AsyncWriteExt;

use super::{
    Context, StepError,
    poll::task_kind,
    schedule::backoff,
    stops::{self, Refused},
};
use crate::{
    archive::{self, BatchFacts, Limits, PackageError, Packaged, Person},
    ledger::{Archived, Batch, BatchState, Job, LedgerError, Settlement},
    mixpanel::{Class, DownloadError, ExportLink, PollOutcome, RemoteStatus, TrackingId},
};

/// How soon to try again when both packaging places are taken.
const BUSY: Duration = Duration::from_secs(1);
/// How often a link that no longer works is replaced before a person must look.
const FRESH_LINKS: u64 = 5;
/// How often an export is fetched again because it could not be read.
const BROKEN_EXPORTS: u64 = 2;

/// Why there are no archives yet.
enum Setback {
    /// The link is dead: get a fresh one.
    StaleLink,
    /// The same again, later.
    Later(&'static str),
    /// The export itself cannot be read: fetch it again, but not for ever.
    Broken(String),
    /// A person must look.
    Hold(String),
}

/// Collects the export of a batch.
pub(super) async fn collect(ctx: &Arc<Context>, name: String) -> Result<(), StepError> {
    let Ok(_place) = Arc::clone(&ctx.packaging).try_acquire_owned() else {
        return Ok(ctx.ledger.defer(&Job::Collect(name), BUSY).await?);
    };
    let Some(batch) = ctx.ledger.batch(&name).await? else { return Ok(()) };
    if batch.state != BatchState::Collecting {
        return Ok(());
    }
    match fetch_and_package(ctx, &batch).await {
        Ok(Ok(packaged)) => done(ctx, &batch, packaged).await,
        Ok(Err(setback)) => set_back(ctx, &batch, setback).await,
        // Asking again will not help.
        Err(StepError::Ledger(LedgerError::Unopenable(error))) => {
            hold(ctx, &batch, &error.to_string()).await
        }
        Err(error) => Err(error),
    }
}

/// Packaging an export never came to an end, and took its worker with it for all that is known.
pub(super) async fn give_up(ctx: &Context, name: &str) -> Result<(), StepError> {
    let Some(batch) = ctx.ledger.batch(name).await? else { return Ok(()) };
    let why = "packaging its export broke off again and again: look at the worker's log, memory and disk, then retry";
    hold(ctx, &batch, why).await
}

async fn fetch_and_package(
    ctx: &Arc<Context>,
    batch: &Batch,
) -> Result<Result<Packaged, Setback>, StepError> {
    let Some(link) = open_link(ctx, batch)? else { return Ok(Err(Setback::StaleLink)) };
    let people = people(ctx, batch).await?;
    let spool = Arc::clone(&ctx.spool);
    let Ok(export) = spool.export() else {
        return Ok(Err(Setback::Later("the spool folder cannot be written")));
    };
    if let Err(error) = fetch(ctx, &link, export.path()).await {
        return Ok(Err(download_setback(&error)));
    }
    let facts = facts(ctx, batch);
    let (store, password) = (Arc::clone(&ctx.store), ctx.config.export_password.clone());
    let packaged = tokio::task::spawn_blocking(move || {
        let limits = Limits::default();
        archive::package(export.path(), &facts, &people, password.as_ref(), &limits, &spool, &store)
    });
    Ok(packaged.await.map_err(|_| StepError::Lost)?.map_err(|error| package_setback(&error)))
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

fn facts(ctx: &Context, batch: &Batch) -> BatchFacts {
    BatchFacts {
        project: ctx.project.clone(),
        tracking_id: batch.collected_task.clone().unwrap_or_default(),
        regulation: batch.group.regulation,
        disclosure: batch.group.disclosure,
        exported_at: batch.exported_at.unwrap_or(DateTime::UNIX_EPOCH),
    }
}

async fn fetch(ctx: &Context, link: &ExportLink, into: &Path) -> Result<(), DownloadError> {
    let mut file = tokio::fs::File::create(into).await.map_err(DownloadError::Write)?;
    let limit = Limits::default().unpacked_bytes;
    let got = ctx.downloader.download(link, &mut file, limit).await?;
    file.flush().await.map_err(DownloadError::Write)?;
    tracing::info!(project = %ctx.project, bytes = got.bytes, "an export was fetched");
    Ok(())
}

fn download_setback(error: &DownloadError) -> Setback {
    match error {
        DownloadError::Gone { .. } => Setback::StaleLink,
        DownloadError::Server { .. } | DownloadError::Unreachable | DownloadError::Broken => {
            Setback::Later("the export's storage did not deliver it")
        }
        DownloadError::Write(_) => {
            Setback::Later("the spool folder has no room or cannot be written")
        }
        DownloadError::NotAllowed(_) => Setback::Hold(format!(
            "{error}; add its host to GDPR_EXPORT_HOSTS if it is right, then retry"
        )),
        DownloadError::TooManyRedirects | DownloadError::TooLarge { .. } => {
            Setback::Hold(error.to_string())
        }
    }
}

fn package_setback(error: &PackageError) -> Setback {
    match error {
        PackageError::Sealed(_) | PackageError::Limit(_) => {
            Setback::Hold(format!("{error}; then retry"))
        }
        PackageError::Corrupt(_) => Setback::Broken(error.to_string()),
        PackageError::Unbalanced { .. }
        | PackageError::Mislaid { .. }
        | PackageError::RepeatedRequest => Setback::Hold(error.to_string()),
        PackageError::Export(_) | PackageError::Spool(_) => {
            Setback::Later("the spool folder has no room or cannot be used")
        }
        PackageError::Store(_) => {
            Setback::Later("the archive folder has no room or cannot be written")
        }
    }
}

async fn done(ctx: &Context, batch: &Batch, packaged: Packaged) -> Result<(), StepError> {
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
    let completed = ctx.insist(|| ctx.ledger.archived(&batch.name, &archives, retention)).await?;
    tracing::info!(project = %ctx.project, batch = batch.name, completed, "archives are in the store");
    Ok(())
}

async fn set_back(ctx: &Arc<Context>, batch: &Batch, setback: Setback) -> Result<(), StepError> {
    let job = Job::Collect(batch.name.clone());
    match setback {
        Setback::StaleLink => refresh_link(ctx, batch).await,
        Setback::Later(why) => {
            let times = ctx.ledger.count(&batch.name, "collect_failures").await?;
            let wait = backoff(ctx.config.request_interval, ctx.config.backoff_max, times);
            tracing::warn!(project = %ctx.project, batch = batch.name, why, wait_s = wait.as_secs(), "an export could not be collected; tried again");
            Ok(ctx.ledger.defer(&job, wait).await?)
        }
        Setback::Broken(why) => {
            if ctx.ledger.count(&batch.name, "broken_exports").await? > BROKEN_EXPORTS {
                return hold(ctx, batch, &format!("{why}; retry asks Mixpanel for a new one"))
                    .await;
            }
            Ok(ctx.ledger.defer(&job, ctx.config.request_interval).await?)
        }
        Setback::Hold(why) => hold(ctx, batch, &why).await,
    }
}

async fn hold(ctx: &Context, batch: &Batch, why: &str) -> Result<(), StepError> {
    let task = batch.collected_task.as_deref().unwrap_or_default();
    let settlement = Settlement {
        from: &["collecting"],
        reason: why.to_owned(),
        ..Settlement::of_task(task, "held", Status::Held, why)
    };
    ctx.ledger.settle(&batch.name, &settlement).await?;
    tracing::error!(project = %ctx.project, batch = batch.name, why, "an export is held");
    Ok(())
}

/// Asks Mixpanel once more for the task's link.
async fn refresh_link(ctx: &Arc<Context>, batch: &Batch) -> Result<(), StepError> {
    let job = Job::Collect(batch.name.clone());
    let task = batch.collected_task.clone().unwrap_or_default();
    let Ok(id) = TrackingId::new(task.as_str()) else { return Ok(()) };
    // Without a turn no link was asked for, and none is counted.
    let Some(turn) = stops::turn_or_defer(ctx, Class::Poll, &job).await? else { return Ok(()) };
    if ctx.ledger.count(&batch.name, "stale_links").await? > FRESH_LINKS {
        let why = "the links to its export do not work: look in Mixpanel, then retry";
        return hold(ctx, batch, why).await;
    }
    match ctx.mixpanel.poll(task_kind(batch.group.kind), &id).await {
        PollOutcome::Report(report) => {
            stops::credentials_work(ctx, turn).await?;
            if let (RemoteStatus::Success, Some(link)) = (report.status, report.link) {
                let sealed = ctx.vault.seal_bytes(&batch.name, link.expose().as_bytes());
                ctx.ledger.collect(&batch.name, &task, &sealed.map_err(LedgerError::from)?).await?;
                return Ok(());
            }
        }
        PollOutcome::Refused(refusal) => {
            stops::stop(ctx, Kind::Retrieval, Refused::Other, &refusal).await?;
        }
        PollOutcome::NoSuchTask | PollOutcome::Unavailable(_) => {}
    }
    Ok(ctx.ledger.defer(&job, ctx.config.poll_min).await?)
}
