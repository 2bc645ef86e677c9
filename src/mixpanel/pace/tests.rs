//! The pace against a real Redis.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::process::{Child, Command, Stdio};

use redis::AsyncCommands;
use tokio::{sync::mpsc, time::timeout};

use super::*;

const INTERVAL: Duration = Duration::from_millis(200);
const KEY: &str = "gdpr:{test}:pace";
const DEADLINE: Duration = Duration::from_secs(30);

/// A Redis of the test's own; it goes when this is dropped.
struct Server {
    process: Child,
    folder: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    async fn start() -> (Self, Connection) {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("redis.sock");
        let process = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--unixsocket"])
            .arg(&socket)
            .arg("--dir")
            .arg(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { process, folder };
        let redis = timeout(DEADLINE, server.connect()).await.unwrap();
        (server, redis)
    }

    async fn connect(&self) -> Connection {
        let url = format!("redis+unix://{}", self.folder.path().join("redis.sock").display());
        let connector = crate::queue::Connector::new(&url).unwrap();
        loop {
            match connector.shared().await {
                Ok(redis) => return redis,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }
}

fn pace(redis: &Connection) -> Pace {
    Pace::new(redis.clone(), KEY, INTERVAL)
}

fn granted(slot: Slot) -> Duration {
    match slot {
        Slot::Granted { wait, half_open: false } => wait,
        other => panic!("expected a slot, found {other:?}"),
    }
}

fn denied(slot: Slot) -> Denied {
    match slot {
        Slot::Denied(denied) => denied,
        Slot::Granted { .. } => panic!("expected no slot, found {slot:?}"),
    }
}

/// Calls for ever, and reports when each call began.
async fn call(pace: Pace, class: Class, seen: mpsc::UnboundedSender<(Instant, Class)>) {
    loop {
        match pace.acquire(class).await.unwrap() {
            Ok(_) if seen.send((Instant::now(), class)).is_err() => return,
            Ok(_) => {}
            Err(denied) => tokio::time::sleep(denied.retry_in).await,
        }
    }
}

/// Reserves for ever, and reports the slots: what the script decides, whoever wakes late.
async fn book(pace: Pace, class: Class, seen: mpsc::UnboundedSender<(Instant, Class)>) {
    loop {
        let wait = match pace.reserve(class).await.unwrap() {
            Slot::Granted { wait, .. } if seen.send((Instant::now() + wait, class)).is_err() => {
                return;
            }
            Slot::Granted { wait, .. } => wait,
            Slot::Denied(denied) => denied.retry_in,
        };
        tokio::time::sleep(wait).await;
    }
}

/// The first `count` calls or slots of so many submitters and pollers at once, in order.
async fn watch<F>(
    redis: &Connection,
    want: fn(Pace, Class, mpsc::UnboundedSender<(Instant, Class)>) -> F,
    wants: &[Class],
    count: usize,
) -> Vec<(Instant, Class)>
where
    F: Future<Output = ()> + Send + 'static,
{
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let mut tasks = tokio::task::JoinSet::new();
    for class in wants {
        tasks.spawn(want(pace(redis), *class, sender.clone()));
    }
    let mut seen = Vec::new();
    while seen.len() < count {
        seen.push(timeout(DEADLINE, receiver.recv()).await.unwrap().unwrap());
    }
    tasks.shutdown().await;
    seen.sort_by_key(|(at, _)| *at);
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_at_once_never_call_closer_than_the_interval() {
    let (_server, redis) = Server::start().await;
    let wants = [[Class::Submit; 4], [Class::Poll; 4]].concat();
    let seen = watch(&redis, call, &wants, 24).await;
    for pair in seen.windows(2) {
        let gap = pair[1].0 - pair[0].0;
        assert!(gap >= INTERVAL * 10 / 11, "{gap:?}");
    }
    let whole = seen[23].0 - seen[0].0;
    assert!(whole < INTERVAL * 48, "slots were wasted: {whole:?}");
}

/// Each of a great many polls came back for every slot: three thousand questions a second for nine calls.
#[tokio::test(flavor = "multi_thread")]
async fn many_polls_that_wait_do_not_all_ask_for_each_slot() {
    const POLLS: u32 = 60;
    let (_server, redis) = Server::start().await;
    let interval = Duration::from_millis(20);
    let asked = std::sync::Arc::new(AtomicU64::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    let began = Instant::now();
    for _ in 0..POLLS {
        let (pace, asked) = (Pace::new(redis.clone(), KEY, interval), asked.clone());
        tasks.spawn(async move {
            loop {
                asked.fetch_add(1, Ordering::Relaxed);
                match pace.reserve(Class::Poll).await.unwrap() {
                    Slot::Granted { .. } => return,
                    Slot::Denied(denied) => tokio::time::sleep(denied.retry_in).await,
                }
            }
        });
    }
    timeout(DEADLINE, tasks.join_all()).await.unwrap();
    let asked = asked.load(Ordering::Relaxed);
    assert!(asked <= u64::from(POLLS) * 5, "{asked} questions");
    assert!(began.elapsed() < interval * POLLS * 3, "slots were wasted: {:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_gets_every_fifth_slot_while_both_want() {
    let (_server, redis) = Server::start().await;
    for wants in [vec![Class::Submit, Class::Poll], [[Class::Submit; 3], [Class::Poll; 3]].concat()]
    {
        let seen = watch(&redis, book, &wants, 41).await;
        let polls: Vec<_> =
            seen.iter().enumerate().filter(|(_, s)| s.1 == Class::Poll).map(|(i, _)| i).collect();
        let gaps: Vec<_> = polls.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(polls.len() >= 6, "polls starve: {polls:?}");
        // Until both want at once, and after the first of them is stopped, the rule is silent.
        assert!(gaps[1..gaps.len() - 1].iter().all(|gap| *gap >= 5), "polls push in: {polls:?}");
        let _: () = redis.clone().del(KEY).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_wants_alone_gets_every_slot() {
    let (_server, redis) = Server::start().await;
    for class in [Class::Submit, Class::Poll] {
        let seen = watch(&redis, book, &[class; 3], 12).await;
        let whole = seen[11].0 - seen[0].0;
        assert!(whole < INTERVAL * 18, "{class:?} waited for nobody: {whole:?}");
        let _: () = redis.clone().del(KEY).await.unwrap();
    }
}

#[tokio::test]
async fn a_submission_goes_before_a_poll_and_waits_two_intervals_at_most() {
    let (_server, redis) = Server::start().await;
    // Long enough for nothing to be due while this test runs.
    let pace = Pace::new(redis, "p", Duration::from_secs(60));
    assert_eq!(granted(pace.reserve(Class::Submit).await.unwrap()), Duration::ZERO);
    let busy = denied(pace.reserve(Class::Poll).await.unwrap());
    assert_eq!(busy.why, Why::Busy);
    assert!(busy.retry_in <= Duration::from_secs(60));
    for waits in [60, 120] {
        let wait = granted(pace.reserve(Class::Submit).await.unwrap());
        assert!(wait <= Duration::from_secs(waits) && wait > Duration::from_secs(waits - 30));
    }
    let busy = denied(pace.reserve(Class::Submit).await.unwrap());
    assert!(busy.why == Why::Busy && busy.retry_in <= Duration::from_secs(60));
}

#[tokio::test]
async fn a_poll_that_died_holds_up_nobody() {
    let (_server, redis) = Server::start().await;
    let pace = pace(&redis);
    let _ = pace.acquire(Class::Submit).await.unwrap().unwrap();
    denied(pace.reserve(Class::Poll).await.unwrap()); // wants, and never comes back
    let begun = Instant::now();
    for _ in 0..10 {
        while pace.acquire(Class::Submit).await.unwrap().is_err() {
            tokio::time::sleep(INTERVAL / 4).await;
        }
    }
    let took = begun.elapsed();
    assert!(took < INTERVAL * 20, "{took:?}");
    let streak: u32 = redis.clone().hget(KEY, "streak").await.unwrap();
    assert_eq!(streak, 0, "the dead poll still counts as wanting");
}

#[tokio::test]
async fn a_pause_holds_for_its_class_and_is_never_shortened() {
    let (_server, redis) = Server::start().await;
    let pace = pace(&redis);
    let (long, short) = (Duration::from_secs(3600), Duration::from_secs(1));
    let submit = Scope::Only(Class::Submit);
    pace.pause(submit, long, PauseReason::ScansExhausted).await.unwrap();
    pace.pause(Scope::All, short, PauseReason::Throttled).await.unwrap();

    let stopped = denied(pace.reserve(Class::Submit).await.unwrap());
    assert_eq!(stopped.why, Why::Paused(PauseReason::ScansExhausted));
    assert!(stopped.retry_in > long / 2 && stopped.retry_in <= long);
    let stopped = denied(pace.reserve(Class::Poll).await.unwrap());
    assert_eq!(stopped.why, Why::Paused(PauseReason::Throttled));

    let state = pace.state().await.unwrap();
    assert_eq!(state.submit.unwrap().reason, PauseReason::ScansExhausted);
    assert_eq!(
        state.poll.unwrap().until - state.poll.unwrap().since,
        chrono::TimeDelta::seconds(1)
    );
    assert_eq!(state.credentials, None);

    tokio::time::sleep(stopped.retry_in).await;
    assert_eq!(granted(pace.reserve(Class::Poll).await.unwrap()), Duration::ZERO);
    denied(pace.reserve(Class::Submit).await.unwrap());
}

#[tokio::test]
async fn bad_credentials_stop_all_but_one_call_until_they_are_cleared() {
    let (_server, redis) = Server::start().await;
    let pace = pace(&redis);
    let every = INTERVAL * 5;
    pace.pause_credentials("print-1", 401, every).await.unwrap();
    for class in [Class::Submit, Class::Poll] {
        let stopped = denied(pace.reserve(class).await.unwrap());
        assert!(stopped.why == Why::Credentials && stopped.retry_in <= every);
    }
    let since = pace.state().await.unwrap().credentials.unwrap().since;
    tokio::time::sleep(every).await;
    let turn = pace.acquire(Class::Poll).await.unwrap().unwrap();
    assert!(turn.half_open, "after a while, one call may try");
    assert_eq!(denied(pace.reserve(Class::Submit).await.unwrap()).why, Why::Credentials);

    pace.pause_credentials("print-1", 403, every).await.unwrap();
    let state = pace.state().await.unwrap().credentials.unwrap();
    assert_eq!((state.since, state.fingerprint.as_str()), (since, "print-1"));
    pace.pause_credentials("print-2", 403, every).await.unwrap();
    let state = pace.state().await.unwrap().credentials.unwrap();
    assert_eq!((state.status, state.fingerprint.as_str()), (403, "print-2"));
    assert!(state.since > since);

    pace.clear_credentials().await.unwrap();
    assert_eq!(pace.state().await.unwrap().credentials, None);
    let turn = pace.acquire(Class::Submit).await.unwrap().unwrap();
    assert!(!turn.half_open);
}

#[tokio::test]
async fn a_slot_from_before_the_clock_stepped_back_is_forgotten() {
    let (_server, redis) = Server::start().await;
    let pace = pace(&redis);
    let ahead = pace.state().await.unwrap().now.timestamp_millis() + 3_600_000;
    let _: () = redis.clone().hset(KEY, "next", ahead).await.unwrap();
    assert_eq!(granted(pace.reserve(Class::Submit).await.unwrap()), Duration::ZERO);
}

#[tokio::test]
async fn scripts_that_redis_forgot_are_loaded_again() {
    let (_server, redis) = Server::start().await;
    let pace = pace(&redis);
    granted(pace.reserve(Class::Submit).await.unwrap());
    let _: () = redis::cmd("SCRIPT").arg("FLUSH").query_async(&mut redis.clone()).await.unwrap();
    granted(pace.reserve(Class::Submit).await.unwrap());
}

#[test]
fn a_slow_answer_counts_as_late_but_a_slow_network_does_not_for_ever() {
    let trips = RoundTrip::default();
    let ms = Duration::from_millis;
    assert_eq!(trips.excess(ms(2)), Duration::ZERO);
    assert_eq!(trips.excess(ms(502)), ms(500));
    let settles = (0..40).any(|_| trips.excess(ms(502)) < ms(5));
    assert!(settles);
    assert_eq!(trips.excess(ms(1)), Duration::ZERO);
}
