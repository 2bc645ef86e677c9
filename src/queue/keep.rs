//! The keeper: tells Redis what became of entries, and that we still hold the others.
//!
//! It works independently of the worker's polling, so a busy worker never loses its entries. What
//! it has to say is kept until Redis has answered. It ends when the shelf is closed, the reader
//! has ended and every hold is gone: then all is said.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use apalis_core::worker::context::WorkerContext;
use redis::{RedisResult, aio::MultiplexedConnection as Connection};
use tokio::{
    sync::mpsc::UnboundedReceiver,
    time::{Instant, MissedTickBehavior, interval},
};

use super::{
    delivery::{Cause, Held, Verdict},
    entry::{EntryId, Fields},
    fetch::release_unknown,
    group::{IDS_PER_COMMAND, Release, has_code, problem},
    patience::{Patience, retry_pause},
    shared::{CloseOnDrop, Shared},
};

/// How often the keeper looks whether the worker stops or a renewal is due. Acknowledgements do
/// not wait for it.
const TICK: Duration = Duration::from_millis(100);
/// Consumers that hold nothing and have been silent for this long are removed.
const SILENCE: Duration = Duration::from_secs(600);
const HOUSEKEEPING: Duration = Duration::from_secs(60);
/// How often removing our consumer is tried; another worker removes it later if need be.
const FAREWELLS: usize = 3;

/// What Redis has to be told.
#[derive(Default)]
struct Todo {
    done: Vec<EntryId>,
    releases: Vec<Release>,
    burials: VecDeque<(Held, Fields, Cause)>,
}

impl Todo {
    fn is_empty(&self) -> bool {
        self.done.is_empty() && self.releases.is_empty() && self.burials.is_empty()
    }
}

/// Keeps the promises of one queue.
pub(super) struct Keeper<T> {
    shared: Arc<Shared<T>>,
    worker: WorkerContext,
    inbox: UnboundedReceiver<Verdict>,
    todo: Todo,
    connection: Option<Connection>,
    patience: Patience,
    renew_at: Instant,
    housekeeping_at: Instant,
}

impl<T> Keeper<T> {
    pub(super) fn new(
        shared: Arc<Shared<T>>,
        worker: WorkerContext,
        inbox: UnboundedReceiver<Verdict>,
    ) -> Self {
        Self {
            shared,
            worker,
            inbox,
            todo: Todo::default(),
            connection: None,
            patience: Patience::new(),
            renew_at: Instant::now(),
            housekeeping_at: Instant::now(),
        }
    }

    pub(super) async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let _end_of_work = CloseOnDrop(&shared);
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut verdicts = Vec::new();
        let mut listening = true;
        while listening || !self.todo.is_empty() {
            tokio::select! {
                biased;
                count = self.inbox.recv_many(&mut verdicts, IDS_PER_COMMAND), if listening => {
                    listening = count > 0;
                }
                _ = tick.tick() => {}
            }
            verdicts.drain(..).for_each(|verdict| self.note(verdict));
            if self.worker.is_shutting_down() {
                self.shared.shelf.close();
            }
            self.speak().await;
        }
        self.leave().await;
    }

    fn note(&mut self, verdict: Verdict) {
        let Shared { options, metrics, .. } = &*self.shared;
        match verdict {
            Verdict::Done(held) => self.todo.done.extend(held.iter().map(|held| held.id)),
            Verdict::Failed(held) => {
                metrics.failed.add(held.len());
                let longest = options.retry_backoff_max.min(options.lease);
                self.todo.releases.extend(held.iter().map(|&Held { id, deliveries }| Release {
                    id,
                    deliveries,
                    pause: retry_pause(options.retry_backoff, longest, deliveries),
                }));
            }
            Verdict::Unstarted(held) => {
                metrics.handed_back.add(held.len());
                self.todo.releases.extend(held.into_iter().map(Release::unstarted));
            }
            Verdict::Dead(held, fields, cause) => {
                self.todo.burials.push_back((held, fields, cause));
            }
        }
    }

    /// Tells Redis what there is to tell. After an error all of it stays to be told, over a new
    /// connection; renewals come first, because somebody may be waiting for the lease to end.
    async fn speak(&mut self) {
        if let Err(error) = self.try_to_speak().await {
            self.connection = None;
            self.shared.metrics.reconnects.add(1);
            let (stream, problem) = (&self.shared.options.stream, problem(&error));
            tracing::warn!(%stream, problem, "telling Redis about entries failed, trying again");
            tokio::time::sleep(self.patience.pause()).await;
        }
    }

    async fn try_to_speak(&mut self) -> RedisResult<()> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.shared.connector.connect().await?,
        };
        self.renew(&mut connection).await?;
        self.acknowledge(&mut connection).await?;
        self.release(&mut connection).await?;
        self.bury(&mut connection).await?;
        self.keep_house(&mut connection).await?;
        self.patience.reset();
        self.connection = Some(connection);
        Ok(())
    }

    async fn renew(&mut self, connection: &mut Connection) -> RedisResult<()> {
        if Instant::now() < self.renew_at {
            return Ok(());
        }
        for ids in self.shared.live.snapshot().chunks(IDS_PER_COMMAND) {
            gone_is_fine(self.shared.group.renew(connection, ids).await)?;
        }
        self.renew_at = Instant::now() + self.shared.options.lease / 3;
        Ok(())
    }

    async fn acknowledge(&mut self, connection: &mut Connection) -> RedisResult<()> {
        while !self.todo.done.is_empty() {
            let some = self.todo.done.len().min(IDS_PER_COMMAND);
            let ids = &self.todo.done[..some];
            self.shared.group.finish(connection, ids).await?;
            self.shared.live.remove(ids.iter().copied());
            self.shared.metrics.acknowledged.add(some);
            self.todo.done.drain(..some);
        }
        Ok(())
    }

    async fn release(&mut self, connection: &mut Connection) -> RedisResult<()> {
        while !self.todo.releases.is_empty() {
            let some = self.todo.releases.len().min(IDS_PER_COMMAND);
            let releases = &self.todo.releases[..some];
            gone_is_fine(self.shared.group.release(connection, releases).await)?;
            self.shared.live.remove(releases.iter().map(|release| release.id));
            self.todo.releases.drain(..some);
        }
        Ok(())
    }

    async fn bury(&mut self, connection: &mut Connection) -> RedisResult<()> {
        let Shared { group, live, metrics, options, graves, .. } = &*self.shared;
        while let Some((held, fields, cause)) = self.todo.burials.front() {
            let buried = group.bury(connection, held.id, fields, &cause.to_string()).await;
            match gone_is_fine(buried) {
                Ok(()) => {
                    live.remove([held.id]);
                    match cause {
                        Cause::Undecodable(_) => metrics.undecodable.add(1),
                        Cause::Overdelivered(_) => metrics.dead.add(1),
                    }
                    let (stream, entry) = (&options.stream, held.id);
                    tracing::warn!(%stream, %entry, %cause, "entry moved to the dead stream");
                }
                // Redis refuses: it must not keep everything else waiting.
                Err(error) if error.code().is_some() => {
                    let (stream, problem) = (&options.dead, problem(&error));
                    tracing::error!(%stream, problem, "the dead stream takes no entry");
                    let Held { id, deliveries } = *held;
                    self.todo.releases.push(Release { id, deliveries, pause: options.lease });
                }
                Err(error) => return Err(error),
            }
            self.todo.burials.pop_front();
            graves.add_permits(1);
        }
        Ok(())
    }

    async fn keep_house(&mut self, connection: &mut Connection) -> RedisResult<()> {
        if Instant::now() < self.housekeeping_at {
            return Ok(());
        }
        let silence = SILENCE.max(self.shared.options.lease * 10);
        gone_is_fine(self.shared.group.forget_consumers(connection, None, silence).await)?;
        self.housekeeping_at = Instant::now() + HOUSEKEEPING;
        Ok(())
    }

    /// Gives up what got lost on the way and removes our consumer.
    async fn leave(&mut self) {
        for _ in 0..FAREWELLS {
            match self.try_to_leave().await {
                Ok(()) => return,
                Err(error) => {
                    self.connection = None;
                    let (stream, problem) = (&self.shared.options.stream, problem(&error));
                    tracing::warn!(%stream, problem, "removing the consumer failed");
                    tokio::time::sleep(self.patience.pause()).await;
                }
            }
        }
    }

    async fn try_to_leave(&mut self) -> RedisResult<()> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.shared.connector.connect().await?,
        };
        let group = &self.shared.group;
        gone_is_fine(release_unknown(&mut connection, &self.shared).await)?;
        let only = Some(group.consumer.as_str());
        gone_is_fine(group.forget_consumers(&mut connection, only, Duration::ZERO).await)
    }
}

/// Where stream or group have vanished, there is nothing left to renew, release or remove; the
/// reader makes them anew.
fn gone_is_fine<R>(answer: RedisResult<R>) -> RedisResult<()> {
    match answer {
        Ok(_) => Ok(()),
        Err(error) if has_code(&error, "NOGROUP") => Ok(()),
        Err(error) => Err(error),
    }
}
