//! What the reader, the keeper and the worker of one queue share.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::{
    connect::Connector,
    delivery::{Delivery, Live},
    group::Group,
    metrics::QueueMetrics,
    options::QueueOptions,
    shelf::Shelf,
};

/// Closing the shelf is the one signal that the queue shall stop.
#[derive(Debug)]
pub(super) struct Shared<T> {
    pub(super) connector: Connector,
    pub(super) options: QueueOptions,
    pub(super) group: Group,
    pub(super) shelf: Shelf<Delivery<T>>,
    pub(super) live: Live,
    pub(super) metrics: Arc<QueueMetrics>,
    /// Room for entries on their way to the dead stream, so that a stream full of unreadable
    /// entries does not end up in memory.
    pub(super) graves: Semaphore,
}

const MOST_GRAVES: usize = 500;

impl<T> Shared<T> {
    pub(super) fn new(
        connector: Connector,
        mut options: QueueOptions,
        metrics: Arc<QueueMetrics>,
    ) -> Self {
        options.chunk = options.chunk.max(1);
        let group = Group {
            stream: options.stream.clone(),
            name: options.group.clone(),
            dead: options.dead.clone(),
            consumer: consumer_name(),
            lease: options.lease,
        };
        let shelf = Shelf::new(options.prefetch);
        let live = Live::default();
        let graves = Semaphore::new(MOST_GRAVES);
        Self { connector, options, group, shelf, live, metrics, graves }
    }
}

/// Ends the queue when its reader or keeper ends, even by a defect: better no worker than one
/// that waits for ever.
pub(super) struct CloseOnDrop<'a, T>(pub(super) &'a Shared<T>);

impl<T> Drop for CloseOnDrop<'_, T> {
    fn drop(&mut self) {
        self.0.shelf.close();
    }
}

/// `host-process-random`: two lives of one container must not share a name, or the second would
/// hold the first one's entries for its own.
fn consumer_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = if host.trim().is_empty() { "host" } else { host.trim() };
    format!("{host}-{}-{:08x}", std::process::id(), rand::random::<u32>())
}

#[cfg(test)]
mod tests {
    #[test]
    fn consumer_names_of_one_process_differ() {
        assert_ne!(super::consumer_name(), super::consumer_name());
    }
}
