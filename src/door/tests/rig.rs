//! A door over a Redis of the test's own.

use std::{
    collections::HashMap,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode},
};
use gdpr_jobs::Project;
use http_body_util::BodyExt as _;
use redis::FromRedisValue;
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt as _;

use crate::{
    config::DoorConfig,
    door::{Counters, DoorProject, intake::Peer, router},
    queue::{Connection, Connector, Durability, Gate},
};

pub(super) const KEY: &str = "an application key of many bytes";
const PATIENCE: Duration = Duration::from_secs(60);

/// A Redis on a Unix socket; it dies with the test.
pub(super) struct RedisServer {
    data: TempDir,
    process: Child,
}

impl RedisServer {
    pub(super) fn start() -> Self {
        let data = TempDir::new().unwrap();
        let process = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--maxmemory-policy", "noeviction"])
            .arg("--unixsocket")
            .arg(socket(&data))
            .arg("--dir")
            .arg(data.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self { data, process }
    }

    pub(super) fn connector(&self) -> Connector {
        Connector::new(&format!("unix://{}", socket(&self.data).display())).unwrap()
    }

    pub(super) async fn connect(&self) -> Connection {
        let connector = self.connector();
        let deadline = Instant::now() + PATIENCE;
        loop {
            match connector.connect().await {
                Ok(_) => return connector.shared().await.unwrap(),
                Err(_) if Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(error) => panic!("redis-server does not answer: {error}"),
            }
        }
    }

    /// SIGKILL.
    pub(super) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn socket(data: &TempDir) -> PathBuf {
    data.path().join("redis.sock")
}

pub(super) fn config() -> DoorConfig {
    DoorConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        body_max: 1024 * 1024,
        rate: 1_000_000,
        backlog: 1_000_000,
        behind_proxy: true,
    }
}

/// `web` with token `web-token` and a key; `app` with token `app-token`, without a key and without places.
pub(super) fn projects(connector: &Connector, redis: &Connection) -> Vec<DoorProject> {
    let project = |name: &str, key: Option<&str>, geolocation| DoorProject {
        project: name.parse().unwrap(),
        project_token: format!("{name}-token").into(),
        application_key: key.map(Into::into),
        document_key: None,
        geolocation,
        redis: redis.clone(),
        gate: Gate::new(connector.clone(), "fence".to_owned(), Durability::default()),
    };
    vec![project("web", Some(KEY), true), project("app", None, false)]
}

pub(super) struct Rig {
    pub(super) redis_server: RedisServer,
    pub(super) redis: Connection,
    pub(super) router: Router,
    pub(super) counters: Arc<Counters>,
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) bytes: Vec<u8>,
}

impl Answer {
    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes).unwrap()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// Status and text, for plain answers.
    pub(super) fn plain(&self) -> (u16, &str) {
        (self.status.as_u16(), self.text())
    }
}

impl Rig {
    pub(super) async fn new() -> Self {
        Self::with(config()).await
    }

    pub(super) async fn with(config: DoorConfig) -> Self {
        let redis_server = RedisServer::start();
        let redis = redis_server.connect().await;
        let counters = Arc::new(Counters::default());
        let projects = projects(&redis_server.connector(), &redis);
        let router = router(config, projects, Arc::clone(&counters)).unwrap();
        Self { redis_server, redis, router, counters }
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Answer {
        let mut request = request;
        request.extensions_mut().insert(Peer("192.0.2.1".parse().unwrap()));
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: head.status, headers: head.headers, bytes }
    }

    pub(super) async fn get(&self, uri: &str) -> Answer {
        self.send(Request::get(uri).body(Body::empty()).unwrap()).await
    }

    /// POSTs JSON.
    pub(super) async fn post(&self, uri: &str, body: impl Into<Body>) -> Answer {
        self.post_with(uri, &[("content-type", "application/json")], body).await
    }

    pub(super) async fn post_with(
        &self,
        uri: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::builder().method(Method::POST).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body.into()).unwrap()).await
    }

    pub(super) async fn ask<T: FromRedisValue>(&self, command: &[&str]) -> T {
        let mut built = redis::cmd(command[0]);
        built.arg(&command[1..]);
        built.query_async(&mut self.redis.clone()).await.unwrap()
    }

    /// The entries on a project's stream.
    pub(super) async fn entries(&self, project: &str) -> Vec<HashMap<String, String>> {
        let project: Project = project.parse().unwrap();
        let key = gdpr_jobs::Keys::new(&project).events();
        let entries: Vec<(String, HashMap<String, String>)> =
            self.ask(&["XRANGE", &key, "-", "+"]).await;
        entries.into_iter().map(|(_, fields)| fields).collect()
    }

    /// All records of a kind on a project's stream.
    pub(super) async fn records(&self, project: &str, kind: &str) -> Vec<Value> {
        let entries = self.entries(project).await;
        let arrays = entries.iter().filter_map(|fields| fields.get(kind));
        arrays.flat_map(|json| serde_json::from_str::<Vec<Value>>(json).unwrap()).collect()
    }
}

/// An event of the project `web`.
pub(super) fn event(name: &str) -> Value {
    serde_json::json!({ "event": name, "properties": { "token": "web-token", "distinct_id": "u1" } })
}
