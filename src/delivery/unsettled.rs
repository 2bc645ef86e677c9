//! Which events have been read and are not settled yet.
//!
//! Events and profile updates travel on lanes of their own, so one may overtake the other. The deletion of a profile
//! for lack of events must not: an event that stood before it in the queue may be the one that keeps the profile.

use tokio::sync::watch;

use super::entry::Place;

/// For each chunk of events under way, where its first entry stands.
#[derive(Default)]
pub(super) struct Unsettled(watch::Sender<Vec<Place>>);

impl Unsettled {
    /// Notes a chunk of events, before anything that stands behind it is handed on.
    pub(super) fn enter(&self, first: Place) {
        self.0.send_modify(|chunks| chunks.push(first));
    }

    /// Strikes a chunk off, once all of it is settled. One that broke off stays: it is read again by the next reader.
    pub(super) fn leave(&self, first: Place) {
        self.0.send_modify(|chunks| {
            if let Some(found) = chunks.iter().position(|chunk| *chunk == first) {
                chunks.swap_remove(found);
            }
        });
    }

    /// Whether an event before `place` may be under way still.
    pub(super) fn any_before(&self, place: Place) -> bool {
        self.0.borrow().iter().any(|first| *first < place)
    }

    /// Waits until none is. The chunk that begins at `place` itself does not count.
    pub(super) async fn none_before(&self, place: Place) {
        let mut chunks = self.0.subscribe();
        // The sender is ours: this cannot end before its time.
        let _ = chunks.wait_for(|chunks| chunks.iter().all(|first| *first >= place)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ms: u64) -> Place {
        Place { ms, seq: 0 }
    }

    #[tokio::test]
    async fn a_place_is_clear_when_all_chunks_before_it_are_settled() {
        let unsettled = Unsettled::default();
        for ms in [10, 20, 30] {
            unsettled.enter(at(ms));
        }
        assert!(unsettled.any_before(at(25)) && !unsettled.any_before(at(5)));
        unsettled.leave(at(20));
        assert!(unsettled.any_before(at(25)));
        let waiting = unsettled.none_before(at(25));
        let settling = async { unsettled.leave(at(10)) };
        tokio::join!(waiting, settling);
        assert!(!unsettled.any_before(at(25)) && unsettled.any_before(at(35)));
        unsettled.none_before(at(30)).await;
    }
}
