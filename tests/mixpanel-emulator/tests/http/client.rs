//! A client so plain that it sees what is really on the wire: one connection a call, read to its
//! end.

use mixpanel_emulator::{Config, Running, Settings, start};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) const DELETIONS: &str = "/api/app/data-deletions/v3.0/";
pub(crate) const RETRIEVALS: &str = "/api/app/data-retrievals/v3.0/";
pub(crate) const BEARER: &str = "Bearer emulator-oauth-token";

/// An emulator with a client.
pub(crate) struct World {
    pub(crate) running: Running,
}

/// An answer as it came; `whole` says whether all that was promised arrived.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    pub(crate) whole: bool,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// Settings under which nothing has to be waited for.
pub(crate) fn swift() -> Settings {
    Settings { min_gap_ms: 0, task_polls: Some(0), ..Settings::default() }
}

impl World {
    pub(crate) async fn with(settings: Settings) -> Self {
        Self { running: start(Config { settings, ..Config::default() }).await.unwrap() }
    }

    /// Sends a call and gives the connection that its answer will come on.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> TcpStream {
        let address = self.running.address();
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\n");
        for (name, value) in headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        let length = body.len().to_string();
        head.extend(["content-length: ", &length, "\r\nconnection: close\r\n\r\n"]);
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
        stream
    }

    /// One call; `None` if the connection ended before an answer began.
    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Option<Answer> {
        let mut stream = self.send(method, path, headers, body).await;
        let mut raw = Vec::new();
        // A reset is one of the ways in which a connection may end.
        let _ = stream.read_to_end(&mut raw).await;
        parse(&raw)
    }

    /// A GDPR call with good credentials.
    pub(crate) async fn gdpr(&self, method: &str, path: &str, body: &Value) -> Option<Answer> {
        let path = format!("{path}?token=emulator-project-token");
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let headers = [("authorization", BEARER), ("content-type", "application/json")];
        self.call(method, &path, &headers, &body).await
    }

    pub(crate) async fn create(&self, collection: &str, ids: &[&str]) -> Answer {
        self.gdpr("POST", collection, &json!({ "distinct_ids": ids })).await.unwrap()
    }

    /// A new task's id.
    pub(crate) async fn created(&self, collection: &str, ids: &[&str]) -> String {
        let answer = self.create(collection, ids).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()["results"][0]["tracking_id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn poll(&self, collection: &str, id: &str) -> Value {
        let answer = self.gdpr("GET", &format!("{collection}{id}"), &Value::Null).await.unwrap();
        assert_eq!(answer.status, 200);
        answer.json()["results"].clone()
    }

    /// A command to the emulator itself, which must take it.
    pub(crate) async fn command(&self, name: &str, body: &Value) -> Value {
        let path = format!("/_emulator/{name}");
        let answer = self.call("POST", &path, &[], body.to_string().as_bytes()).await.unwrap();
        assert!(answer.status < 300, "{}", answer.text());
        answer.json()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, &[], b"").await.unwrap()
    }

    pub(crate) async fn stats(&self) -> Value {
        self.get("/_emulator/stats").await.json()
    }

    pub(crate) async fn log(&self) -> Vec<Value> {
        let text = self.get("/_emulator/log").await.text();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Retrieves people and gives the path of the link.
    pub(crate) async fn retrieved(&self, ids: &[&str]) -> String {
        let id = self.created(RETRIEVALS, ids).await;
        self.link(&id).await
    }

    /// The path of a finished retrieval's link.
    pub(crate) async fn link(&self, id: &str) -> String {
        let results = self.poll(RETRIEVALS, id).await;
        let link = results["result"].as_str().unwrap();
        link.strip_prefix(&self.running.url()).unwrap().to_owned()
    }
}

fn parse(raw: &[u8]) -> Option<Answer> {
    let end = raw.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&raw[..end]).to_lowercase();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let mut answer = Answer { status, head, body: raw[end + 4..].to_vec(), whole: true };
    let promised = answer.header("content-length").and_then(|length| length.parse::<usize>().ok());
    answer.whole = promised.is_none_or(|promised| promised == answer.body.len());
    Some(answer)
}
