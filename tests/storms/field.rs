//! Where a storm takes place, from the first document to the last blow; how it ends stands in `ending`.

mod ending;
mod servers;

use std::{
    io::Write as _,
    path::PathBuf,
    time::{Duration, Instant},
};

use mixpanel_emulator::Settings;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;

use crate::{
    fleet::Fleet,
    load::{Load, Mix, now_ms},
    world::World,
};

use servers::Servers;
pub(crate) use servers::Topology;

/// Between two calls, and what the emulator sees of it at least: Mixpanel's limit leaves 100 ms for the way and for a busy
/// machine, and so does this.
const INTERVAL: Duration = Duration::from_millis(150);
pub(crate) const GAP_MS: f64 = 40.0;
/// Replicas beside a primary. All are waited for: Sentinels may choose any of them.
const REPLICAS: usize = 2;
/// Ids in a batch.
const BATCH: usize = 40;

/// Whether the full form is wanted.
pub(crate) fn full() -> bool {
    std::env::var("STORM").is_ok_and(|form| form == "full")
}

/// The short or the full number.
pub(crate) fn scaled(short: usize, long: usize) -> usize {
    if full() { long } else { short }
}

/// What a storm needs.
pub(crate) struct Plan {
    pub(crate) name: &'static str,
    pub(crate) requests: usize,
    pub(crate) replicas: usize,
    pub(crate) mix: Mix,
    pub(crate) emulator: Settings,
    /// Further arguments of redis-server.
    pub(crate) redis: &'static [&'static str],
    /// Which Redis: `redis` is for the one server.
    pub(crate) on: Topology,
    /// Shortest time between two calls by the emulator's clock.
    pub(crate) gap_ms: f64,
    /// Further variables for the replicas.
    pub(crate) variables: Vec<(&'static str, String)>,
}

impl Plan {
    pub(crate) fn new(name: &'static str, requests: usize) -> Self {
        Self {
            name,
            requests,
            replicas: 3,
            mix: Mix::ALL,
            emulator: Settings { task_polls: Some(2), ..World::quick() },
            redis: &[],
            on: Topology::One,
            gap_ms: GAP_MS,
            variables: Vec::new(),
        }
    }

    pub(crate) fn with(mut self, variable: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((variable, value.into()));
        self
    }
}

/// A world with replicas and producers.
pub(crate) struct Field {
    name: &'static str,
    pub(crate) world: World,
    pub(crate) servers: Servers,
    pub(crate) fleet: Fleet,
    pub(crate) load: Load,
    pub(crate) dice: StdRng,
    seed: u64,
    history: PathBuf,
    archives: PathBuf,
    requests: usize,
    gap_ms: f64,
    strikes: usize,
    began: Instant,
}

impl Field {
    /// Redis, emulator and all replicas, but no requests yet.
    pub(crate) async fn new(plan: Plan) -> Self {
        let seed = std::env::var("STORM_SEED").ok().and_then(|text| text.parse().ok());
        let seed = seed.unwrap_or_else(|| rand::random::<u64>() >> 32);
        println!("{}: STORM_SEED={seed}", plan.name);
        let mut world = World::on(plan.emulator, plan.redis).await;
        for (variable, value) in [
            ("GDPR_BATCH_DELETION", BATCH.to_string()),
            ("GDPR_BATCH_RETRIEVAL", BATCH.to_string()),
            ("GDPR_REQUEST_INTERVAL", format!("{}ms", INTERVAL.as_millis())),
            ("GDPR_CALL_TIMEOUT", "2s".to_owned()),
            ("GDPR_SEND_LEASE", "3s".to_owned()),
            ("GDPR_UNKNOWN_WAIT_DELETION", "300ms".to_owned()),
            ("GDPR_UNKNOWN_WAIT_RETRIEVAL", "300ms".to_owned()),
            ("GDPR_JOB_LEASE", "2s".to_owned()),
            ("GDPR_BACKOFF_MIN", "100ms".to_owned()),
            ("GDPR_BACKOFF_MAX", "2s".to_owned()),
            ("GDPR_LOG", "info".to_owned()),
        ] {
            world.set(variable, value);
        }
        if full() {
            // Hundreds of tasks at once: each is asked for less often, or asking is all that happens.
            world.set("GDPR_POLL_MIN", "500ms");
            world.set("GDPR_POLL_MAX", "5s");
        }
        for (variable, value) in plan.variables {
            world.set(variable, value);
        }
        let servers = Servers::start(plan.on, &mut world).await;
        let replicas = if plan.on == Topology::Sentinels { REPLICAS } else { 0 };
        if replicas > 0 {
            world.set("GDPR_REDIS_REPLICAS", replicas.to_string());
        }
        let history = world.folder().join("history");
        std::fs::create_dir(&history).unwrap();
        std::fs::write(history.join("kills.jsonl"), "").unwrap();
        let mut fleet = Fleet::new(world.environment().clone(), world.folder());
        for _ in 0..plan.replicas {
            fleet.start(&[]);
        }
        let url = servers.url(&world);
        let mut load = Load::new(&url, plan.mix, StdRng::seed_from_u64(seed ^ 1), &history);
        load.wait_for_replicas(replicas);
        Self {
            name: plan.name,
            archives: world.archives(),
            world,
            servers,
            fleet,
            load,
            dice: StdRng::seed_from_u64(seed),
            seed,
            history,
            requests: plan.requests,
            gap_ms: plan.gap_ms,
            strikes: 0,
            began: Instant::now(),
        }
    }

    /// Enqueues everything, and strikes so many times while that goes on.
    pub(crate) async fn storm(&mut self, strikes: usize, mut strike: impl AsyncFnMut(&mut Self)) {
        let each = self.requests / (strikes + 1);
        for _ in 0..strikes {
            self.load.enqueue(each).await;
            // Many strikes are spread over all that happens to a request, not over its first seconds.
            self.pause(if full() { 300..2700 } else { 50..400 }).await;
            strike(self).await;
            self.fleet.tend();
        }
        self.load.enqueue(self.requests - each * strikes).await;
    }

    /// Lets some time pass, as chance has it.
    pub(crate) async fn pause(&mut self, ms: std::ops::Range<u64>) {
        tokio::time::sleep(Duration::from_millis(self.dice.random_range(ms))).await;
    }

    /// Some replica.
    pub(crate) fn anyone(&mut self) -> usize {
        self.dice.random_range(0..self.fleet.len())
    }

    /// Says that the archives are not in the world's own folder.
    pub(crate) fn keep_archives_in(&mut self, folder: PathBuf) {
        self.archives = folder;
    }

    /// Notes a blow for the checker.
    pub(crate) fn note(&mut self, what: &str) {
        self.strikes += 1;
        let path = self.history.join("kills.jsonl");
        let mut journal = std::fs::OpenOptions::new().append(true).open(path).unwrap();
        writeln!(journal, "{}", json!({ "ms": now_ms(), "what": what })).unwrap();
    }
}
