//! The queue as an apalis backend: three poll functions over the shelf and the keeper.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use apalis_core::{
    backend::{Backend, BackendConfig, finalize::Ephemeral},
    task::{Task, builder::TaskBuilder, task_id::TaskId},
    worker::context::WorkerContext,
};
use tokio::{sync::mpsc::unbounded_channel, task::JoinHandle};

use super::{
    connect::Connector,
    delivery::Delivery,
    entry::{Decode, EntryId},
    fetch::Fetcher,
    keep::Keeper,
    layer::AcknowledgeLayer,
    metrics::QueueMetrics,
    options::QueueOptions,
    shared::Shared,
};

/// The queue's reader or keeper ended although nobody stopped the worker: a defect. The worker
/// ends with this error rather than waiting for ever.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the queue ended by itself, which is a defect; start the worker again and report it")]
pub struct QueueEnded;

/// A Redis stream as an apalis [`Backend`] whose tasks are deliveries of `T`.
///
/// Nothing is fetched before the worker runs. Whatever happens to Redis, the queue waits for it
/// and goes on without an error. Dropping it hands back what no handler has seen.
#[derive(Debug)]
pub struct StreamQueue<T> {
    shared: Arc<Shared<T>>,
    keeper: Option<JoinHandle<()>>,
}

impl<T: Decode> StreamQueue<T> {
    /// A queue over the stream that `options` name. Connects when the worker starts.
    pub fn open(connector: Connector, options: QueueOptions) -> Self {
        Self::open_counting(connector, options, Arc::default())
    }

    /// As [`open`](Self::open), adding to counts that exist: those of an earlier run, say.
    pub fn open_counting(
        connector: Connector,
        options: QueueOptions,
        metrics: Arc<QueueMetrics>,
    ) -> Self {
        Self { shared: Arc::new(Shared::new(connector, options, metrics)), keeper: None }
    }

    /// What the queue counts; stays valid after the queue has moved into a worker.
    pub fn metrics(&self) -> Arc<QueueMetrics> {
        Arc::clone(&self.shared.metrics)
    }

    /// The name under which Redis knows this queue's consumer.
    pub fn consumer(&self) -> &str {
        &self.shared.group.consumer
    }

    fn start(&mut self, worker: &WorkerContext) {
        let (verdicts, inbox) = unbounded_channel();
        let keeper = Keeper::new(Arc::clone(&self.shared), worker.clone(), inbox);
        tokio::spawn(Fetcher::new(Arc::clone(&self.shared), verdicts).run());
        self.keeper = Some(tokio::spawn(keeper.run()));
    }
}

impl<T: Decode> Backend for StreamQueue<T> {
    type Task = Task<Delivery<T>>;
    type Error = QueueEnded;

    fn poll_ready(
        &mut self,
        _: &mut Context<'_>,
        worker: &WorkerContext,
    ) -> Poll<Result<(), QueueEnded>> {
        if self.keeper.is_none() && !self.shared.shelf.is_closed() {
            self.start(worker);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        worker: &WorkerContext,
    ) -> Poll<Option<Result<Self::Task, QueueEnded>>> {
        self.shared.shelf.poll_take(cx).map(|delivery| match delivery {
            Some(delivery) => Some(Ok(task(delivery))),
            None if worker.is_shutting_down() => None,
            None => Some(Err(QueueEnded)),
        })
    }

    /// Ready when all handlers' ends are told to Redis and the rest is handed back. While Redis
    /// is away that can be long: bound it from outside.
    fn poll_close(
        &mut self,
        cx: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Result<(), QueueEnded>> {
        self.shared.shelf.close();
        let Some(keeper) = &mut self.keeper else { return Poll::Ready(Ok(())) };
        Pin::new(keeper).poll(cx).map(|_| {
            self.keeper = None;
            Ok(())
        })
    }
}

/// The task's id is that of its first entry.
fn task<T>(delivery: Delivery<T>) -> Task<Delivery<T>> {
    let first = delivery.entries().first().map(|entry| (entry.id, entry.deliveries));
    let builder = TaskBuilder::new(delivery);
    let Some((id, deliveries)) = first else { return builder.build() };
    let earlier = usize::try_from(deliveries.saturating_sub(1)).unwrap_or(usize::MAX);
    builder.task_id(TaskId::from_string(id.to_string())).attempt(earlier).build()
}

impl<T> BackendConfig for StreamQueue<T> {
    type Args = Delivery<T>;
    type Id = EntryId;
    type Kind = Ephemeral;
    type Config = QueueOptions;
    type Layer = AcknowledgeLayer;

    fn config(&self) -> &QueueOptions {
        &self.shared.options
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> AcknowledgeLayer {
        AcknowledgeLayer
    }
}

impl<T> Drop for StreamQueue<T> {
    fn drop(&mut self) {
        self.shared.shelf.close();
    }
}
