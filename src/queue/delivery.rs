//! What a handler receives, and the hold that keeps its entries ours until the handler has ended.
//!
//! Invariant: every entry that this process fetched is in [`Live`] until Redis has confirmed its
//! acknowledgement, release or burial. A [`Hold`] reports exactly one [`Verdict`] for its entries,
//! also when the handler panics or its future is dropped.

use std::{
    collections::HashSet,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
};

use tokio::sync::mpsc::UnboundedSender;

use super::entry::{EntryId, Fields, Undecodable};

/// One decoded stream entry.
#[derive(Debug)]
pub struct Entry<T> {
    /// The id that XADD returned to the producer.
    pub id: EntryId,
    /// How often the entry has been handed out, this time included; 1 is the first time.
    pub deliveries: u64,
    /// What was decoded from its fields.
    pub job: T,
}

/// The work of one handler call: between 1 and `chunk` entries, oldest first.
///
/// Entries that were delivered before travel alone, so that one bad entry cannot spoil a chunk
/// again and again.
pub struct Delivery<T> {
    entries: Vec<Entry<T>>,
    hold: Arc<Hold>,
}

impl<T> Delivery<T> {
    pub(super) fn new(entries: Vec<Entry<T>>, verdicts: UnboundedSender<Verdict>) -> Self {
        let held = entries.iter().map(Held::of).collect();
        Self { entries, hold: Arc::new(Hold { held, verdicts, stage: AtomicU8::new(WAITING) }) }
    }

    /// The entries.
    pub fn entries(&self) -> &[Entry<T>] {
        &self.entries
    }

    /// Takes the entries out. They stay held until the handler has ended, or until the worker
    /// drops it; a handler that goes on detached from its worker should keep the delivery.
    pub fn into_entries(self) -> Vec<Entry<T>> {
        self.entries
    }

    pub(super) fn hold(&self) -> Arc<Hold> {
        Arc::clone(&self.hold)
    }
}

impl<T> fmt::Debug for Delivery<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids = self.entries.iter().map(|entry| entry.id);
        f.write_str("Delivery")?;
        f.debug_list().entries(ids).finish()
    }
}

/// An entry that a hold answers for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) id: EntryId,
    pub(super) deliveries: u64,
}

impl Held {
    fn of<T>(entry: &Entry<T>) -> Self {
        Self { id: entry.id, deliveries: entry.deliveries }
    }
}

/// What became of entries, told to the keeper.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Handled: acknowledge and delete.
    Done(Vec<Held>),
    /// Error, panic or a dropped handler: deliver again after a pause.
    Failed(Vec<Held>),
    /// No handler ever saw them: hand back at once, as if never delivered.
    Unstarted(Vec<Held>),
    /// Never to be delivered again: to the dead stream.
    Dead(Held, Fields, Cause),
}

/// Why an entry goes to the dead stream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Cause {
    #[error(transparent)]
    Undecodable(#[from] Undecodable),
    #[error("delivered {0} times without an end")]
    Overdelivered(u64),
}

const WAITING: u8 = 0;
const RUNNING: u8 = 1;
const ENDED: u8 = 2;

/// Keeps a delivery's entries ours; reports once what became of them.
#[derive(Debug)]
pub(super) struct Hold {
    held: Vec<Held>,
    verdicts: UnboundedSender<Verdict>,
    stage: AtomicU8,
}

impl Hold {
    /// A handler begins.
    pub(super) fn start(&self) {
        self.stage.store(RUNNING, Ordering::Relaxed);
    }

    /// The handler returned: `Ok` when `success`.
    pub(super) fn end(&self, success: bool) {
        if self.stage.swap(ENDED, Ordering::Relaxed) != ENDED {
            let held = self.held.clone();
            self.report(if success { Verdict::Done(held) } else { Verdict::Failed(held) });
        }
    }

    /// The keeper outlives every hold; without it there is nothing left to tell.
    fn report(&self, verdict: Verdict) {
        let _ = self.verdicts.send(verdict);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let held = std::mem::take(&mut self.held);
        match *self.stage.get_mut() {
            WAITING => self.report(Verdict::Unstarted(held)),
            RUNNING => self.report(Verdict::Failed(held)),
            _ => {}
        }
    }
}

/// The entries of this process that Redis must not give to anybody else.
#[derive(Debug, Default)]
pub(super) struct Live(Mutex<HashSet<EntryId>>);

impl Live {
    pub(super) fn insert(&self, ids: impl IntoIterator<Item = EntryId>) {
        self.ids().extend(ids);
    }

    pub(super) fn remove(&self, ids: impl IntoIterator<Item = EntryId>) {
        let mut live = self.ids();
        for id in ids {
            live.remove(&id);
        }
    }

    /// Drops from `candidates` what is ours.
    pub(super) fn exclude<C>(&self, candidates: &mut Vec<C>, id: impl Fn(&C) -> EntryId) {
        let live = self.ids();
        candidates.retain(|candidate| !live.contains(&id(candidate)));
    }

    pub(super) fn snapshot(&self) -> Vec<EntryId> {
        self.ids().iter().copied().collect()
    }

    fn ids(&self) -> MutexGuard<'_, HashSet<EntryId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    use super::*;

    fn delivery() -> (Delivery<u8>, UnboundedReceiver<Verdict>) {
        let (verdicts, told) = unbounded_channel();
        let entry = Entry { id: "1-1".parse().unwrap(), deliveries: 1, job: 7 };
        (Delivery::new(vec![entry], verdicts), told)
    }

    #[test]
    fn a_delivery_dropped_before_its_handler_began_is_unstarted() {
        let (delivery, mut told) = delivery();
        drop(delivery);
        assert!(matches!(told.try_recv(), Ok(Verdict::Unstarted(held)) if held.len() == 1));
    }

    #[test]
    fn a_handler_that_is_dropped_midway_counts_as_failed() {
        let (delivery, mut told) = delivery();
        delivery.hold().start();
        drop(delivery.into_entries());
        assert!(matches!(told.try_recv(), Ok(Verdict::Failed(_))));
    }

    #[test]
    fn the_end_of_a_handler_is_reported_once() {
        let (delivery, mut told) = delivery();
        let hold = delivery.hold();
        hold.start();
        hold.end(true);
        hold.end(false);
        drop((hold, delivery));
        assert!(matches!(told.try_recv(), Ok(Verdict::Done(_))));
        assert!(told.try_recv().is_err());
    }

    #[test]
    fn what_is_live_is_excluded_from_candidates() {
        let ours: EntryId = "1-1".parse().unwrap();
        let other: EntryId = "1-2".parse().unwrap();
        let live = Live::default();
        live.insert([ours]);
        let mut candidates = vec![ours, other];
        live.exclude(&mut candidates, |id| *id);
        assert_eq!(candidates, [other]);
        live.remove([ours]);
        assert_eq!(live.snapshot(), []);
    }
}
