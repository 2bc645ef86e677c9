//! Events of people who opted out go from the queue, too, and do not wait there until it is their turn.
//!
//! The delivery would drop them anyway; this is for a queue that stands still. An entry goes when nothing in it may be
//! delivered. An array that holds others' records as well stays until it is read: only then is it taken apart.

use gdpr_jobs::Tag;

use super::{
    Deliverer,
    entry::{self, Content},
    parcel::{Item, everybody, known_of, may_leave},
};
use crate::{
    consent::records,
    ledger::{EventEntry, LedgerError},
};

/// Entries in one look: each may be large.
const PAGE: usize = 8;

/// Looks through the queue and what was set aside, once. Returns how many entries went.
pub async fn purge(deliverer: &Deliverer) -> Result<u64, LedgerError> {
    Ok(purge_queue(deliverer).await? + purge_refused(deliverer).await?)
}

/// What was set aside goes as well: nobody may put it back.
async fn purge_refused(deliverer: &Deliverer) -> Result<u64, LedgerError> {
    let (mut after, mut gone) = (None, 0);
    loop {
        let page = deliverer.ledger.refused_events(after).await?;
        let Some((last, _)) = page.last() else { return Ok(gone) };
        after = Some(*last);
        for (entry, event) in &page {
            let Some(event) = event else { continue };
            let enqueued = event.source.split('-').next().and_then(|ms| ms.parse().ok());
            let enqueued = enqueued.unwrap_or(0);
            let people = deliverer.ledger.standings(event.tags.iter().map(String::as_str)).await?;
            if people.iter().any(|person| person.forbids(enqueued)) {
                gone += u64::from(deliverer.ledger.drop_refused_event(*entry).await?);
            }
        }
    }
}

async fn purge_queue(deliverer: &Deliverer) -> Result<u64, LedgerError> {
    let (mut after, mut gone) = (String::from("0"), 0);
    loop {
        let page = deliverer.ledger.look_at_events(&after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(gone) };
        after.clone_from(&last.id);
        let mut dead = Vec::new();
        for entry in &page {
            if is_hopeless(deliverer, entry).await? {
                dead.push(entry.id.clone());
            }
        }
        if !dead.is_empty() {
            gone += deliverer.ledger.drop_events(&dead).await?;
        }
    }
}

/// Whether nothing in an entry may be delivered. What cannot be read is left to the delivery, to say what is wrong.
async fn is_hopeless(deliverer: &Deliverer, entry: &EventEntry) -> Result<bool, LedgerError> {
    let content = entry::content(deliverer, entry);
    let Some(items) = readable(deliverer, entry, &content).filter(|items| !items.is_empty()) else {
        return Ok(false);
    };
    let people = everybody(items.iter());
    let standings = deliverer.ledger.standings(people.iter().map(Tag::as_str)).await?;
    let known = known_of(&people, standings);
    Ok(items.iter().all(|item| !may_leave(deliverer, item, &known)))
}

/// The records of an entry, if all of them can be read.
fn readable<'a>(
    deliverer: &Deliverer,
    entry: &'a EventEntry,
    content: &'a Content<'_>,
) -> Option<Vec<Item<'a>>> {
    let Content::Records(kind, json) = content else { return None };
    let numbered = records(json).ok()?.into_iter().enumerate();
    numbered.map(|record| Item::read(deliverer, (0, entry), *kind, record).ok()).collect()
}
