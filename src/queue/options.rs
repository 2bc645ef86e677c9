//! The settings of one queue.

use std::time::Duration;

/// How a [`StreamQueue`](super::StreamQueue) reads its stream. Start from
/// [`QueueOptions::new`] and change what differs.
#[derive(Clone, Debug)]
pub struct QueueOptions {
    /// Key of the stream.
    pub stream: String,
    /// Name of the consumer group; made when it does not exist.
    pub group: String,
    /// Key of the stream for entries that are given up. In Redis Cluster it must share the
    /// stream's hash tag.
    pub dead: String,
    /// The most entries in one [`Delivery`](super::Delivery): 1 for slow single jobs, hundreds
    /// for handlers that treat many entries in one go. 0 counts as 1.
    pub chunk: usize,
    /// How many deliveries may wait for a free handler. 0 fetches only what a handler can start
    /// at once, which is right for slow jobs: nothing waits here while another worker is idle.
    pub prefetch: usize,
    /// How long an entry whose process died stays with it. Living workers renew every third of
    /// it, however long a handler runs. It should outlast any stall of Redis.
    pub lease: Duration,
    /// How often an entry may be delivered without being acknowledged before it is given up.
    pub max_deliveries: u64,
    /// The longest blocking read, and with it the longest stop of an idle worker. No read is
    /// longer than a second, because the reader looks for abandoned entries in between.
    pub block: Duration,
    /// The pause after the first failure of a handler; doubles with each further one. No pause is
    /// longer than the lease.
    pub retry_backoff: Duration,
    /// The longest pause after a failure.
    pub retry_backoff_max: Duration,
}

impl QueueOptions {
    /// Options for single jobs: chunk 1, prefetch 1, lease 30 s, 5 deliveries, dead stream
    /// `<stream>:dead`.
    pub fn new(stream: impl Into<String>, group: impl Into<String>) -> Self {
        let stream = stream.into();
        Self {
            dead: format!("{stream}:dead"),
            stream,
            group: group.into(),
            chunk: 1,
            prefetch: 1,
            lease: Duration::from_secs(30),
            max_deliveries: 5,
            block: Duration::from_secs(1),
            retry_backoff: Duration::from_secs(1),
            retry_backoff_max: Duration::from_secs(30),
        }
    }
}
