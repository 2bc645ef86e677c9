//! The world of one story: a Redis, an emulator and workers of its own, gone when the story ends.
//!
//! Waiting is always for something that can be seen, with a deadline generous enough for a busy machine.

mod bucket;
mod emulator;
mod events;
mod files;
mod judgement;
mod process;
mod redis_server;
mod tls;
mod topology;
mod worker;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use gdpr_worker::queue::{Authorities, Connection, Connector};
use mixpanel_emulator::Settings;
use serde_json::Value;

pub(crate) use bucket::Bucket;
pub(crate) use emulator::Emulator;
pub(crate) use events::{event, tag};
pub(crate) use files::{files, is_archive};
pub(crate) use judgement::Asked;
#[allow(unused_imports, reason = "for storms")]
pub(crate) use process::Server;
pub(crate) use process::{Signal, free_port};
pub(crate) use redis_server::RedisServer;
pub(crate) use tls::{Authority, Tap, cluster_of_one, guarded, watched};
pub(crate) use topology::{Cluster, Sentinels, replica, valkey};
pub(crate) use worker::Worker;

/// How long a story waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
/// Secret of the tests; the tags in them follow from it.
pub(crate) const PEPPER: &str = "0123456789abcdef0123456789abcdef";

pub(crate) struct World {
    pub(crate) redis: RedisServer,
    pub(crate) emulator: Emulator,
    folder: tempfile::TempDir,
    environment: HashMap<String, String>,
    connection: Connection,
}

impl World {
    /// A world whose emulator is quick: no gap between calls, a stage of a task per poll.
    pub(crate) async fn new() -> Self {
        Self::with(Self::quick()).await
    }

    pub(crate) fn quick() -> Settings {
        Settings {
            min_gap_ms: 0,
            task_polls: Some(1),
            keep_records: 500_000,
            ..Settings::default()
        }
    }

    /// Tasks that stay where they are until the story moves them.
    pub(crate) fn patient() -> Settings {
        Settings { task_polls: None, task_seconds: 3600.0, ..Self::quick() }
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        Self::on(settings, &[]).await
    }

    /// A world whose Redis has these further arguments.
    pub(crate) async fn on(settings: Settings, redis: &'static [&'static str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let redis = RedisServer::start(folder.path(), redis);
        let emulator = Emulator::start(settings).await;
        let connection = Connector::new(&redis.url()).unwrap().shared().await.unwrap();
        let environment = [
            ("GDPR_REDIS_URL", redis.url()),
            ("GDPR_PEPPER", PEPPER.to_owned()),
            ("GDPR_ARCHIVE_URL", format!("file://{}", folder.path().join("archives").display())),
            ("GDPR_EXPORT_HOSTS", emulator.host()),
            ("GDPR_LINGER", "100ms".to_owned()),
            ("GDPR_LISTEN", "off".to_owned()),
            ("GDPR_POLL_MAX", "200ms".to_owned()),
            ("GDPR_POLL_MIN", "50ms".to_owned()),
            ("GDPR_REQUEST_INTERVAL", "20ms".to_owned()),
            ("MIXPANEL_API_URL", format!("{}/api/app", emulator.url())),
            ("MIXPANEL_INGESTION_URL", emulator.url()),
            ("MIXPANEL_OAUTH_TOKEN", "emulator-oauth-token".to_owned()),
            ("MIXPANEL_PROJECT_TOKEN", "emulator-project-token".to_owned()),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value)).into();
        Self { redis, emulator, folder, environment, connection }
    }

    /// Sets a variable for workers and commands that start from now on.
    pub(crate) fn set(&mut self, variable: &str, value: impl Into<String>) {
        self.environment.insert(variable.to_owned(), value.into());
    }

    pub(crate) fn unset(&mut self, variable: &str) {
        self.environment.remove(variable);
    }

    /// What workers and commands find in their environment.
    pub(crate) fn environment(&self) -> &HashMap<String, String> {
        &self.environment
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn archives(&self) -> PathBuf {
        self.folder.path().join("archives")
    }

    /// Starts a worker and waits until it works.
    pub(crate) async fn worker(&self) -> Worker {
        Worker::start(&self.environment, self.folder.path()).await
    }

    /// Runs a command of the program to its end: exit code, standard output, standard error.
    pub(crate) async fn command(&self, args: &[&str]) -> (i32, String, String) {
        worker::command(&self.environment, self.folder.path(), args, None).await
    }

    /// Runs a command that must work; returns the bytes that it printed.
    pub(crate) async fn output(&self, args: &[&str]) -> Vec<u8> {
        worker::output(&self.environment, self.folder.path(), args).await
    }

    /// The same with a text on standard input.
    pub(crate) async fn command_with(&self, args: &[&str], input: &str) -> (i32, String, String) {
        worker::command(&self.environment, self.folder.path(), args, Some(input)).await
    }

    /// One Redis command as a producer or an admin would give it.
    pub(crate) async fn ask<T: redis::FromRedisValue>(&self, command: &[&str]) -> T {
        self.try_ask(command).await.unwrap()
    }

    async fn try_ask<T: redis::FromRedisValue>(&self, command: &[&str]) -> redis::RedisResult<T> {
        let mut built = redis::cmd(command[0]);
        built.arg(&command[1..]);
        let deadline = Instant::now() + PATIENCE;
        loop {
            match built.query_async(&mut self.connection.clone()).await {
                // Redis was restarted in the story, or another server takes over.
                Err(error) if is_passing(&error) && Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                answer => return answer,
            }
        }
    }

    /// From now on, the story and what it starts use the Redis at `url`, and believe in who is set for it.
    pub(crate) async fn use_redis(&mut self, url: &str) {
        self.set("GDPR_REDIS_URL", url);
        let mut connector = Connector::new(url).unwrap().towards("gdpr:{default}:ledger");
        if let Some(file) = self.environment.get("GDPR_REDIS_CA") {
            let authorities = Authorities::from_pem(&std::fs::read(file).unwrap()).unwrap();
            connector = connector.trusting(&authorities).unwrap();
        }
        self.connection = connector.shared().await.unwrap();
    }

    /// XADDs a document and returns the id of its entry.
    pub(crate) async fn add(&self, document: &Value) -> String {
        self.add_text(&document.to_string()).await
    }

    pub(crate) async fn add_text(&self, document: &str) -> String {
        self.ask(&["XADD", "gdpr:{default}:requests", "*", "request", document]).await
    }

    /// XADDs many documents in pipelines.
    pub(crate) async fn add_many(&self, documents: impl IntoIterator<Item = Value>) -> Vec<String> {
        let documents: Vec<Value> = documents.into_iter().collect();
        let mut ids = Vec::new();
        for chunk in documents.chunks(500) {
            let mut pipe = redis::pipe();
            for document in chunk {
                pipe.cmd("XADD")
                    .arg("gdpr:{default}:requests")
                    .arg("*")
                    .arg("request")
                    .arg(document.to_string());
            }
            let some: Vec<String> = pipe.query_async(&mut self.connection.clone()).await.unwrap();
            ids.extend(some);
        }
        ids
    }

    pub(crate) async fn request(&self, id: &str) -> HashMap<String, String> {
        self.ask(&["HGETALL", &format!("gdpr:{{default}}:request:{id}")]).await
    }

    pub(crate) async fn status(&self, id: &str) -> String {
        self.request(id).await.remove("status").unwrap_or_default()
    }

    /// Waits until a request has one of the given statuses (words separated by a blank); returns its hash.
    pub(crate) async fn until(&self, id: &str, statuses: &str) -> HashMap<String, String> {
        let what = format!("request {id} {statuses}");
        self.wait(&what, async || {
            let hash = self.request(id).await;
            let status = hash.get("status").cloned().unwrap_or_default();
            statuses.split(' ').any(|wanted| wanted == status).then_some(hash)
        })
        .await
    }

    /// Waits until Mixpanel has taken the first task of a kind, whatever became of its answer.
    pub(crate) async fn until_on_the_wire(&self, kind: &str) {
        self.wait("the call on the wire", async || {
            (self.emulator.created(kind).await.len() == 1).then_some(())
        })
        .await;
    }

    /// Waits until `stats` counts what `wanted` says, field by field.
    pub(crate) async fn until_stats(&self, wanted: &[(&str, i64)]) {
        self.wait(&format!("stats {wanted:?}"), async || {
            let stats = self.stats().await;
            let is =
                |(field, count): &(&str, i64)| stats.get(*field).copied().unwrap_or(0) == *count;
            wanted.iter().all(is).then_some(())
        })
        .await;
    }

    pub(crate) async fn stats(&self) -> HashMap<String, i64> {
        self.ask(&["HGETALL", "gdpr:{default}:stats"]).await
    }

    /// Asks again and again until there is an answer.
    pub(crate) async fn wait<T>(&self, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look().await {
                return found;
            }
            if Instant::now() > deadline {
                let stats = self.stats().await;
                panic!("waited in vain for {what}; stats {stats:?}\n{}", self.logs());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Every event of the ledger: its fields. Those of whole batches name their requests here.
    pub(crate) async fn ledger(&self) -> Vec<HashMap<String, String>> {
        let entries: Vec<(String, HashMap<String, String>)> =
            self.ask(&["XRANGE", "gdpr:{default}:ledger", "-", "+"]).await;
        let mut events: Vec<_> = entries.into_iter().map(|(_, fields)| fields).collect();
        let mut batches: HashMap<String, String> = HashMap::new();
        for event in &mut events {
            let Some(batch) = event.get("batch") else { continue };
            if event.contains_key("whole_batch") {
                event.insert("requests".to_owned(), batches[batch].clone());
            } else if matches!(
                event.get("to").map(String::as_str),
                Some("submitting" | "submitted")
            ) {
                batches.insert(batch.clone(), event["requests"].clone());
            }
        }
        events
    }

    /// The statuses that a request went through, in order, by the ledger.
    pub(crate) async fn path(&self, id: &str) -> Vec<String> {
        let events = self.ledger().await;
        let of_it = events.iter().filter(|event| {
            event.get("requests").is_some_and(|all| all.split(' ').any(|one| one == id))
        });
        let mut path: Vec<String> = of_it.filter_map(|event| event.get("to").cloned()).collect();
        path.dedup();
        path
    }

    /// What the workers logged.
    pub(crate) fn logs(&self) -> String {
        let files = self.log_files();
        files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect()
    }

    /// Where they log.
    pub(crate) fn log_files(&self) -> Vec<PathBuf> {
        let all = std::fs::read_dir(self.folder()).unwrap().map(|entry| entry.unwrap().path());
        all.filter(|path| path.extension().is_some_and(|ending| ending == "log")).collect()
    }
}

/// Whether the same command may be answered later.
fn is_passing(error: &redis::RedisError) -> bool {
    error.is_io_error()
        || error.is_connection_dropped()
        || error.kind() == redis::ErrorKind::MasterNameNotFoundBySentinel
        || matches!(error.code(), Some("LOADING" | "NOREPLICAS" | "READONLY" | "MASTERDOWN"))
}

/// A request document.
pub(crate) fn document(kind: &str, ids: &[&str]) -> Value {
    serde_json::json!({ "kind": kind, "distinct_ids": ids })
}

/// The entries of a zip: name and content.
pub(crate) fn unzip(path: &str) -> HashMap<String, String> {
    let mut zip = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
    let mut entries = HashMap::new();
    for i in 0..zip.len() {
        let mut entry = zip.by_index(i).unwrap();
        let name = entry.name().unwrap().into_owned();
        let mut text = String::new();
        std::io::Read::read_to_string(&mut entry, &mut text).unwrap();
        entries.insert(name, text);
    }
    entries
}
