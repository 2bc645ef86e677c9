//! What the queue counts about itself.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// The count so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, more: usize) {
        self.0.fetch_add(more as u64, Ordering::Relaxed);
    }
}

/// Counts of one [`StreamQueue`](super::StreamQueue) since it was opened; all count entries, but
/// `reconnects`.
#[derive(Debug, Default)]
pub struct QueueMetrics {
    /// Read from the stream, first deliveries and later ones.
    pub fetched: Counter,
    /// Handled, acknowledged and deleted.
    pub acknowledged: Counter,
    /// Handlers that ended with an error, a panic or not at all.
    pub failed: Counter,
    /// Handed back before a handler saw them.
    pub handed_back: Counter,
    /// Taken over from a dead consumer, or delivered again after a failure or a hand-back.
    pub reclaimed: Counter,
    /// Sent to the dead stream because they were delivered too often.
    pub dead: Counter,
    /// Sent to the dead stream because they could not be decoded.
    pub undecodable: Counter,
    /// Deleted from the stream by somebody while they were pending. Should stay 0.
    pub lost: Counter,
    /// Times a connection had to be made anew after an error.
    pub reconnects: Counter,
}
