//! Destroying an archive at the end of its retention.

use std::{sync::Arc, time::Duration};

use gdpr_jobs::{RequestId, Status};

use super::{Context, StepError};
use crate::ledger::Job;

/// How soon a removal that failed is tried again.
const AGAIN: Duration = Duration::from_secs(60);

/// Archives are destroyed by whichever replica comes first, so they must all see the same folder.
const NOT_THERE: &str = "the archive was not in the folder when it was to be destroyed: was it removed by hand, or do the replicas not share their archive folder?";

/// Removes the archive of a request, then says so.
pub(super) async fn expire(ctx: &Arc<Context>, request: RequestId) -> Result<(), StepError> {
    if ctx.ledger.status(&request).await? != Some(Status::Completed) {
        return Ok(());
    }
    let hash = ctx.ledger.request(&request).await?;
    let Some(location) = hash.get("archive").cloned() else { return Ok(()) };
    let store = Arc::clone(&ctx.store);
    let removed = tokio::task::spawn_blocking(move || store.remove(&location)).await;
    match removed.map_err(|_| StepError::Lost)? {
        Ok(there) => {
            let note = if there { "" } else { NOT_THERE };
            ctx.ledger.expire(&request, note).await?;
            if there {
                tracing::info!(project = %ctx.project, request = %request, "the archive was destroyed");
            } else {
                tracing::error!(project = %ctx.project, request = %request, "{NOT_THERE}");
            }
            Ok(())
        }
        Err(error) => {
            tracing::error!(project = %ctx.project, request = %request, %error, "the archive could not be destroyed; tried again");
            Ok(ctx.ledger.defer(&Job::Expire(request), AGAIN).await?)
        }
    }
}
