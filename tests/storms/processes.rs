//! Workers die, and workers stand still for longer than their leases.

use std::time::Duration;

use crate::{
    field::{Field, Plan, scaled},
    world::Signal,
};

/// A call that was on the wire when its worker died is repeated for a recorded reason; most kills hit none.
const EXTRA_POSTS_PER_KILL: f64 = 0.1;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills() {
    let strikes = scaled(6, 300);
    let mut field = Field::new(Plan::new("kills", scaled(400, 20_000))).await;
    field
        .storm(strikes, async |field| {
            let victim = field.anyone();
            field.fleet.kill(victim);
            field.note("worker");
        })
        .await;
    let sums = field.verdict().await.figures;
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let (extra, kills) = (sums.extra_tasks as f64, sums.kills as f64);
    println!("kills: {extra} extra tasks, {:.3} a kill", extra / kills);
    assert!(extra <= (kills * EXTRA_POSTS_PER_KILL).max(1.0), "{extra} extra tasks, {kills} kills");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn standstills() {
    let mut field = Field::new(Plan::new("standstills", scaled(300, 5000))).await;
    field
        .storm(scaled(3, 50), async |field| {
            let victim = field.anyone();
            field.fleet.signal(victim, Signal::Stop);
            // Longer than the leases of jobs (2 s), at times longer than that of a batch (3 s).
            field.pause(2500..4500).await;
            field.fleet.signal(victim, Signal::Continue);
            field.note("standstill");
        })
        .await;
    field.verdict().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_replicas() {
    let plan = Plan { replicas: 8, ..Plan::new("eight-replicas", scaled(400, 20_000)) };
    let mut field = Field::new(plan).await;
    field
        .storm(scaled(4, 40), async |_| tokio::time::sleep(Duration::from_millis(100)).await)
        .await;
    let sums = field.verdict().await.figures;
    assert_eq!((sums.extra_tasks, sums.unknown), (0, 0), "nobody died, so nothing is unknown");
}
