//! The end of a storm: everything final, everything enqueued a second time, silence, and the verdict.

use std::time::{Duration, Instant};

use checker::{Verdict, history::Run};
use gdpr_worker::queue::Connector;

use super::{BATCH, Field};
use crate::world::{PEPPER, files};

/// How long nothing may move before a storm counts as stuck.
const STUCK: Duration = Duration::from_secs(180);
/// How long the end must be quiet.
const QUIET: Duration = Duration::from_millis(1500);

impl Field {
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
        let redis = self.servers.holder(&self.world).await;
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
        for url in self.servers.all(&self.world) {
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
        let folder = self.world.folder().join(self.servers.folder());
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
            // A thousand tasks advance together: long before one of them ends, the ledger tells that they do.
            let events: usize = self.world.ask(&["XLEN", "gdpr:{default}:ledger"]).await;
            let now = format!("{waiting} {sorted:?}, {events} events");
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
