//! The primary of Redis is killed or stands still, again and again, and another one takes over.

use crate::{
    field::{Field, Plan, Topology, scaled},
    world::Signal,
};

/// What was acknowledged was on all servers, so each failover keeps it. A call on the wire may wait as long as a failover
/// takes for its record, so leases are longer than that. A slot that was booked in the last moment may be forgotten: then one
/// call comes early, and the pace is not judged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: run it by name with --include-ignored"]
async fn failovers() {
    let plan =
        Plan { on: Topology::Sentinels, gap_ms: 0.0, ..Plan::new("failovers", scaled(300, 4000)) };
    let plan = plan.with("GDPR_CALL_TIMEOUT", "5s").with("GDPR_SEND_LEASE", "15s");
    let mut field = Field::new(plan.with("GDPR_JOB_LEASE", "3s")).await;
    let mut turn = 0;
    field
        .storm(scaled(2, 20), async |field| {
            let set = field.servers.sentinels();
            let before = set.until_whole().await;
            turn += 1;
            if turn % 2 == 0 {
                // It comes back believing that it is the primary.
                set.servers[before].signal(Signal::Stop);
                set.until_another_than(before).await;
                set.servers[before].signal(Signal::Continue);
            } else {
                set.servers[before].kill();
                let now = set.until_another_than(before).await;
                let port = set.servers[now].port.to_string();
                set.servers[before].restart(&["--replicaof", "127.0.0.1", &port]);
            }
            field.servers.sentinels().until_whole().await;
            field.note("failover");
        })
        .await;
    field.verdict().await;
}
