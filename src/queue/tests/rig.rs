//! A Redis, a stream of numbered jobs, and workers over it that record what they did.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use apalis::layers::WorkerBuilderExt as _;
use apalis_core::{
    error::BoxDynError,
    monitor::Monitor,
    task::data::Data,
    worker::{builder::WorkerBuilder, ext::parallelize::ParallelizeExt as _},
};
use redis::{FromRedisValue, aio::MultiplexedConnection};
use tokio::{
    sync::{Semaphore, oneshot, watch},
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::server::RedisServer;
use crate::queue::{
    Decode, Delivery, Fields, JOB_FIELD, QueueMetrics, QueueOptions, StreamQueue, Undecodable,
};

pub(super) const STREAM: &str = "{t}:jobs";
pub(super) const DEAD: &str = "{t}:jobs:dead";
pub(super) const GROUP: &str = "workers";
/// Generous: reached only when a test fails.
pub(super) const DEADLINE: Duration = Duration::from_secs(60);

/// The job of these tests: a number and what its handler shall do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) number: u32,
    pub(super) act: Act,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Succeed,
    Fail,
    FailOnce,
    Panic,
    /// Waits for [`Log::open_gate`].
    Wait,
}

impl Decode for Job {
    fn decode(fields: &Fields) -> Result<Self, Undecodable> {
        let missing = || Undecodable::new("no readable field `job`");
        let text = fields.get(JOB_FIELD).and_then(|bytes| std::str::from_utf8(bytes).ok());
        let (act, number) = text.and_then(|text| text.split_once(' ')).ok_or_else(missing)?;
        let act = match act {
            "succeed" => Act::Succeed,
            "fail" => Act::Fail,
            "fail-once" => Act::FailOnce,
            "panic" => Act::Panic,
            "wait" => Act::Wait,
            _ => return Err(Undecodable::new("unknown act")),
        };
        let number = number.parse().map_err(|_| Undecodable::new("no number"))?;
        Ok(Self { number, act })
    }
}

/// What the handlers did. Shared by all workers of a test.
#[derive(Clone)]
pub(super) struct Log {
    starts: Arc<Mutex<BTreeMap<u32, u32>>>,
    ends: Arc<Mutex<BTreeMap<u32, u32>>>,
    changed: Arc<watch::Sender<()>>,
    gate: Arc<Semaphore>,
}

impl Log {
    fn new() -> Self {
        Self {
            starts: Arc::default(),
            ends: Arc::default(),
            changed: Arc::new(watch::Sender::new(())),
            gate: Arc::new(Semaphore::new(0)),
        }
    }

    fn started(&self, number: u32) -> u32 {
        let mut starts = self.starts.lock().unwrap();
        let times = starts.entry(number).or_default();
        *times += 1;
        let times = *times;
        drop(starts);
        self.changed.send_replace(());
        times
    }

    fn ended(&self, number: u32) {
        *self.ends.lock().unwrap().entry(number).or_default() += 1;
        self.changed.send_replace(());
    }

    /// How often each job was started.
    pub(super) fn starts(&self) -> BTreeMap<u32, u32> {
        self.starts.lock().unwrap().clone()
    }

    /// How often each job was handled to a good end.
    pub(super) fn ends(&self) -> BTreeMap<u32, u32> {
        self.ends.lock().unwrap().clone()
    }

    /// Lets all waiting handlers go on, now and later.
    pub(super) fn open_gate(&self) {
        self.gate.add_permits(Semaphore::MAX_PERMITS / 2);
    }

    /// Lets one waiting handler go on.
    pub(super) fn open_gate_for_one(&self) {
        self.gate.add_permits(1);
    }

    pub(super) async fn until(&self, what: &str, reached: impl Fn(&Self) -> bool) {
        let mut changed = self.changed.subscribe();
        let wait = async {
            while !reached(self) {
                changed.changed().await.unwrap();
            }
        };
        let seen = || format!("{what}: {:?} started, {:?} ended", self.starts(), self.ends());
        tokio::time::timeout(DEADLINE, wait).await.unwrap_or_else(|_| panic!("{}", seen()));
    }
}

async fn handle(delivery: Delivery<Job>, log: Data<Log>) -> Result<(), BoxDynError> {
    for entry in delivery.entries() {
        let Job { number, act } = entry.job;
        let times = log.started(number);
        match act {
            Act::Fail => return Err("told to fail".into()),
            Act::FailOnce if times == 1 => return Err("told to fail once".into()),
            Act::Panic => panic!("told to panic"),
            Act::Wait => log.gate.acquire().await?.forget(),
            Act::Succeed | Act::FailOnce => {}
        }
        log.ended(number);
    }
    Ok(())
}

/// A running worker.
pub(super) struct TestWorker {
    pub(super) metrics: Arc<QueueMetrics>,
    pub(super) consumer: String,
    stop: Option<oneshot::Sender<()>>,
    pub(super) running: JoinHandle<()>,
}

impl TestWorker {
    pub(super) fn ask_to_stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }

    pub(super) async fn stop(mut self) {
        self.ask_to_stop();
        tokio::time::timeout(DEADLINE, &mut self.running).await.unwrap().unwrap();
    }
}

pub(super) struct Rig {
    pub(super) server: RedisServer,
    pub(super) log: Log,
}

/// Options that make tests quick; a test changes what it is about.
pub(super) fn options() -> QueueOptions {
    QueueOptions {
        lease: Duration::from_secs(1),
        max_deliveries: 3,
        retry_backoff: Duration::from_millis(100),
        ..QueueOptions::new(STREAM, GROUP)
    }
}

impl Rig {
    pub(super) async fn new() -> Self {
        Self { server: RedisServer::start().await, log: Log::new() }
    }

    pub(super) fn worker(&self, concurrency: usize, options: QueueOptions) -> TestWorker {
        let queue = StreamQueue::<Job>::open(self.server.connector(), options);
        let (metrics, consumer) = (queue.metrics(), queue.consumer().to_owned());
        let (queue, log) = (Mutex::new(Some(queue)), self.log.clone());
        let monitor = Monitor::new().register(move |_| {
            WorkerBuilder::new("test")
                .backend(queue.lock().unwrap().take().unwrap())
                .data(log.clone())
                .concurrency(concurrency)
                .parallelize(tokio::spawn)
                .catch_panic()
                .build(handle)
        });
        let (stop, stopped) = oneshot::channel::<()>();
        let signal = async {
            let _ = stopped.await;
            Ok(())
        };
        let running = tokio::spawn(async { monitor.run_with_signal(signal).await.unwrap() });
        TestWorker { metrics, consumer, stop: Some(stop), running }
    }

    pub(super) async fn connection(&self) -> MultiplexedConnection {
        self.server.connection().await
    }

    /// Appends one job per number.
    pub(super) async fn add(&self, act: &str, numbers: std::ops::Range<u32>) {
        let mut connection = self.connection().await;
        for numbers in numbers.collect::<Vec<_>>().chunks(1000) {
            let mut pipe = redis::pipe();
            for number in numbers {
                let job = format!("{act} {number}");
                pipe.cmd("XADD").arg(STREAM).arg("*").arg(JOB_FIELD).arg(job).ignore();
            }
            pipe.exec_async(&mut connection).await.unwrap();
        }
    }

    pub(super) async fn ask<R: FromRedisValue>(&self, words: &[&str]) -> R {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query_async(&mut self.connection().await).await.unwrap()
    }

    /// Waits until nothing is in the stream: everything was acknowledged or buried.
    pub(super) async fn until_empty(&self) {
        let mut connection = self.connection().await;
        let deadline = Instant::now() + DEADLINE;
        loop {
            let left: u64 =
                redis::cmd("XLEN").arg(STREAM).query_async(&mut connection).await.unwrap();
            if left == 0 {
                return;
            }
            assert!(Instant::now() < deadline, "{left} entries are left in the stream");
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// The fields of the dead entries, as text.
    pub(super) async fn dead(&self) -> Vec<BTreeMap<String, String>> {
        let rows: Vec<(String, BTreeMap<String, String>)> =
            self.ask(&["XRANGE", DEAD, "-", "+"]).await;
        rows.into_iter().map(|(_, fields)| fields).collect()
    }
}

/// Expectation for [`Log::starts`] and [`Log::ends`]: every number `times` times.
pub(super) fn each(numbers: std::ops::Range<u32>, times: u32) -> BTreeMap<u32, u32> {
    numbers.map(|number| (number, times)).collect()
}

/// Waits until `count` is `expected`, no less and no more: a worker counts when the answer of
/// Redis has come, so a test that looks into Redis may be ahead of it.
pub(super) async fn until_counted(what: &str, expected: u64, count: impl Fn() -> u64) {
    let wait = async {
        while count() != expected {
            sleep(Duration::from_millis(5)).await;
        }
    };
    let seen = || panic!("{what}: {} were counted, expected {expected}", count());
    tokio::time::timeout(DEADLINE, wait).await.unwrap_or_else(|_| seen());
}
