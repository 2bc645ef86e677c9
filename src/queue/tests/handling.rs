//! What happens to entries while Redis is well.

use std::time::{Duration, Instant};

use super::rig::{DEAD, GROUP, Rig, STREAM, each, options, until_counted};
use crate::queue::QueueOptions;

#[tokio::test(flavor = "multi_thread")]
async fn every_one_of_many_entries_is_handled_once_and_leaves_the_stream() {
    let rig = Rig::new().await;
    rig.add("succeed", 0..5_000).await;
    let options = QueueOptions { chunk: 100, prefetch: 2, ..options() };
    let workers = [rig.worker(4, options.clone()), rig.worker(4, options)];
    rig.until_empty().await;
    let done = || workers.iter().map(|worker| worker.metrics.acknowledged.get()).sum::<u64>();
    until_counted("acknowledged", 5_000, done).await;
    for worker in workers {
        worker.stop().await;
    }
    assert_eq!(rig.log.starts(), each(0..5_000, 1));
    let pending: (u64, (), (), ()) = rig.ask(&["XPENDING", STREAM, GROUP]).await;
    assert_eq!(pending.0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn undecodable_entries_go_to_the_dead_stream_and_the_others_are_handled() {
    let rig = Rig::new().await;
    rig.add("succeed", 0..3).await;
    for bad in [&b"explode 1"[..], b"\xff\xfe", b""] {
        let mut add = redis::cmd("XADD");
        add.arg(STREAM).arg("*").arg("job").arg(bad).arg(&b"\xffname"[..]).arg("x");
        add.exec_async(&mut rig.connection().await).await.unwrap();
    }
    rig.add("succeed", 3..6).await;
    let worker = rig.worker(2, QueueOptions { chunk: 10, ..options() });
    rig.until_empty().await;
    rig.log.until("good ones", |log| log.ends() == each(0..6, 1)).await;
    until_counted("undecodable", 3, || worker.metrics.undecodable.get()).await;
    assert_eq!(rig.ask::<u64>(&["XLEN", DEAD]).await, 3);
    let dead: Vec<(String, Vec<Vec<u8>>)> = rig.ask(&["XRANGE", DEAD, "-", "+"]).await;
    let fields = &dead.first().unwrap().1;
    let expected = [&b"job"[..], b"explode 1", b"\xffname", b"x", b"entry"];
    assert_eq!(&fields[..5], expected);
    assert_eq!(&fields[6..], [&b"reason"[..], b"unknown act"]);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_handler_gets_its_entry_again_until_the_cap_and_then_it_is_dead() {
    let rig = Rig::new().await;
    rig.add("fail", 0..1).await;
    rig.add("panic", 1..2).await;
    rig.add("fail-once", 2..3).await;
    rig.add("succeed", 3..4).await;
    let worker = rig.worker(1, options());
    rig.until_empty().await;
    let starts = rig.log.starts();
    assert_eq!(starts.into_iter().collect::<Vec<_>>(), [(0, 3), (1, 3), (2, 2), (3, 1)]);
    let dead = rig.dead().await;
    let reasons: Vec<_> = dead.iter().map(|fields| fields["reason"].as_str()).collect();
    assert_eq!(reasons, ["delivered 3 times without an end"; 2]);
    until_counted("dead", 2, || worker.metrics.dead.get()).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_entry_of_a_chunk_dies_alone() {
    let rig = Rig::new().await;
    rig.add("succeed", 0..10).await;
    rig.add("fail", 10..11).await;
    rig.add("succeed", 11..20).await;
    // Room for all of them: only the rule that redelivered entries travel alone parts them.
    let worker = rig.worker(1, QueueOptions { chunk: 50, prefetch: 50, ..options() });
    rig.until_empty().await;
    let ends = rig.log.ends();
    assert!((0..20).all(|number| ends.contains_key(&number) != (number == 10)), "{ends:?}");
    let dead = rig.dead().await;
    assert_eq!(dead.iter().map(|fields| &fields["job"]).collect::<Vec<_>>(), ["fail 10"]);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pause_before_a_second_try_is_kept() {
    let rig = Rig::new().await;
    let pause = Duration::from_millis(700);
    let worker = rig.worker(1, QueueOptions { retry_backoff: pause, ..options() });
    rig.add("fail-once", 0..1).await;
    rig.log.until("first try", |log| log.starts() == each(0..1, 1)).await;
    let failed = Instant::now();
    rig.log.until("second try", |log| log.ends() == each(0..1, 1)).await;
    // The clock was read a little after the failure.
    assert!(failed.elapsed() >= pause.mul_f64(0.9), "{:?}", failed.elapsed());
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_consumer_left_behind_is_taken_over_after_the_lease() {
    let rig = Rig::new().await;
    rig.add("succeed", 0..300).await;
    let _: () = rig.ask(&["XGROUP", "CREATE", STREAM, GROUP, "0"]).await;
    let read = ["XREADGROUP", "GROUP", GROUP, "dead", "COUNT", "300", "STREAMS", STREAM, ">"];
    let taken: redis::Value = rig.ask(&read).await;
    assert_ne!(taken, redis::Value::Nil);
    let since = Instant::now();
    let worker = rig.worker(2, options());
    rig.log.until("all taken over", |log| log.ends() == each(0..300, 1)).await;
    assert!(since.elapsed() >= options().lease, "not before: {:?}", since.elapsed());
    rig.until_empty().await;
    until_counted("reclaimed", 300, || worker.metrics.reclaimed.get()).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_worker_takes_nothing_from_a_slow_one_however_short_the_lease() {
    let rig = Rig::new().await;
    let slow = rig.worker(1, QueueOptions { prefetch: 4, ..options() });
    rig.add("wait", 0..5).await;
    until_counted("fetched", 5, || slow.metrics.fetched.get()).await;
    let other = rig.worker(4, options());
    for turn in 1..=5 {
        let started = move |log: &super::rig::Log| log.starts() == each(0..turn, 1);
        rig.log.until("the next in order", started).await;
        // Longer than the lease and the grace: time for a theft.
        tokio::time::sleep(options().lease * 2).await;
        rig.log.open_gate_for_one();
    }
    rig.until_empty().await;
    assert_eq!(rig.log.starts(), each(0..5, 1));
    assert_eq!(other.metrics.fetched.get(), 0);
    slow.stop().await;
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_prefetch_a_busy_worker_leaves_entries_to_an_idle_one() {
    let rig = Rig::new().await;
    let options = QueueOptions { prefetch: 0, ..options() };
    let busy = rig.worker(1, options.clone());
    rig.add("wait", 0..1).await;
    rig.log.until("busy", |log| log.starts() == each(0..1, 1)).await;
    rig.add("succeed", 1..4).await;
    let idle = rig.worker(1, options);
    rig.log.until("others", |log| log.ends() == each(1..4, 1)).await;
    assert_eq!(busy.metrics.fetched.get(), 1);
    rig.log.open_gate();
    rig.until_empty().await;
    busy.stop().await;
    idle.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_is_deleted_while_pending_is_counted_as_lost() {
    let rig = Rig::new().await;
    rig.add("succeed", 0..2).await;
    let _: () = rig.ask(&["XGROUP", "CREATE", STREAM, GROUP, "0"]).await;
    let read = ["XREADGROUP", "GROUP", GROUP, "dead", "COUNT", "1", "STREAMS", STREAM, ">"];
    let taken: Vec<(String, Vec<(String, redis::Value)>)> = rig.ask(&read).await;
    let deleted: u64 = rig.ask(&["XDEL", STREAM, &taken[0].1[0].0]).await;
    assert_eq!(deleted, 1);
    let worker = rig.worker(1, options());
    until_counted("lost", 1, || worker.metrics.lost.get()).await;
    rig.until_empty().await;
    assert_eq!(rig.log.ends(), each(1..2, 1));
    worker.stop().await;
}
