//! What a worker leaves behind when it stops.

use std::time::Duration;

use apalis::layers::WorkerBuilderExt as _;
use apalis_core::{
    monitor::Monitor,
    worker::{builder::WorkerBuilder, ext::parallelize::ParallelizeExt as _},
};
use tokio::time::Instant;

use super::rig::{DEAD, DEADLINE, GROUP, Job, Rig, STREAM, each, options, until_counted};
use crate::queue::{Delivery, QueueOptions, StreamQueue, group::Group};

/// So long that a hand-over by lease would fail the test.
const LONG_LEASE: Duration = Duration::from_secs(600);

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_hands_back_what_waits_at_once_while_running_handlers_finish() {
    let rig = Rig::new().await;
    // One delivery is all that is allowed: what is handed back must not have counted.
    let strict = QueueOptions { max_deliveries: 1, ..options() };
    let options = QueueOptions { lease: LONG_LEASE, prefetch: 3, ..strict };
    let mut leaving = rig.worker(1, options.clone());
    rig.add("wait", 0..1).await;
    rig.log.until("running", |log| log.starts() == each(0..1, 1)).await;
    rig.add("succeed", 1..4).await;
    until_pending(&rig, 4).await;
    leaving.ask_to_stop();
    let since = Instant::now();
    let staying = rig.worker(1, options);
    rig.log.until("taken over", |log| log.ends() == each(1..4, 1)).await;
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    until_counted("handed back", 3, || leaving.metrics.handed_back.get()).await;
    assert!(!leaving.running.is_finished(), "the handler still runs");
    rig.log.open_gate();
    rig.until_empty().await;
    leaving.stop().await;
    staying.stop().await;
    assert_eq!(rig.log.starts(), each(0..4, 1));
    let consumers: Vec<redis::Value> = rig.ask(&["XINFO", "CONSUMERS", STREAM, GROUP]).await;
    assert_eq!(consumers.len(), 1, "only the released ones' keeper stays: {consumers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_worker_stops_within_a_blocking_read_of_at_most_a_second() {
    let rig = Rig::new().await;
    let block = Duration::from_secs(30);
    let worker = rig.worker(1, QueueOptions { block, lease: LONG_LEASE, ..options() });
    rig.add("succeed", 0..1).await;
    rig.until_empty().await;
    let since = Instant::now();
    worker.stop().await;
    assert!(since.elapsed() < Duration::from_secs(10), "{:?}", since.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_dropped_gives_its_entries_up() {
    let rig = Rig::new().await;
    let options = QueueOptions { lease: LONG_LEASE, max_deliveries: 9, ..options() };
    let dropped = rig.worker(1, options.clone());
    rig.add("wait", 0..2).await;
    rig.log.until("running", |log| log.starts() == each(0..1, 1)).await;
    until_pending(&rig, 2).await;
    dropped.running.abort();
    rig.log.open_gate();
    let staying = rig.worker(1, options);
    rig.until_empty().await;
    rig.log.until("both", |log| (0..2).all(|n| log.ends().contains_key(&n))).await;
    staying.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monitor_stops_its_workers_and_gives_up_on_a_handler_that_does_not_end() {
    let rig = Rig::new().await;
    rig.add("succeed", 0..2).await;
    let connector = rig.server.connector();
    let (started, mut starts) = tokio::sync::mpsc::unbounded_channel();
    let monitor = Monitor::new().register(move |run| {
        let started = started.clone();
        let queue = StreamQueue::<Job>::open(connector.clone(), options());
        let handler = move |delivery: Delivery<Job>| {
            let started = started.clone();
            async move {
                started.send(delivery.entries()[0].job.number).unwrap();
                std::future::pending::<Result<(), std::io::Error>>().await
            }
        };
        let name = format!("monitored-{run}");
        WorkerBuilder::new(name)
            .backend(queue)
            .concurrency(2)
            .parallelize(tokio::spawn)
            .catch_panic()
            .build(handler)
    });
    let monitor = monitor.shutdown_timeout(Duration::from_millis(500));
    let signal = async move {
        starts.recv().await.unwrap();
        Ok(())
    };
    let run = monitor.run_with_signal(signal);
    tokio::time::timeout(DEADLINE, run).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_without_a_monitor_stops_at_its_signal() {
    let rig = Rig::new().await;
    rig.add("succeed", 0..1).await;
    let queue = StreamQueue::<Job>::open(rig.server.connector(), options());
    let (handled, first) = tokio::sync::oneshot::channel();
    let handled = std::sync::Arc::new(std::sync::Mutex::new(Some(handled)));
    let worker =
        WorkerBuilder::new("alone").backend(queue).concurrency(1).build(move |_: Delivery<Job>| {
            let _ = handled.lock().unwrap().take().unwrap().send(());
            std::future::ready(Ok::<(), std::io::Error>(()))
        });
    let signal = async {
        first.await.unwrap();
        Ok::<(), std::io::Error>(())
    };
    tokio::time::timeout(DEADLINE, worker.run_until(signal)).await.unwrap().unwrap();
    assert_eq!(rig.ask::<u64>(&["XLEN", STREAM]).await, 0, "acknowledged before the end");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_consumers_that_hold_nothing_are_forgotten() {
    let rig = Rig::new().await;
    rig.add("succeed", 0..1).await;
    let _: () = rig.ask(&["XGROUP", "CREATE", STREAM, GROUP, "0"]).await;
    for consumer in ["holds", "empty", "other"] {
        let _: u64 = rig.ask(&["XGROUP", "CREATECONSUMER", STREAM, GROUP, consumer]).await;
    }
    let read = ["XREADGROUP", "GROUP", GROUP, "holds", "STREAMS", STREAM, ">"];
    let _: redis::Value = rig.ask(&read).await;
    let group = Group {
        stream: STREAM.into(),
        name: GROUP.into(),
        dead: DEAD.into(),
        consumer: "other".into(),
        lease: LONG_LEASE,
    };
    let mut connection = rig.connection().await;
    let mut forgotten = Vec::new();
    for (only, silent) in
        [(None, LONG_LEASE), (Some("other"), Duration::ZERO), (None, Duration::ZERO)]
    {
        forgotten.push(group.forget_consumers(&mut connection, only, silent).await.unwrap());
    }
    assert_eq!(forgotten, [0, 1, 1], "none silent for long, the one that is meant, the empty one");
    let (pending, ..): (u64, redis::Value, redis::Value, redis::Value) =
        rig.ask(&["XPENDING", STREAM, GROUP]).await;
    assert_eq!(pending, 1);
}

async fn until_pending(rig: &Rig, count: u64) {
    let wait = async {
        loop {
            let (pending, ..): (u64, redis::Value, redis::Value, redis::Value) =
                rig.ask(&["XPENDING", STREAM, GROUP]).await;
            if pending == count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(DEADLINE, wait).await.unwrap();
}
