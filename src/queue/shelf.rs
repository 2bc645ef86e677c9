//! The deliveries that wait for a handler, between the fetcher and the worker.
//!
//! The shelf is what makes prefetch bounded: the fetcher may read only as many deliveries as there
//! is room for. Room is `prefetch` places plus one while the worker is asking and gets nothing, so
//! that a prefetch of 0 means "read only what a handler is free to take at once".

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use tokio::sync::Notify;

/// Waiting deliveries (or anything else).
#[derive(Debug)]
pub(super) struct Shelf<D> {
    state: Mutex<State<D>>,
    prefetch: usize,
    changed: Notify,
}

#[derive(Debug)]
struct State<D> {
    waiting: VecDeque<D>,
    /// Set while the worker asks and there is nothing.
    asking: Option<Waker>,
    closed: bool,
}

impl<D> Shelf<D> {
    pub(super) fn new(prefetch: usize) -> Self {
        let state = State { waiting: VecDeque::new(), asking: None, closed: false };
        Self { state: Mutex::new(state), prefetch, changed: Notify::new() }
    }

    /// Waits until there is room; says for how many. `None` once closed.
    pub(super) async fn room(&self) -> Option<usize> {
        loop {
            let changed = self.changed.notified();
            match self.room_now() {
                Some(0) => changed.await,
                room => return room,
            }
        }
    }

    fn room_now(&self) -> Option<usize> {
        let state = self.state();
        let places = self.prefetch + usize::from(state.asking.is_some());
        (!state.closed).then(|| places.saturating_sub(state.waiting.len()))
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state().closed
    }

    /// Waits for [`close`](Self::close). The one reader of the shelf may wait for this or for
    /// room, not for both at once.
    pub(super) async fn closed(&self) {
        while !self.is_closed() {
            self.changed.notified().await;
        }
    }

    /// Puts a delivery on the shelf; a closed shelf drops it, which hands its entries back.
    pub(super) fn put(&self, delivery: D) {
        let mut state = self.state();
        if state.closed {
            drop(state);
            drop(delivery);
            return;
        }
        state.waiting.push_back(delivery);
        if let Some(waker) = state.asking.take() {
            waker.wake();
        }
    }

    /// The worker's side: the next delivery, or `None` once closed.
    pub(super) fn poll_take(&self, cx: &Context<'_>) -> Poll<Option<D>> {
        let mut state = self.state();
        let taken = state.waiting.pop_front();
        let answer = match (taken, state.closed) {
            (Some(delivery), _) => Poll::Ready(Some(delivery)),
            (None, true) => Poll::Ready(None),
            (None, false) => {
                state.asking = Some(cx.waker().clone());
                Poll::Pending
            }
        };
        drop(state);
        self.changed.notify_one();
        answer
    }

    /// Takes nothing more and drops what waits.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        let dropped = std::mem::take(&mut state.waiting);
        let asking = state.asking.take();
        drop(state);
        drop(dropped);
        self.changed.notify_one();
        if let Some(waker) = asking {
            waker.wake();
        }
    }

    fn state(&self) -> MutexGuard<'_, State<D>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(shelf: &Shelf<u8>) -> Poll<Option<u8>> {
        shelf.poll_take(&Context::from_waker(Waker::noop()))
    }

    #[test]
    fn room_is_the_prefetch_plus_one_while_the_worker_asks() {
        let shelf = Shelf::new(1);
        assert_eq!(shelf.room_now(), Some(1));
        assert_eq!(take(&shelf), Poll::Pending);
        assert_eq!(shelf.room_now(), Some(2));
        shelf.put(1);
        assert_eq!(shelf.room_now(), Some(0), "the answer to the question is on its way");
        assert_eq!(take(&shelf), Poll::Ready(Some(1)));
        assert_eq!(shelf.room_now(), Some(1));
    }

    #[test]
    fn without_prefetch_there_is_room_only_on_demand() {
        let shelf = Shelf::<u8>::new(0);
        assert_eq!(shelf.room_now(), Some(0));
        assert_eq!(take(&shelf), Poll::Pending);
        assert_eq!(shelf.room_now(), Some(1));
    }

    #[test]
    fn a_closed_shelf_is_empty_and_takes_nothing() {
        let shelf = Shelf::new(2);
        shelf.put(1);
        shelf.close();
        shelf.put(2);
        assert_eq!(take(&shelf), Poll::Ready(None));
        assert_eq!(shelf.room_now(), None);
    }
}
