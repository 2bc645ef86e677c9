//! The peer: the least that any consumer of a Redis stream has to do, with the same client library.

use std::time::Duration;

use redis::{
    aio::MultiplexedConnection,
    streams::{StreamId, StreamReadReply},
};

/// A stream of the peer's own, beside the worker's.
pub(crate) const STREAM: &str = "bare:{default}:requests";
/// Where the peer announces a document, as the worker does under `gdpr:{default}:changed:`.
pub(crate) const CHANGED: &str = "bare:{default}:changed:";
const GROUP: &str = "bare";
const AT_ONCE: usize = 500;

/// A consumer that does nothing with what it reads.
pub(crate) struct Peer {
    connection: MultiplexedConnection,
}

impl Peer {
    pub(crate) async fn new(url: &str) -> anyhow::Result<Self> {
        let config =
            redis::AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(60)));
        let client = redis::Client::open(url)?;
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        let mut create = redis::cmd("XGROUP");
        create.arg("CREATE").arg(STREAM).arg(GROUP).arg("0").arg("MKSTREAM");
        create.query_async::<()>(&mut connection).await?;
        Ok(Self { connection })
    }

    /// Reads, acknowledges and deletes until nothing is left: 500 at a time, one round trip each.
    pub(crate) async fn drain(&mut self) -> anyhow::Result<usize> {
        let mut pipe = redis::pipe();
        pipe.add_command(read(None));
        let (mut reply,): (StreamReadReply,) = pipe.query_async(&mut self.connection).await?;
        let mut count = 0;
        loop {
            let ids: Vec<String> = entries(reply).map(|entry| entry.id).collect();
            if ids.is_empty() {
                return Ok(count);
            }
            count += ids.len();
            let mut pipe = redis::pipe();
            pipe.cmd("XACK").arg(STREAM).arg(GROUP).arg(&ids).ignore();
            pipe.cmd("XDEL").arg(STREAM).arg(&ids).ignore();
            pipe.add_command(read(None));
            (reply,) = pipe.query_async(&mut self.connection).await?;
        }
    }

    /// For each document that comes: its status written, announced, and the document gone.
    pub(crate) async fn answer(mut self) -> anyhow::Result<()> {
        loop {
            let reply: StreamReadReply = read(Some(1000)).query_async(&mut self.connection).await?;
            for entry in entries(reply) {
                let mut pipe = redis::pipe();
                let request = format!("bare:{{default}}:request:{}", entry.id);
                pipe.cmd("HSET").arg(request).arg("status").arg("queued").ignore();
                pipe.cmd("PUBLISH").arg(format!("{CHANGED}{}", entry.id)).arg("queued").ignore();
                pipe.query_async::<()>(&mut self.connection).await?;
            }
        }
    }
}

fn read(block_ms: Option<usize>) -> redis::Cmd {
    let mut read = redis::cmd("XREADGROUP");
    read.arg("GROUP").arg(GROUP).arg("one").arg("COUNT").arg(AT_ONCE);
    if let Some(block_ms) = block_ms {
        read.arg("BLOCK").arg(block_ms);
    }
    read.arg("STREAMS").arg(STREAM).arg(">");
    read
}

fn entries(reply: StreamReadReply) -> impl Iterator<Item = StreamId> {
    reply.keys.into_iter().flat_map(|key| key.ids)
}
