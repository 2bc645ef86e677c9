//! More than one Redis, and another one: workers die, and so do the servers, which come back with their data.

use crate::field::{Field, Plan, Topology, scaled};

/// The server that has the project is killed, one that has nothing of it, and workers, by turns.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cluster() {
    let plan = Plan { on: Topology::Cluster, ..Plan::new("cluster", scaled(300, 6000)) };
    let mut field = Field::new(plan).await;
    let holder = field.servers.cluster().holder("default").await;
    let mut turn = 0;
    field
        .storm(scaled(3, 30), async |field| {
            turn += 1;
            if turn % 3 == 0 {
                let victim = field.anyone();
                field.fleet.kill(victim);
                field.note("worker");
                return;
            }
            let victim = (holder + turn % 3 - 1) % 3;
            field.servers.cluster().servers[victim].kill();
            // Shorter than it takes until the others give it up: there is nobody to take its place.
            field.pause(50..1500).await;
            field.servers.cluster().servers[victim].restart(&[]);
            field.servers.cluster().until_whole().await;
            field.note("redis");
        })
        .await;
    field.verdict().await;
}

/// A Valkey that syncs once a second, and workers that wait for it, are killed by turns.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn valkey() {
    let plan = Plan { on: Topology::Valkey, ..Plan::new("valkey", scaled(300, 6000)) };
    let mut field = Field::new(plan).await;
    let mut turn = 0;
    field
        .storm(scaled(3, 30), async |field| {
            turn += 1;
            if turn % 2 == 0 {
                let victim = field.anyone();
                field.fleet.kill(victim);
                field.note("worker");
            } else {
                field.servers.valkey().kill();
                field.pause(50..1500).await;
                field.servers.valkey().restart(&[]);
                field.note("redis");
            }
        })
        .await;
    field.verdict().await;
}
