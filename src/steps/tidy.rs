//! The spool of this replica, kept clean: no export or quarantine stays longer than somebody may need it. Each replica
//! looks after its own folder, because nobody else may see it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{Context, StepError};
use crate::archive::{Kept, KeptKind};

/// How often a replica looks through its spool.
pub const TIDY_EVERY: Duration = Duration::from_secs(600);

/// Removes from the spool what a crash left behind and what nobody needs any more. An age beyond the retention of
/// archives is the end in any case.
pub async fn tidy(ctx: &Arc<Context>) -> Result<(), StepError> {
    let spool = Arc::clone(&ctx.spool);
    let looked = tokio::task::spawn_blocking(move || {
        spool.clear_stale()?;
        spool.kept()
    });
    let kept = match looked.await.map_err(|_| StepError::Lost)? {
        Ok(kept) => kept,
        Err(error) => {
            tracing::warn!(project = %ctx.project, %error, "the spool folder could not be looked through");
            return Ok(());
        }
    };
    let mut by_batch: BTreeMap<String, Vec<Kept>> = BTreeMap::new();
    for file in kept.into_iter().filter(|file| file.project == ctx.project.as_str()) {
        by_batch.entry(file.batch.clone()).or_default().push(file);
    }
    for (batch, files) in by_batch {
        let needs = ctx.ledger.spool_needs(&batch).await?;
        for file in files {
            let needed = match file.kind {
                KeptKind::Export => needs.export,
                KeptKind::Quarantine => needs.quarantine,
            };
            if !needed || file.age > ctx.config.archive_retention {
                remove(ctx, file).await?;
            }
        }
    }
    Ok(())
}

async fn remove(ctx: &Arc<Context>, file: Kept) -> Result<(), StepError> {
    let (batch, kind, bytes) = (file.batch.clone(), file.kind, file.bytes);
    let spool = Arc::clone(&ctx.spool);
    match tokio::task::spawn_blocking(move || spool.destroy(&file)).await {
        Ok(Ok(_)) => {
            tracing::info!(project = %ctx.project, batch, ?kind, bytes, "a file of the spool was destroyed");
        }
        Ok(Err(error)) => {
            tracing::warn!(project = %ctx.project, batch, ?kind, %error, "a file of the spool could not be destroyed; tried again");
        }
        Err(_) => return Err(StepError::Lost),
    }
    Ok(())
}
