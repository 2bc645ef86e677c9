//! Profile updates between the reader and their lane.
//!
//! The lane delivers one chunk after the other, so that a person's operations keep their order. While `/engage` is away
//! it stands still, and events must go on. So the reader never waits for room here: it lets go of a chunk that does not
//! fit, and of all after it, and the lane reads them again from Redis, where they stay until they are settled. What is
//! in memory is bounded: a chunk that waits, and one that is being delivered.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc::{self, error::TryRecvError};

use super::entry::{self, Place, place};
use crate::ledger::EventEntry;

/// The last entry that was let go of, while the lane has not come to it.
type Missed = Arc<Mutex<Option<Place>>>;

fn lock(missed: &Missed) -> MutexGuard<'_, Option<Place>> {
    missed.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Both ends.
pub(super) fn backlog() -> (Offers, Backlog) {
    let (room, chunks) = mpsc::channel(1);
    let missed = Missed::default();
    let lane = Backlog { chunks, missed: Arc::clone(&missed), handed: Place::default() };
    (Offers { room, missed }, lane)
}

/// The reader's end.
pub(super) struct Offers {
    room: mpsc::Sender<Vec<EventEntry>>,
    missed: Missed,
}

impl Offers {
    /// Offers the next profile updates, in the order of the queue. Takes no time.
    pub(super) fn offer(&self, entries: Vec<EventEntry>) {
        let Some(last) = entries.last().map(place) else { return };
        let mut missed = lock(&self.missed);
        if missed.is_some() || self.room.try_send(entries).is_err() {
            *missed = Some(last);
        }
    }
}

/// What the lane does next.
#[derive(Debug)]
pub(super) enum Next {
    /// Deliver these.
    Deliver(Vec<EventEntry>),
    /// Read the unsettled entries after `after` again, then ask [`Backlog::of_page`].
    ReadAgain {
        /// Where to begin, exclusive.
        after: Place,
        /// The last entry that counts: the reader may not have come to those behind it.
        until: Place,
    },
}

/// The lane's end.
pub(super) struct Backlog {
    chunks: mpsc::Receiver<Vec<EventEntry>>,
    missed: Missed,
    /// All profile updates up to here have been handed over.
    handed: Place,
}

impl Backlog {
    /// What is next; waits for it. `None` when the reader has gone.
    pub(super) async fn next(&mut self) -> Option<Next> {
        let chunk = match self.at_once() {
            Some(next) => return Some(next),
            None => self.chunks.recv().await?,
        };
        Some(self.deliver(chunk))
    }

    /// A chunk that waits came before whatever was missed. Under the lock: no offer comes between the two looks.
    fn at_once(&mut self) -> Option<Next> {
        let missed = Arc::clone(&self.missed);
        let missed = lock(&missed);
        match self.chunks.try_recv() {
            Ok(chunk) => Some(self.deliver(chunk)),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => {
                missed.map(|until| Next::ReadAgain { after: self.handed, until })
            }
        }
    }

    fn deliver(&mut self, chunk: Vec<EventEntry>) -> Next {
        self.handed = chunk.last().map_or(self.handed, place);
        Next::Deliver(chunk)
    }

    /// The profile updates of a page that was read as [`Next::ReadAgain`] asked.
    pub(super) fn of_page(&mut self, page: Vec<EventEntry>, until: Place) -> Vec<EventEntry> {
        // Without entries there is nothing unsettled on the way to `until`.
        self.handed = page.last().map_or(until, |last| place(last).min(until));
        let mut missed = lock(&self.missed);
        if missed.is_some_and(|missed| missed <= self.handed) {
            *missed = None;
        }
        let ours = |entry: &EventEntry| entry::is_profile(entry) && place(entry) <= until;
        page.into_iter().filter(ours).collect()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;

    fn entry(ms: u64, field: &str) -> EventEntry {
        EventEntry { id: format!("{ms}-0"), fields: vec![field.into(), b"{}".to_vec()] }
    }

    fn profiles(range: std::ops::RangeInclusive<u64>) -> Vec<EventEntry> {
        range.map(|ms| entry(ms, "profile")).collect()
    }

    fn ids(entries: &[EventEntry]) -> Vec<u64> {
        entries.iter().map(|entry| place(entry).ms).collect()
    }

    /// What a lane does that reads again whenever it has to, from a queue of entries 1 to `end`.
    async fn step(backlog: &mut Backlog, end: u64, page: u64) -> Vec<u64> {
        match backlog.next().await.unwrap() {
            Next::Deliver(chunk) => ids(&chunk),
            Next::ReadAgain { after, until } => {
                let last = end.min(after.ms + page);
                let read = (after.ms + 1..=last).flat_map(|ms| {
                    [
                        entry(ms, "profile"),
                        EventEntry { id: format!("{ms}-5"), ..entry(ms, "event") },
                    ]
                });
                ids(&backlog.of_page(read.collect(), until))
            }
        }
    }

    #[tokio::test]
    async fn what_does_not_fit_is_read_again_once_and_in_order() {
        let (offers, mut backlog) = backlog();
        for chunk in [1..=2, 3..=4, 5..=9] {
            offers.offer(profiles(chunk));
        }
        assert_eq!(step(&mut backlog, 20, 3).await, [1, 2]);
        // Room again, but not before what was let go of.
        offers.offer(profiles(10..=11));
        assert_eq!(step(&mut backlog, 20, 3).await, [3, 4, 5]);
        assert_eq!(step(&mut backlog, 20, 3).await, [6, 7, 8]);
        assert_eq!(
            step(&mut backlog, 20, 9).await,
            [9, 10, 11],
            "not what the reader has not come to"
        );
        offers.offer(profiles(12..=12));
        assert_eq!(step(&mut backlog, 20, 3).await, [12]);
    }

    #[tokio::test]
    async fn what_was_settled_meanwhile_is_not_waited_for() {
        let (offers, mut backlog) = backlog();
        for chunk in [1..=1, 2..=2] {
            offers.offer(profiles(chunk));
        }
        assert_eq!(step(&mut backlog, 2, 9).await, [1]);
        let Some(Next::ReadAgain { until, .. }) = backlog.next().await else { panic!() };
        assert!(backlog.of_page(Vec::new(), until).is_empty());
        offers.offer(profiles(3..=3));
        assert_eq!(step(&mut backlog, 3, 9).await, [3]);
        drop(offers);
        assert!(backlog.next().await.is_none());
    }
}
