//! The store and the ledger, compared both ways: at every start, and daily. What no request has as its archive is
//! removed; what a request should have and does not is told, never forgotten.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
    slice::from_ref,
    sync::Arc,
    time::Duration,
};

use chrono::Utc;
use gdpr_jobs::{RequestId, Status};
use tokio::sync::mpsc;

use super::{Context, StepError};
use crate::{
    archive::{ArchiveStore, Object, StoreError},
    ledger::{ArchiveFact, Job},
};

/// How often the two are compared.
const EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// How soon again when the store did not answer.
const AGAIN: Duration = Duration::from_secs(10 * 60);
/// An object younger than this may be on its way into the ledger.
const GRACE: chrono::Duration = chrono::Duration::hours(1);
/// Objects that are looked up in one round trip.
const PAGE: usize = 500;

const MISSING: &str = "the archive is not in the store, although its time is not over: was it removed by hand, or do the replicas not share their store? A new retrieval makes a new one";
const ORPHAN: &str = "an object in the store that is no request's archive was destroyed";

/// What one comparison found.
#[derive(Clone, Copy, Debug, Default)]
struct Found {
    objects: u64,
    orphans: u64,
    missing: u64,
}

/// Compares, then asks for the next time.
pub(super) async fn reconcile(ctx: &Arc<Context>) -> Result<(), StepError> {
    let next = match both_ways(ctx).await? {
        Ok(found) => {
            let Found { objects, orphans, missing } = found;
            tracing::info!(project = %ctx.project, objects, orphans, missing, "the store was compared with the ledger");
            EVERY
        }
        Err(error) => {
            tracing::warn!(project = %ctx.project, %error, "the store could not be compared with the ledger; tried again");
            AGAIN
        }
    };
    Ok(ctx.ledger.defer(&Job::Reconcile, next).await?)
}

async fn both_ways(ctx: &Arc<Context>) -> Result<Result<Found, StoreError>, StepError> {
    // Millions of archives must fit: of each only a keyed hash is kept.
    let (hasher, mut seen) = (RandomState::new(), HashSet::new());
    let mut found = Found::default();
    let (pages, mut objects) = mpsc::channel::<Vec<Object>>(2);
    let store = Arc::clone(&ctx.store);
    let listing = tokio::task::spawn_blocking(move || {
        let mut page = Vec::new();
        for object in store.list()? {
            page.push(object?);
            if page.len() == PAGE && pages.blocking_send(std::mem::take(&mut page)).is_err() {
                // The other side failed, and says why.
                return Ok(());
            }
        }
        let _ = pages.blocking_send(page);
        Ok::<_, StoreError>(())
    });
    while let Some(page) = objects.recv().await {
        found.objects += page.len() as u64;
        seen.extend(page.iter().map(|object| hasher.hash_one(object.request.as_str())));
        match orphans(ctx, page).await? {
            Ok(removed) => found.orphans += removed,
            Err(error) => return Ok(Err(error)),
        }
    }
    if let Err(error) = listing.await.map_err(|_| StepError::Lost)? {
        return Ok(Err(error));
    }
    let mut after = 0;
    loop {
        let (next, page) = ctx.ledger.archives(after).await?;
        let unseen =
            page.into_iter().filter(|id| !seen.contains(&hasher.hash_one(id.as_str()))).collect();
        match missing(ctx, unseen).await? {
            Ok(told) => found.missing += told,
            Err(error) => return Ok(Err(error)),
        }
        after = next;
        if after == 0 {
            return Ok(Ok(found));
        }
    }
}

/// Removes what is no request's archive. Returns how many that were.
async fn orphans(
    ctx: &Arc<Context>,
    page: Vec<Object>,
) -> Result<Result<u64, StoreError>, StepError> {
    let requests: Vec<RequestId> = page.iter().map(|object| object.request.clone()).collect();
    let facts = ctx.ledger.archive_facts(&requests).await?;
    let mut removed = 0;
    for (object, fact) in page.into_iter().zip(facts) {
        let orphan =
            |fact: &ArchiveFact| is_orphan(&ctx.store, &object, fact, ctx.config.archive_retention);
        // Looked up again: a held request may have been packaged after the page was.
        if !orphan(&fact)
            || !ctx.ledger.archive_facts(from_ref(&object.request)).await?.iter().all(orphan)
        {
            continue;
        }
        let (store, location) = (Arc::clone(&ctx.store), object.location);
        let gone = tokio::task::spawn_blocking(move || store.remove(&location)).await;
        match gone.map_err(|_| StepError::Lost)? {
            Ok(true) => {
                ctx.ledger.note(&object.request, ORPHAN).await?;
                tracing::warn!(project = %ctx.project, request = %object.request, "{ORPHAN}");
                removed += 1;
            }
            Ok(false) => {}
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(removed))
}

/// An object of which the ledger knows nothing is destroyed only when its time would be over: it may be another
/// Redis that is at fault. Nor is one an orphan whose request has its archive in another store: that may be this very
/// one under another name, as when a folder is mounted elsewhere.
fn is_orphan(
    store: &ArchiveStore,
    object: &Object,
    fact: &ArchiveFact,
    retention: Duration,
) -> bool {
    let age = Utc::now() - object.modified;
    let is_it = |location: &String| *location == object.location || !store.is_ours(location);
    match fact.status {
        None => age.to_std().is_ok_and(|age| age > retention),
        Some(Status::Packaging) => false,
        Some(Status::Completed) if fact.location.as_ref().is_some_and(is_it) => false,
        Some(_) => age > GRACE,
    }
}

/// Tells of archives that are not in the store. Returns how many of them are news.
async fn missing(
    ctx: &Arc<Context>,
    unseen: Vec<RequestId>,
) -> Result<Result<u64, StoreError>, StepError> {
    let facts = ctx.ledger.archive_facts(&unseen).await?;
    let mut told = 0;
    for (request, fact) in unseen.into_iter().zip(facts) {
        let (Some(Status::Completed), Some(location)) = (fact.status, fact.location) else {
            continue;
        };
        // It may have come while the store was being listed.
        let store = Arc::clone(&ctx.store);
        let there = tokio::task::spawn_blocking(move || store.holds(&location)).await;
        match there.map_err(|_| StepError::Lost)? {
            // `Elsewhere`: in a store of before the setting was changed; nothing is known of it.
            Ok(true) | Err(StoreError::Elsewhere) => {}
            Ok(false) => {
                if ctx.ledger.archive_missing(&request, MISSING).await? {
                    tracing::error!(project = %ctx.project, %request, "{MISSING}");
                    told += 1;
                }
            }
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(told))
}
