//! The emulator of Mixpanel: its log, its settings, its faults.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mixpanel_emulator::{Config, Running, Settings};
use serde_json::Value;

/// A record as it reached Mixpanel.
pub(crate) struct Arrival {
    /// When the first byte of its call arrived, in Unix microseconds; never later than it was.
    pub(crate) at_us: u64,
    /// What it says.
    pub(crate) record: Value,
}

pub(crate) struct Emulator {
    /// The Unix microsecond at which the emulator's clock began.
    began_us: u64,
    running: Running,
    http: reqwest::Client,
}

impl Emulator {
    pub(crate) async fn start(settings: Settings) -> Self {
        let running = mixpanel_emulator::start(Config { settings, ..Config::default() }).await;
        let mut emulator =
            Self { began_us: 0, running: running.unwrap(), http: reqwest::Client::new() };
        let asked = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let clock: Value = serde_json::from_str(&emulator.get("clock").await).unwrap();
        let past = Duration::from_secs_f64(clock["seconds"].as_f64().unwrap());
        let began = asked.checked_sub(past).unwrap();
        emulator.began_us = u64::try_from(began.as_micros()).unwrap();
        emulator
    }

    pub(crate) fn url(&self) -> String {
        self.running.url()
    }

    /// Host and port, as `GDPR_EXPORT_HOSTS` wants them.
    pub(crate) fn host(&self) -> String {
        self.running.address().to_string()
    }

    async fn get(&self, path: &str) -> String {
        let url = format!("{}/_emulator/{path}", self.url());
        self.http.get(url).send().await.unwrap().text().await.unwrap()
    }

    async fn post(&self, path: &str, body: Value) {
        let url = format!("{}/_emulator/{path}", self.url());
        let answer = self.http.post(url).json(&body).send().await.unwrap();
        let status = answer.status();
        assert!(
            status.is_success(),
            "the emulator refused {path}: {}",
            answer.text().await.unwrap()
        );
    }

    /// The calls so far that have one of these kinds (words separated by a blank).
    pub(crate) async fn calls(&self, kinds: &str) -> Vec<Value> {
        let log = self.get("log").await;
        let calls = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        calls.filter(|call| kinds.split(' ').any(|kind| call["kind"] == kind)).collect()
    }

    /// The number of the last call, given one that was made before.
    pub(crate) async fn last_call(&self, since: u64) -> u64 {
        let log = self.get(&format!("log?since={since}")).await;
        let last = log.lines().next_back().map(|line| serde_json::from_str::<Value>(line).unwrap());
        last.and_then(|call| call["seq"].as_u64()).unwrap_or(since)
    }

    /// Every record that arrived at the ingestion API, in order, whatever it was answered.
    pub(crate) async fn records(&self) -> Vec<Arrival> {
        let kept = self.get("ingested").await;
        let arrival = |line: &str| {
            let mut kept: Value = serde_json::from_str(line).unwrap();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time")]
            let us = (kept["ms"].as_f64().unwrap() * 1000.0) as u64;
            Arrival { at_us: self.began_us + us, record: kept["record"].take() }
        };
        kept.lines().map(arrival).collect()
    }

    /// Calls that created a task.
    pub(crate) async fn created(&self, kind: &str) -> Vec<Value> {
        let calls = self.calls(kind).await;
        calls.into_iter().filter(|call| call["acted"] == true).collect()
    }

    /// Somebody else creates a task by hand, a `retrieval` or `deletion`; returns its id.
    pub(crate) async fn create_by_hand(&self, kind: &str, ids: &[&str]) -> String {
        let url = format!("{}/api/app/data-{kind}s/v3.0/?token=emulator-project-token", self.url());
        let body = serde_json::json!({ "distinct_ids": ids, "compliance_type": "GDPR" });
        let call = self.http.post(url).bearer_auth("emulator-oauth-token").json(&body);
        assert!(call.send().await.unwrap().status().is_success());
        let tasks = self.created(&format!("create-{kind}")).await;
        tasks[0]["task"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn stats(&self) -> Value {
        serde_json::from_str(&self.get("stats").await).unwrap()
    }

    /// What Mixpanel has of a person, as lines.
    pub(crate) async fn person(&self, id: &str) -> String {
        self.get(&format!("person?project=emulator-project-token&id={id}")).await
    }

    pub(crate) async fn fault(&self, rule: Value) {
        self.post("faults", rule).await;
    }

    pub(crate) async fn heal(&self) {
        let url = format!("{}/_emulator/faults", self.url());
        self.http.delete(url).send().await.unwrap();
    }

    pub(crate) async fn change(&self, settings: Value) {
        self.post("settings", settings).await;
    }

    /// Ends (or changes) a task now.
    pub(crate) async fn force(&self, task: &str, status: &str) {
        self.post("tasks", serde_json::json!({ "task": task, "status": status })).await;
    }
}
