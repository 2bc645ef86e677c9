//! Jobs for later.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::{sync::oneshot, task::JoinHandle, time::Instant};

use super::rig::{Rig, STREAM, each, options};
use crate::queue::{Delayed, Mover, Poke, QueueOptions, ScheduleMode};

const DUE: &str = "{t}:due";

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(now.as_millis()).unwrap()
}

fn start(rig: &Rig, tick: Duration) -> (Delayed, Poke, oneshot::Sender<()>, JoinHandle<()>) {
    let delayed = Delayed::new(DUE, STREAM);
    let mover = Mover::new(rig.server.connector(), delayed.clone()).with_tick(tick);
    let poke = mover.poke();
    let (stop, stopped) = oneshot::channel::<()>();
    let run = mover.run(async {
        let _ = stopped.await;
    });
    (delayed, poke, stop, tokio::spawn(run))
}

#[tokio::test(flavor = "multi_thread")]
async fn nine_thousand_jobs_that_are_due_at_once_all_arrive() {
    let rig = Rig::new().await;
    let mut connection = rig.connection().await;
    let mut pipe = redis::pipe();
    for number in 0..9_000 {
        pipe.cmd("ZADD").arg(DUE).arg(1).arg(format!("succeed {number}")).ignore();
    }
    pipe.exec_async(&mut connection).await.unwrap();
    let (_, _, stop, mover) = start(&rig, Mover::TICK);
    let worker = rig.worker(4, QueueOptions { chunk: 100, ..options() });
    rig.log.until("all", |log| log.ends() == each(0..9_000, 1)).await;
    assert_eq!(rig.ask::<u64>(&["ZCARD", DUE]).await, 0);
    stop.send(()).unwrap();
    mover.await.unwrap();
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_comes_when_it_is_due_and_not_before() {
    let rig = Rig::new().await;
    let mut connection = rig.connection().await;
    let (delayed, poke, _stop, _mover) = start(&rig, Duration::from_secs(600));
    let worker = rig.worker(1, options());
    let due = now_ms() + 300;
    let since = Instant::now();
    let mode = ScheduleMode::Replace;
    assert!(delayed.schedule_at(&mut connection, "succeed 0", due, mode).await.unwrap());
    poke.poke();
    rig.log.until("due", |log| log.ends() == each(0..1, 1)).await;
    let took = since.elapsed();
    assert!(took >= Duration::from_millis(295) && took < Duration::from_secs(30), "{took:?}");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_modes_say_which_time_counts_for_a_job_that_is_scheduled_twice() {
    let rig = Rig::new().await;
    let mut connection = rig.connection().await;
    let delayed = Delayed::new(DUE, STREAM);
    let cases = [
        (ScheduleMode::Replace, [300, 500, 400], 400),
        (ScheduleMode::IfAbsent, [300, 200, 400], 300),
        (ScheduleMode::Earlier, [300, 200, 400], 200),
    ];
    for (mode, times, expected) in cases {
        let mut changes = Vec::new();
        for time in times {
            let change = delayed.schedule_at(&mut connection, "member", time, mode).await;
            changes.push(change.unwrap());
        }
        assert_eq!(rig.ask::<u64>(&["ZSCORE", DUE, "member"]).await, expected, "{mode:?}");
        assert!(changes[0], "the first time always counts ({mode:?})");
        assert_eq!(changes[2], mode == ScheduleMode::Replace, "{mode:?}");
        assert!(delayed.cancel(&mut connection, "member").await.unwrap());
    }
    assert!(!delayed.cancel(&mut connection, "member").await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_move_takes_at_most_500_and_says_when_the_next_is_due() {
    let rig = Rig::new().await;
    let mut connection = rig.connection().await;
    let delayed = Delayed::new(DUE, STREAM);
    for number in 0..501 {
        let member = format!("succeed {number}");
        delayed.schedule_at(&mut connection, &member, 1, ScheduleMode::Replace).await.unwrap();
    }
    let moved = delayed.move_due(&mut connection).await.unwrap();
    assert_eq!((moved.count, moved.next), (500, Some(Duration::ZERO)));
    let moved = delayed.move_due(&mut connection).await.unwrap();
    assert_eq!((moved.count, moved.next), (1, None));
    let later = now_ms() + 60_000;
    let mode = ScheduleMode::IfAbsent;
    delayed.schedule_at(&mut connection, "succeed 0", later, mode).await.unwrap();
    let next = delayed.move_due(&mut connection).await.unwrap().next.unwrap();
    assert!(next > Duration::from_secs(50) && next <= Duration::from_secs(61), "{next:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mover_survives_a_restart_of_redis() {
    let mut rig = Rig::new().await;
    let (delayed, _, _stop, _mover) = start(&rig, Duration::from_millis(50));
    let worker = rig.worker(1, options());
    rig.server.kill();
    rig.server.restart().await;
    let mut connection = rig.connection().await;
    let mode = ScheduleMode::Earlier;
    delayed.schedule_at(&mut connection, "succeed 0", 1, mode).await.unwrap();
    rig.log.until("moved", |log| log.ends() == each(0..1, 1)).await;
    worker.stop().await;
}
