//! Where a storm takes place: from the first document to the verdict.

use std::{
    io::Write as _,
    path::PathBuf,
    time::{Duration, Instant},
};

use checker::{Verdict, history::Run};
use gdpr_worker::queue::Connector;
use mixpanel_emulator::Settings;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;

use crate::{
    fleet::Fleet,
    load::{Load, Mix, now_ms},
    world::{PEPPER, Sentinels, Server, World, files},
};

/// How long nothing may move before a storm counts as stuck.
const STUCK: Duration = Duration::from_secs(180);
/// How long the end must be quiet.
const QUIET: Duration = Duration::from_millis(1500);
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
    /// Whether Redis is a primary with two replicas that three Sentinels watch.
    pub(crate) sentinels: bool,
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
            sentinels: false,
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
    pub(crate) sentinels: Option<Sentinels>,
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
        let mut sentinels = None;
        if plan.sentinels {
            let set = Sentinels::start(&world.folder().join("set")).await;
            world.use_redis(&set.url()).await;
            world.set("GDPR_REDIS_REPLICAS", REPLICAS.to_string());
            sentinels = Some(set);
        }
        let history = world.folder().join("history");
        std::fs::create_dir(&history).unwrap();
        std::fs::write(history.join("kills.jsonl"), "").unwrap();
        let mut fleet = Fleet::new(world.environment().clone(), world.folder());
        for _ in 0..plan.replicas {
            fleet.start(&[]);
        }
        let url = sentinels.as_ref().map_or_else(|| world.redis.url(), Sentinels::url);
        let mut load = Load::new(&url, plan.mix, StdRng::seed_from_u64(seed ^ 1), &history);
        load.wait_for_replicas(if plan.sentinels { REPLICAS } else { 0 });
        Self {
            name: plan.name,
            archives: world.archives(),
            world,
            sentinels,
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

    /// Waits for the end of everything, enqueues it a second time, and has the history judged.
    pub(crate) async fn verdict(mut self) -> Verdict {
        self.world.emulator.heal().await;
        self.until_final().await;
        let replayed = self.world.mark().await;
        self.load.repeat().await;
        self.until_final().await;
        self.until_tidy().await;
        self.until_quiet().await;
        let searched = self.logs_and_file().await;
        let run = Run {
            pepper: PEPPER.to_owned(),
            batch_retrieval: BATCH,
            batch_deletion: BATCH,
            min_gap_ms: self.gap_ms,
            quiet_ms: u64::try_from(QUIET.as_millis()).unwrap(),
            replayed: Some(replayed),
            archives: Some(self.archives.display().to_string()),
            canaries: vec!["emulator-oauth-token".to_owned(), "emulator-project-token".to_owned()],
            searched,
            ..Run::default()
        };
        let redis = match &self.sentinels {
            Some(set) => set.servers[set.until_whole().await].url(),
            None => self.world.redis.url(),
        };
        let verdict = self.world.judge_history(&self.history, &run, &redis).await;
        println!(
            "{} (STORM_SEED={}): {} blows in {} s, {} replicas ended by themselves\n{verdict}",
            self.name,
            self.seed,
            self.strikes,
            self.began.elapsed().as_secs(),
            self.fleet.ended,
        );
        if !verdict.violated().is_empty() {
            let kept = std::env::temp_dir().join(format!("storm-{}-{}", self.name, self.seed));
            let copied = std::process::Command::new("cp")
                .arg("-r")
                .arg(self.world.folder())
                .arg(&kept)
                .status();
            panic!(
                "violated: {:?}; kept for a look: {} ({copied:?})",
                verdict.violated(),
                kept.display()
            );
        }
        assert_eq!(verdict.undecided(), Vec::<&str>::new(), "the history lacks something");
        verdict
    }

    /// Drafts of replicas that died are removed by those that start later.
    async fn until_tidy(&mut self) {
        let deadline = Instant::now() + STUCK;
        while self.drafts() {
            assert!(Instant::now() < deadline, "{}: drafts are left in the store", self.name);
            for number in 0..self.fleet.len() {
                self.fleet.roll(number).await;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    fn drafts(&self) -> bool {
        let Ok(folder) = std::fs::read_dir(&self.archives) else { return false };
        folder.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with(".tmp-"))
    }

    /// What nobody's id may be found in now: what the replicas logged, and Redis' files, written anew.
    async fn logs_and_file(&self) -> Vec<String> {
        let (urls, folder) = match &self.sentinels {
            Some(set) => (set.servers.iter().map(Server::url).collect(), "set"),
            None => (vec![self.world.redis.url()], "redis"),
        };
        for url in urls {
            let mut connection = Connector::new(&url).unwrap().connect().await.unwrap();
            let rewrite = redis::cmd("BGREWRITEAOF");
            rewrite.query_async::<String>(&mut connection).await.unwrap();
            self.world
                .wait("the end of the rewrite", async || {
                    let mut info = redis::cmd("INFO");
                    let info = info.arg("persistence").query_async::<String>(&mut connection).await;
                    info.unwrap().contains("aof_rewrite_in_progress:0\r").then_some(())
                })
                .await;
        }
        let folder = self.world.folder().join(folder);
        let of_redis = files(&folder).into_iter().map(|file| folder.join(file));
        let all = self.world.log_files().into_iter().chain(of_redis);
        all.map(|path| path.display().to_string()).collect()
    }

    /// Waits until nothing is open; a person decides about what is held.
    pub(crate) async fn until_final(&mut self) {
        let (mut before, mut since) = (String::new(), Instant::now());
        loop {
            self.fleet.tend();
            let waiting: usize = self.world.ask(&["XLEN", "gdpr:{default}:requests"]).await;
            let stats = self.world.stats().await;
            let open = |status: &str| -> i64 {
                stats.iter().filter(|(name, _)| name.ends_with(status)).map(|(_, n)| *n).sum()
            };
            let going: i64 =
                [".queued", ".submitting", ".submitted", ".packaging"].map(open).iter().sum();
            let held = open(".held");
            if waiting == 0 && going == 0 && held == 0 {
                return;
            }
            // What is queued may wait for something that is held.
            if waiting == 0 && held > 0 && (going == 0 || since.elapsed() > QUIET) {
                self.decide().await;
            }
            let mut sorted: Vec<_> = stats.into_iter().collect();
            sorted.sort();
            let now = format!("{waiting} {sorted:?}");
            if now != before {
                (before, since) = (now, Instant::now());
            }
            assert!(since.elapsed() < STUCK, "{}: nothing moves any more: {before}", self.name);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Held requests go again, as an admin would have it who looked in Mixpanel.
    async fn decide(&self) {
        let due: Vec<String> = self.world.ask(&["ZRANGE", "gdpr:{default}:due", "0", "-1"]).await;
        for id in due {
            if self.world.status(&id).await == "held" {
                self.world.command(&["retry", &id]).await;
            }
        }
    }

    /// Waits until no call was made for a while and nobody holds a job.
    async fn until_quiet(&self) {
        self.world
            .wait("the end of all jobs", async || {
                let moved: usize = self.world.ask(&["XLEN", "gdpr:{default}:work"]).await;
                let later: Vec<String> =
                    self.world.ask(&["ZRANGE", "gdpr:{default}:work:delayed", "0", "-1"]).await;
                // These are for their own time.
                let of_old = |job: &String| {
                    ["sweep", "reconcile", "expire/"].iter().any(|kind| job.starts_with(kind))
                };
                (moved == 0 && later.iter().all(of_old)).then_some(())
            })
            .await;
        self.world.until_wire_is_empty().await;
        let (mut calls, mut since) = (self.world.emulator.last_call(0).await, Instant::now());
        let deadline = Instant::now() + STUCK;
        while since.elapsed() < QUIET * 2 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let now = self.world.emulator.last_call(calls).await;
            if now != calls {
                (calls, since) = (now, Instant::now());
            }
            assert!(
                Instant::now() < deadline,
                "{}: calls go on after the end of everything",
                self.name
            );
        }
    }
}
