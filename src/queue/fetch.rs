//! The reader: brings entries from Redis to the shelf.
//!
//! It has a connection of its own, because it blocks in XREADGROUP. After any error it starts a
//! new session, and every session begins by giving up what Redis holds for us and we do not know
//! of: entries whose answer was lost on the way.

use std::{sync::Arc, time::Duration};

use redis::{RedisResult, aio::MultiplexedConnection as Connection};
use tokio::sync::mpsc::UnboundedSender;

use super::{
    delivery::{Cause, Delivery, Entry, Held, Verdict},
    entry::{Decode, Fields, RawEntry, decode},
    group::{IDS_PER_COMMAND, Release, problem},
    patience::Patience,
    reclaim::Reclaim,
    shared::{CloseOnDrop, Shared},
};

/// Reads until the shelf is closed.
pub(super) struct Fetcher<T> {
    shared: Arc<Shared<T>>,
    verdicts: UnboundedSender<Verdict>,
    reclaim: Reclaim,
    patience: Patience,
}

impl<T: Decode> Fetcher<T> {
    pub(super) fn new(shared: Arc<Shared<T>>, verdicts: UnboundedSender<Verdict>) -> Self {
        Self { shared, verdicts, reclaim: Reclaim::new(), patience: Patience::new() }
    }

    pub(super) async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let _end_of_work = CloseOnDrop(&shared);
        while !shared.shelf.is_closed() {
            if let Err(error) = self.session().await {
                shared.metrics.reconnects.add(1);
                let (stream, problem) = (&shared.options.stream, problem(&error));
                tracing::warn!(%stream, problem, "reading the stream failed, trying again");
                let pause = tokio::time::sleep(self.patience.pause());
                tokio::select! {
                    () = pause => {}
                    () = shared.shelf.closed() => {}
                }
            }
        }
    }

    /// Reads over one connection until it breaks (an error) or the shelf is closed.
    async fn session(&mut self) -> RedisResult<()> {
        let shared = Arc::clone(&self.shared);
        let mut connection = shared.connector.connect_blocking_for(shared.options.block).await?;
        shared.group.ensure(&mut connection).await?;
        release_unknown(&mut connection, &shared).await?;
        while let Some(room) = shared.shelf.room().await {
            let entries = self.next(&mut connection, room).await?;
            self.patience.reset();
            self.shelve(entries).await;
        }
        Ok(())
    }

    /// Abandoned entries if there are any, else new ones.
    async fn next(
        &mut self,
        connection: &mut Connection,
        room: usize,
    ) -> RedisResult<Vec<RawEntry>> {
        let Shared { options, group, .. } = &*self.shared;
        self.reclaim.look(connection, &self.shared).await?;
        if self.reclaim.has_claimable() {
            return self.reclaim.take(connection, &self.shared, room).await;
        }
        let most = room.saturating_mul(options.chunk).min(IDS_PER_COMMAND.max(options.chunk));
        let block = options.block.min(self.reclaim.due_in()).max(Duration::from_millis(1));
        group.read(connection, most, block).await
    }

    /// Decodes entries and makes deliveries of them. The readable ones go first: nothing waits
    /// for the burial of another.
    async fn shelve(&self, entries: Vec<RawEntry>) {
        self.shared.live.insert(entries.iter().map(|entry| entry.id));
        self.shared.metrics.fetched.add(entries.len());
        let (mut chunk, mut dead) = (Vec::new(), Vec::new());
        for RawEntry { id, fields, deliveries } in entries {
            match self.read(&fields, deliveries) {
                Ok(job) => self.collect(&mut chunk, Entry { id, deliveries, job }),
                Err(cause) => dead.push(Verdict::Dead(Held { id, deliveries }, fields, cause)),
            }
        }
        self.put(chunk);
        for verdict in dead {
            if let Ok(grave) = self.shared.graves.acquire().await {
                grave.forget();
            }
            // The keeper outlives this reader.
            let _ = self.verdicts.send(verdict);
        }
    }

    /// The job; or why there is none, and the entry belongs in the dead stream.
    fn read(&self, fields: &Fields, deliveries: u64) -> Result<T, Cause> {
        let ended = deliveries.saturating_sub(1);
        if ended >= self.shared.options.max_deliveries {
            return Err(Cause::Overdelivered(ended));
        }
        Ok(decode(fields)?)
    }

    /// Adds to the chunk, which goes to the shelf when it is full. An entry that was delivered
    /// before goes alone.
    fn collect(&self, chunk: &mut Vec<Entry<T>>, entry: Entry<T>) {
        let alone = entry.deliveries > 1;
        if alone {
            self.put(std::mem::take(chunk));
        }
        chunk.push(entry);
        if alone || chunk.len() >= self.shared.options.chunk {
            self.put(std::mem::take(chunk));
        }
    }

    fn put(&self, entries: Vec<Entry<T>>) {
        if !entries.is_empty() {
            self.shared.shelf.put(Delivery::new(entries, self.verdicts.clone()));
        }
    }
}

/// Gives up the entries that Redis holds for this consumer and nobody here knows of.
pub(super) async fn release_unknown<T>(
    connection: &mut Connection,
    shared: &Shared<T>,
) -> RedisResult<()> {
    let mut after = None;
    loop {
        let mut page = shared.group.own(connection, after).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id);
        shared.live.exclude(&mut page, |row| row.id);
        let held = page.iter().map(|row| Held { id: row.id, deliveries: row.deliveries });
        let releases: Vec<Release> = held.map(Release::unstarted).collect();
        if !releases.is_empty() {
            shared.group.release(connection, &releases).await?;
        }
    }
}
