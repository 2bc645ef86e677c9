//! One batch of entries, until all of it is settled: parcel after parcel, as often as it takes.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{
    Deliverer,
    attempt::Lane,
    entry,
    settlement::Books,
    sorting::{Group, groups, sort},
    unsettled::Unsettled,
};
use crate::{
    consent::RecordKind,
    ledger::{EventEntry, LedgerError, ParcelEnd},
};

/// The time in which this process is the reader.
#[derive(Clone)]
pub(super) struct Tenure {
    pub(super) token: Arc<str>,
    /// Cancelled when it is over, or the process is told to stop.
    pub(super) over: CancellationToken,
    /// The events that are under way.
    pub(super) unsettled: Arc<Unsettled>,
}

/// Entries of one kind, in the order of the queue.
#[derive(Clone, Copy)]
pub(super) struct Chunk<'a> {
    pub(super) entries: &'a [EventEntry],
    /// Whether no entry of another kind stood between them.
    pub(super) in_a_row: bool,
}

/// What an attempt told of Mixpanel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Nothing about the records.
    Nothing,
    /// It takes them, or says which ones it does not.
    Taken,
    /// It refused a record that was alone.
    Refused,
}

/// What an attempt left to do.
pub(super) enum Next {
    /// These groups, one after the other, after a wait; none when all is settled.
    Again { groups: Vec<Group>, wait: Duration, heard: Heard },
    /// Somebody else reads now.
    Gone,
}

impl Next {
    pub(super) const fn settled(heard: Heard) -> Self {
        Self::Again { groups: Vec::new(), wait: Duration::ZERO, heard }
    }

    pub(super) const fn again(groups: Vec<Group>, wait: Duration) -> Self {
        Self::Again { groups, wait, heard: Heard::Nothing }
    }

    pub(super) fn halves(mut first: Group) -> Self {
        let second = first.split_off(first.len().div_ceil(2));
        Self::again(vec![first, second], Duration::ZERO)
    }
}

/// Delivers entries of one kind. Whether all is settled; what is not when the tenure is over is read again by the next
/// reader.
pub(super) async fn deliver(
    deliverer: &Deliverer,
    tenure: &Tenure,
    kind: RecordKind,
    chunk: Chunk<'_>,
) -> Result<bool, LedgerError> {
    let entries = chunk.entries;
    let contents: Vec<_> = entries.iter().map(|entry| entry::content(deliverer, entry)).collect();
    let sorted = sort(deliverer, kind, entries, &contents);
    let items = sorted.items;
    let mut books = Books::new(chunk, sorted.counts, kind);
    let opening =
        ParcelEnd { done: books.empty(), refused: sorted.unreadable, ..ParcelEnd::default() };
    if !opening.done.is_empty() || !opening.refused.is_empty() {
        deliverer.ledger.settle_wire("", &opening).await?;
    }
    let lane = Lane { deliverer, tenure, kind, items: &items };
    for group in groups(items.iter().map(|item| item.raw.len())) {
        if !settled(&lane, group, &mut books).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Delivers a parcel's worth, whole or in parts. Whether all of it is settled.
async fn settled(
    lane: &Lane<'_, '_>,
    group: Group,
    books: &mut Books<'_>,
) -> Result<bool, LedgerError> {
    let over = &lane.tenure.over;
    let (mut stack, mut taken, mut refused) = (vec![group], false, false);
    while let Some(group) = stack.pop() {
        let (group, later) = tokio::select! {
            parts = lane.next_part(group) => parts,
            () = over.cancelled() => return Ok(false),
        };
        stack.extend(later);
        if over.is_cancelled() {
            return Ok(false);
        }
        match lane.attempt(group, books).await? {
            Next::Gone => {
                over.cancel();
                return Ok(false);
            }
            Next::Again { groups, wait, heard } => {
                taken |= heard == Heard::Taken;
                refused |= heard == Heard::Refused;
                stack.extend(groups.into_iter().rev());
                if wait.is_zero() {
                    continue;
                }
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = over.cancelled() => return Ok(false),
                }
            }
        }
    }
    if refused && !taken {
        lane.refused_all();
    }
    Ok(true)
}
