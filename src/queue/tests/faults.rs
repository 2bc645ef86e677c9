//! What happens when Redis does not behave.

use std::time::Duration;

use super::rig::{GROUP, Rig, STREAM, each, options};
use crate::queue::QueueOptions;

#[tokio::test(flavor = "multi_thread")]
async fn handlers_outlive_the_loss_of_every_connection() {
    let rig = Rig::new().await;
    let worker = rig.worker(3, options());
    rig.add("wait", 0..3).await;
    rig.log.until("all running", |log| log.starts() == each(0..3, 1)).await;
    for _ in 0..5 {
        let _: u64 = rig.ask(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    rig.log.open_gate();
    rig.add("succeed", 3..10).await;
    rig.until_empty().await;
    assert_eq!(rig.log.starts(), each(0..10, 1));
    assert_eq!(rig.log.ends(), each(0..10, 1));
    assert!(worker.metrics.reconnects.get() >= 1);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_redis_that_comes_back_finds_every_entry_handled_once() {
    let mut rig = Rig::new().await;
    let options = QueueOptions { lease: Duration::from_secs(2), prefetch: 2, ..options() };
    let busy = rig.worker(2, options.clone());
    rig.add("wait", 0..2).await;
    rig.log.until("all running", |log| log.starts() == each(0..2, 1)).await;
    rig.add("succeed", 2..8).await;
    let idle = rig.worker(2, QueueOptions { prefetch: 0, ..options.clone() });
    rig.log.until("the idle one has worked", |log| log.ends().len() >= 4).await;
    rig.server.kill();
    rig.log.open_gate();
    rig.log.until("handlers went on", |log| (0..2).all(|n| log.ends().contains_key(&n))).await;
    // Longer than the lease: when Redis is back, every entry looks abandoned.
    tokio::time::sleep(options.lease * 2).await;
    rig.server.restart().await;
    rig.until_empty().await;
    assert_eq!(rig.log.starts(), each(0..8, 1));
    busy.stop().await;
    idle.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stall_longer_than_the_lease_takes_nothing_from_running_handlers() {
    let rig = Rig::new().await;
    let options = QueueOptions { prefetch: 0, ..options() };
    let workers = [rig.worker(1, options.clone()), rig.worker(3, options.clone())];
    rig.add("wait", 0..2).await;
    rig.log.until("all running", |log| log.starts() == each(0..2, 1)).await;
    let _: () = rig.ask(&["DEBUG", "SLEEP", "5"]).await;
    // Time for a theft, if one were possible.
    tokio::time::sleep(options.lease * 3).await;
    rig.log.open_gate();
    rig.until_empty().await;
    assert_eq!(rig.log.starts(), each(0..2, 1));
    for worker in workers {
        worker.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flushed_redis_heals_by_itself() {
    let rig = Rig::new().await;
    let worker = rig.worker(2, options());
    rig.add("succeed", 0..5).await;
    rig.until_empty().await;
    rig.add("wait", 5..6).await;
    rig.log.until("one running", |log| log.starts().contains_key(&5)).await;
    let _: () = rig.ask(&["FLUSHALL"]).await;
    rig.add("succeed", 6..10).await;
    rig.log.open_gate();
    // The entry that was running went with the flush: an empty stream does not tell that its handler has ended.
    rig.log.until("all ended", |log| log.ends() == each(0..10, 1)).await;
    rig.until_empty().await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_whose_answer_was_lost_are_found_again() {
    let rig = Rig::new().await;
    let worker = rig.worker(1, QueueOptions { lease: Duration::from_secs(600), ..options() });
    rig.add("succeed", 0..1).await;
    rig.until_empty().await;
    // Redis gave an entry to our consumer and the answer never came: read it in its name.
    let name = &worker.consumer;
    let mut steal = redis::pipe();
    steal.atomic();
    steal.cmd("XADD").arg(STREAM).arg("*").arg("job").arg("succeed 1").ignore();
    steal.cmd("XREADGROUP").arg("GROUP").arg(GROUP).arg(name).arg("STREAMS").arg(STREAM);
    steal.arg(">").ignore();
    steal.exec_async(&mut rig.connection().await).await.unwrap();
    let _: u64 = rig.ask(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await;
    rig.log.until("found", |log| log.ends() == each(0..2, 1)).await;
    rig.until_empty().await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_stream_that_takes_nothing_loses_nothing_and_stops_nothing() {
    let rig = Rig::new().await;
    let _: () = rig.ask(&["SET", super::rig::DEAD, "in the way"]).await;
    let _: String = rig.ask(&["XADD", STREAM, "*", "job", "explode 1"]).await;
    rig.add("succeed", 0..5).await;
    let worker = rig.worker(1, options());
    rig.log.until("the others", |log| log.ends() == each(0..5, 1)).await;
    let _: u64 = rig.ask(&["DEL", super::rig::DEAD]).await;
    rig.until_empty().await;
    assert_eq!(rig.dead().await.len(), 1);
    worker.stop().await;
}
