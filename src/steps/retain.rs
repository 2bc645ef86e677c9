//! Profiles of people without an event for long: their deletion is put on the queue, so many a day.

use std::time::Duration;

use super::{Context, StepError};
use crate::ledger::Job;

/// How often to look.
const LOOK_EVERY: Duration = Duration::from_secs(3600);
/// How soon to go on when there are more than one call takes.
const GO_ON: Duration = Duration::from_secs(1);

/// Asks for the deletions that are due, and comes back.
pub(super) async fn retain(ctx: &Context) -> Result<(), StepError> {
    let Some(retention) = ctx.config.privacy.profile_retention else { return Ok(()) };
    let most = ctx.config.privacy.profile_deletions_per_day;
    let done = ctx.ledger.retain(retention, most).await?;
    if done.asked > 0 || done.left > 0 {
        tracing::info!(project = %ctx.project, asked = done.asked, left = done.left, today = done.today, most, "profiles without events");
    }
    let more = done.left > 0 && done.today < most as u64;
    let again = if more { GO_ON } else { LOOK_EVERY };
    Ok(ctx.ledger.defer(&Job::Retain, again).await?)
}
