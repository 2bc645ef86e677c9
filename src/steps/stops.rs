//! Answers that are about the project, not about a task: credentials refused, too much asked, nobody there.
//! Whatever call meets them, the same thing happens, and it happens here.

use std::time::Duration;

use gdpr_jobs::Kind;

use super::{Context, StepError, schedule::jitter};
use crate::{
    ledger::Job,
    mixpanel::{Booking, Class, Denied, PauseReason, Refusal, Scope, Throttle, Turn, Why},
};

/// While credentials are refused, or Redis forgets, it is looked this often whether that is repaired.
const LOOK_FOR_REPAIR_EVERY: Duration = Duration::from_secs(5);

/// Gets a turn to call, or defers `job` to when there may be one.
pub(super) async fn turn_or_defer(
    ctx: &Context,
    class: Class,
    job: &Job,
) -> Result<Option<Turn>, StepError> {
    if is_volatile(ctx, job).await? {
        return Ok(None);
    }
    or_defer(ctx, ctx.pace.acquire(class).await?, job).await
}

/// Books a turn to submit, or defers `job` to when there may be one.
pub(super) async fn booking_or_defer(
    ctx: &Context,
    job: &Job,
) -> Result<Option<Booking>, StepError> {
    if is_volatile(ctx, job).await? {
        return Ok(None);
    }
    or_defer(ctx, ctx.pace.book(Class::Submit).await?, job).await
}

/// While Redis forgets what it is told, nobody could know of a call later: `job` is deferred.
async fn is_volatile(ctx: &Context, job: &Job) -> Result<bool, StepError> {
    let found = ctx.ledger.volatile().await?.is_some();
    if found {
        ctx.ledger.defer(job, LOOK_FOR_REPAIR_EVERY).await?;
    }
    Ok(found)
}

async fn or_defer<T>(
    ctx: &Context,
    granted: Result<T, Denied>,
    job: &Job,
) -> Result<Option<T>, StepError> {
    match granted {
        Ok(granted) => Ok(Some(granted)),
        Err(denied) => {
            ctx.ledger.defer(job, until_next_try(ctx, denied).await?).await?;
            Ok(None)
        }
    }
}

async fn until_next_try(ctx: &Context, denied: Denied) -> Result<Duration, StepError> {
    if denied.why != Why::Credentials {
        return Ok(denied.retry_in);
    }
    if ctx.reread_oauth_token() {
        tracing::info!(project = %ctx.project, "another OAuth token was found in its file; calling again");
        ctx.pace.clear_credentials().await?;
        return Ok(Duration::ZERO);
    }
    Ok(denied.retry_in.min(LOOK_FOR_REPAIR_EVERY))
}

/// Mixpanel answered a call as to someone who may call: a stop for bad credentials is over.
pub(super) async fn credentials_work(ctx: &Context, turn: Turn) -> Result<(), StepError> {
    if turn.half_open {
        tracing::info!(project = %ctx.project, "Mixpanel takes the credentials again");
        ctx.pace.clear_credentials().await?;
    }
    Ok(())
}

/// Which call was refused.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// The making of a task: the only call that needs room among the outstanding scans.
    Create,
    /// A poll or a cancellation.
    Other,
}

/// Stops what a refusal is about, for as long as it asks. Returns how long to wait, and the reason for people to
/// read. `None`: the refusal is about the batch.
pub(super) async fn stop(
    ctx: &Context,
    kind: Kind,
    call: Refused,
    refusal: &Refusal,
) -> Result<Option<(Duration, String)>, StepError> {
    match refusal {
        Refusal::Credentials { status } => credentials(ctx, *status).await.map(Some),
        Refusal::Throttled { limit, retry_after } => {
            throttled(ctx, kind, call, *limit, *retry_after).await.map(Some)
        }
        Refusal::Unreachable => {
            let wait = grow(ctx, kind, ctx.config.request_interval * 2, None).await?;
            ctx.pace.pause(Scope::All, wait, PauseReason::Unreachable).await?;
            tracing::warn!(project = %ctx.project, wait_s = wait.as_secs(), "Mixpanel cannot be reached");
            Ok(Some((wait, "Mixpanel cannot be reached; tried again by itself".to_owned())))
        }
        Refusal::Misdirected { status } => {
            let wait = grow(ctx, kind, ctx.config.backoff_min, None).await?;
            ctx.pace.pause(Scope::All, wait, PauseReason::Misdirected).await?;
            tracing::error!(project = %ctx.project, status, "this is not Mixpanel's GDPR API: check MIXPANEL_API_URL and MIXPANEL_REGION");
            let reason = format!(
                "the API address answered with HTTP {status}: check MIXPANEL_API_URL and MIXPANEL_REGION"
            );
            Ok(Some((wait, reason)))
        }
        Refusal::Withheld | Refusal::Invalid { .. } | Refusal::TooLarge => Ok(None),
    }
}

async fn credentials(ctx: &Context, status: u16) -> Result<(Duration, String), StepError> {
    let probe_every = ctx.config.backoff_min * 5;
    ctx.pace.pause_credentials(&ctx.oauth_fingerprint(), status, probe_every).await?;
    tracing::error!(project = %ctx.project, status, "Mixpanel refuses the credentials: calls are stopped; renew MIXPANEL_OAUTH_TOKEN, then restart or run check");
    let reason = format!(
        "Mixpanel refuses the credentials (HTTP {status}): renew MIXPANEL_OAUTH_TOKEN; nothing is lost"
    );
    Ok((Duration::ZERO, reason))
}

async fn throttled(
    ctx: &Context,
    kind: Kind,
    call: Refused,
    limit: Throttle,
    retry_after: Option<Duration>,
) -> Result<(Duration, String), StepError> {
    let scans = match limit {
        Throttle::Scans => true,
        Throttle::Pace => false,
        // Only retrievals fill the scan allowance for long.
        Throttle::Unspecified => kind == Kind::Retrieval && call == Refused::Create,
    };
    let least = if scans { ctx.config.backoff_min } else { ctx.config.request_interval * 2 };
    let wait = grow(ctx, kind, least, retry_after).await?;
    if !scans {
        ctx.pace.pause(Scope::All, wait, PauseReason::Throttled).await?;
    }
    tracing::warn!(project = %ctx.project, %kind, wait_s = wait.as_secs(), scans, "Mixpanel asks to wait (429)");
    let what = if scans { "too much is outstanding" } else { "too many calls" };
    Ok((wait, format!("Mixpanel asks to wait (429, {what}); sent again by itself")))
}

async fn grow(
    ctx: &Context,
    kind: Kind,
    least: Duration,
    asked: Option<Duration>,
) -> Result<Duration, StepError> {
    let spread = jitter() / 4.0;
    Ok(ctx.ledger.hold_back(kind, least, ctx.config.backoff_max, asked, spread).await?)
}
