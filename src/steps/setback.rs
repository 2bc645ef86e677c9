//! What may stand between an export and its archives, and what follows from each: decided here and nowhere else.

use std::sync::Arc;

use gdpr_jobs::{Kind, Status};

use super::{
    Context, StepError,
    fetch::{self, FetchError},
    poll::task_kind,
    schedule::backoff,
    stops::{self, Refused},
};
use crate::{
    archive::PackageError,
    ledger::{Batch, ExportFate, Job, LedgerError, Settlement},
    mixpanel::{Class, DownloadError, PollOutcome, RemoteStatus, TrackingId},
};

/// How often a link that no longer works is replaced before a person must look.
const FRESH_LINKS: u64 = 5;
/// How often an export is fetched again because it could not be read.
const BROKEN_EXPORTS: u64 = 2;

/// Why there are no archives yet.
#[derive(Debug)]
pub(super) enum Setback {
    /// The link is dead: get a fresh one.
    StaleLink,
    /// The same again, later.
    Later(String),
    /// The export itself cannot be read: fetch it again, but not for ever.
    Broken(String),
    /// A person must look; and what the export is good for.
    Hold(String, ExportFate),
}

impl From<&FetchError> for Setback {
    fn from(error: &FetchError) -> Self {
        use std::io::ErrorKind::{PermissionDenied, ResourceBusy};
        match error {
            FetchError::Download(error) => error.into(),
            FetchError::Spool(failed) if failed.kind() == PermissionDenied => {
                Self::Hold(format!("{error}; then retry"), ExportFate::ToRetry)
            }
            FetchError::Spool(failed) if failed.kind() == ResourceBusy => {
                Self::Later("its export is being fetched already".to_owned())
            }
            FetchError::Spool(cause) => {
                Self::Later(format!("the spool folder has no room or cannot be used: {cause}"))
            }
        }
    }
}

impl From<&DownloadError> for Setback {
    fn from(error: &DownloadError) -> Self {
        match error {
            DownloadError::Gone { .. } => Self::StaleLink,
            DownloadError::Server { .. }
            | DownloadError::Unreachable
            | DownloadError::Broken
            | DownloadError::Changed => Self::Later(error.to_string()),
            DownloadError::Checksum { .. } => Self::Broken(error.to_string()),
            DownloadError::Write(cause) => Self::Later(format!("{error}: {cause}")),
            DownloadError::NotAllowed(_) => Self::Hold(
                format!("{error}; add its host to GDPR_EXPORT_HOSTS if it is right, then retry"),
                ExportFate::ToRetry,
            ),
            DownloadError::TooLarge { .. } => Self::Hold(
                format!("{error}; allow more with GDPR_EXPORT_MAX if that is right, then retry"),
                ExportFate::ToRetry,
            ),
            DownloadError::TooManyRedirects => Self::Hold(error.to_string(), ExportFate::ToRetry),
        }
    }
}

impl From<&PackageError> for Setback {
    fn from(error: &PackageError) -> Self {
        match error {
            PackageError::Sealed(_) | PackageError::Limit(_) => {
                Self::Hold(format!("{error}; then retry: the export is kept"), ExportFate::ToRetry)
            }
            PackageError::Corrupt(_) => Self::Broken(error.to_string()),
            PackageError::Unbalanced { .. } | PackageError::RepeatedRequest => {
                Self::Hold(error.to_string(), ExportFate::ToRetry)
            }
            PackageError::Export(_) | PackageError::Spool(_) | PackageError::Store(_) => {
                Self::Later(error.to_string())
            }
        }
    }
}

/// Does what follows.
pub(super) async fn set_back(
    ctx: &Arc<Context>,
    batch: &Batch,
    setback: Setback,
) -> Result<(), StepError> {
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
                let why = format!("{why}; retry asks Mixpanel for a new export");
                return hold(ctx, batch, &why, ExportFate::ToLookAt).await;
            }
            fetch::forget(ctx, batch).await?;
            Ok(ctx.ledger.defer(&job, ctx.config.request_interval).await?)
        }
        Setback::Hold(why, export) => hold(ctx, batch, &why, export).await,
    }
}

/// Leaves the batch to a person. Its export stays in the spool for as long as an archive would live.
pub(super) async fn hold(
    ctx: &Context,
    batch: &Batch,
    why: &str,
    export: ExportFate,
) -> Result<(), StepError> {
    let task = batch.collected_task.as_deref().unwrap_or_default();
    let settlement = Settlement {
        from: &["collecting"],
        reason: why.to_owned(),
        export,
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
    let outcome = ctx.mixpanel.poll(task_kind(batch.group.kind), &id).await;
    // Nor without an answer.
    if matches!(outcome, PollOutcome::Report(_) | PollOutcome::NoSuchTask)
        && ctx.ledger.count(&batch.name, "stale_links").await? > FRESH_LINKS
    {
        let why =
            "the links to its export do not work: look in Mixpanel; retry asks for a new export";
        return hold(ctx, batch, why, ExportFate::ToLookAt).await;
    }
    match outcome {
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
