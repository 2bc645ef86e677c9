//! Destroying an archive at the end of its retention.

use std::{sync::Arc, time::Duration};

use gdpr_jobs::{RequestId, Status};

use super::{Context, StepError};
use crate::{
    archive::{ArchiveStore, Form, StoreError},
    failpoint,
    ledger::Job,
};

/// How soon a removal that failed is tried again.
const AGAIN: Duration = Duration::from_secs(60);

/// Archives are destroyed by whichever replica comes first, so they must all see the same store.
const NOT_THERE: &str = "the archive was not in the store when it was to be destroyed: was it removed by hand, did a worker die between destroying and recording, or do the replicas not share their store?";

/// Removes the archive of a request, then says so.
pub(super) async fn expire(ctx: &Arc<Context>, request: RequestId) -> Result<(), StepError> {
    if ctx.ledger.status(&request).await? != Some(Status::Completed) {
        return Ok(());
    }
    failpoint::reached("expire.due");
    let hash = ctx.ledger.request(&request).await?;
    let Some(location) = hash.get("archive").cloned() else { return Ok(()) };
    let (store, id) = (Arc::clone(&ctx.store), request.clone());
    let removed = tokio::task::spawn_blocking(move || remove(&store, &id, &location)).await;
    match removed.map_err(|_| StepError::Lost)? {
        Ok(there) => {
            failpoint::reached("expire.removed");
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

/// Removes the archive. One that was stored under another name of the store is found by its request: a store is one
/// project's, and its archives are called after their requests.
fn remove(store: &ArchiveStore, request: &RequestId, location: &str) -> Result<bool, StoreError> {
    match store.remove(location) {
        Err(StoreError::Elsewhere) => {
            let mut removed = false;
            for form in [Form::Zip, Form::Age] {
                removed |= store.remove(&store.location(request, form))?;
            }
            // Else nothing is known of it: it may still be where it was.
            if removed { Ok(true) } else { Err(StoreError::Elsewhere) }
        }
        removed => removed,
    }
}
