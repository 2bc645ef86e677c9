//! The client against a server of the test's own that counts what arrives.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::atomic::{AtomicUsize, Ordering};

use gdpr_jobs::Disclosure;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;
use crate::mixpanel::{Ambiguity, Region, RemoteStatus};

/// What a connection gets after its request was read.
#[derive(Clone)]
enum Reply {
    Text(String),
    Silence,
    HangUp,
}

struct Api {
    base: String,
    requests: Arc<std::sync::Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

impl Api {
    async fn start(reply: Reply) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/api/app", listener.local_addr().unwrap());
        let requests = Arc::new(std::sync::Mutex::new(Vec::new()));
        let connections = Arc::new(AtomicUsize::new(0));
        let api =
            Self { base, requests: Arc::clone(&requests), connections: Arc::clone(&connections) };
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, reply.clone(), Arc::clone(&requests)));
            }
        });
        api
    }

    async fn answering(status: &str, body: &str) -> Self {
        let length = body.len();
        Self::start(Reply::Text(format!(
            "HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}"
        )))
        .await
    }

    fn client(&self) -> Client {
        let total = Duration::from_millis(300);
        client(&self.base, Timeouts { total, ..Timeouts::default() })
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, reply: Reply, requests: Arc<std::sync::Mutex<Vec<String>>>) {
    loop {
        let mut request = Vec::new();
        while !is_whole(&request) {
            match stream.read_u8().await {
                Ok(byte) => request.push(byte),
                Err(_) => return,
            }
        }
        requests.lock().unwrap().push(String::from_utf8_lossy(&request).into_owned());
        match &reply {
            Reply::Text(text) => stream.write_all(text.as_bytes()).await.unwrap(),
            Reply::Silence => std::future::pending().await,
            Reply::HangUp => return,
        }
        if !reply.is_whole() {
            return;
        }
    }
}

impl Reply {
    /// Whether the connection is fit for another request.
    fn is_whole(&self) -> bool {
        !matches!(self, Self::Text(text) if text.contains("content-length: 999"))
    }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.map_or(0, |n| n.parse().unwrap()) == body.len()
}

fn client(base: &str, timeouts: Timeouts) -> Client {
    let endpoints = Endpoints::new(Region::Us, Some(base), None).unwrap();
    let credentials = Credentials {
        project_token: "canary project&token".into(),
        oauth_token: "canary-oauth\n".into(),
    };
    Client::new(endpoints, &credentials, timeouts).unwrap()
}

fn people() -> Vec<DistinctId> {
    ["canary-1@example.test", "$device:canary-2"].map(DistinctId::new).into()
}

async fn delete(api: &Api) -> CreateOutcome {
    api.client().create(NewTask::Deletion, Regulation::Gdpr, &people()).await
}

#[tokio::test]
async fn a_creation_is_one_post_with_token_bearer_and_json() {
    let api = Api::answering("201 Created", r#"{"results":{"task_id":"t1"}}"#).await;
    let retrieval = NewTask::Retrieval { disclosure: Disclosure::Data };
    let outcome = api.client().create(retrieval, Regulation::Ccpa, &people()).await;
    assert_eq!(outcome, CreateOutcome::Accepted { task: TrackingId::new("t1").unwrap() });
    let [request] = api.requests().try_into().unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with(
        "POST /api/app/data-retrievals/v3.0/?token=canary+project%26token HTTP/1.1\r\n"
    ));
    assert!(head.contains("authorization: Bearer canary-oauth\r\n"));
    assert!(head.contains("content-type: application/json\r\n"));
    assert_eq!(
        body,
        r#"{"distinct_ids":["canary-1@example.test","$device:canary-2"],"compliance_type":"CCPA","disclosure_type":"Data"}"#
    );
}

#[tokio::test]
async fn a_post_is_one_request_on_the_wire_whatever_happens() {
    let server_error = |status| Ambiguity::ServerError { status, retry_after: None };
    let cut = "HTTP/1.1 201 Created\r\ncontent-length: 999\r\n\r\n{\"results\"";
    let moved = "HTTP/1.1 301 Moved\r\nlocation: /api/app/x/\r\ncontent-length: 0\r\n\r\n";
    for (reply, outcome) in [
        (Reply::HangUp, CreateOutcome::Unknown(Ambiguity::ConnectionLost)),
        (Reply::Silence, CreateOutcome::Unknown(Ambiguity::Timeout)),
        (Reply::Text(cut.into()), CreateOutcome::Unknown(Ambiguity::Unreadable { status: 201 })),
        (Reply::Text(moved.into()), CreateOutcome::Refused(Refusal::Misdirected { status: 301 })),
        (
            Reply::Text("HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n".into()),
            CreateOutcome::Unknown(server_error(503)),
        ),
        (Reply::Text("nonsense\r\n\r\n".into()), CreateOutcome::Unknown(Ambiguity::ConnectionLost)),
    ] {
        let api = Api::start(reply).await;
        assert_eq!(delete(&api).await, outcome);
        assert_eq!((api.requests().len(), api.connections.load(Ordering::SeqCst)), (1, 1));
    }
}

#[tokio::test]
async fn a_host_that_is_not_there_is_a_sure_no() {
    let client = client("http://127.0.0.1:1/api/app", Timeouts::default());
    let outcome = client.create(NewTask::Deletion, Regulation::Gdpr, &people()).await;
    assert_eq!(outcome, CreateOutcome::Refused(Refusal::Unreachable));
    assert_eq!(client.probe_credentials().await, ProbeOutcome::Unreachable);
}

#[tokio::test]
async fn connections_are_not_kept_between_calls() {
    let api = Api::answering("200 OK", r#"{"results":{"status":"PENDING"}}"#).await;
    let (client, task) = (api.client(), TrackingId::new("t1").unwrap());
    for calls in 1..=3 {
        let outcome = client.poll(TaskKind::Deletion, &task).await;
        assert!(matches!(outcome, PollOutcome::Report(r) if r.status == RemoteStatus::Pending));
        assert_eq!(api.connections.load(Ordering::SeqCst), calls);
    }
}

#[tokio::test]
async fn nobody_and_reserved_ids_are_never_sent() {
    let api = Api::answering("201 Created", r#"{"results":{"task_id":"t1"}}"#).await;
    for ids in [vec![], vec![DistinctId::new("u1"), DistinctId::new("anonymous")]] {
        let outcome = api.client().create(NewTask::Deletion, Regulation::Gdpr, &ids).await;
        assert_eq!(outcome, CreateOutcome::Refused(Refusal::Withheld));
    }
    assert!(api.requests().is_empty());
}

#[tokio::test]
async fn a_cancellation_names_the_task_and_has_no_body() {
    let api = Api::answering("204 No Content", "").await;
    let outcome = api.client().cancel_deletion(&TrackingId::new("a/b").unwrap()).await;
    assert_eq!(outcome, CancelOutcome::Cancelled);
    let [request] = api.requests().try_into().unwrap();
    assert!(request.starts_with("DELETE /api/app/data-deletions/v3.0/a%2Fb?token="));
    assert!(request.ends_with("\r\n\r\n"));
}

#[tokio::test]
async fn a_new_oauth_token_is_used_by_clones_from_the_next_call_on() {
    let api = Api::answering("401 Unauthorized", r#"{"status":"error","error":"x"}"#).await;
    let client = api.client();
    let clone = client.clone();
    assert_eq!(client.probe_credentials().await, ProbeOutcome::Bad { status: 401 });
    client.set_oauth_token(&"second".into()).unwrap();
    clone.probe_credentials().await;
    assert!(api.requests()[0].contains("authorization: Bearer canary-oauth\r\n"));
    assert!(api.requests()[1].contains("authorization: Bearer second\r\n"));
    for (token, error) in
        [(" \n", ClientSetupError::Empty("OAuth")), ("two lines\nx", ClientSetupError::OauthToken)]
    {
        assert_eq!(client.set_oauth_token(&token.into()), Err(error));
    }
}

#[tokio::test]
async fn a_body_without_end_is_not_read_to_its_end() {
    let body = "x".repeat(crate::mixpanel::exchange::MAX_BODY_BYTES + 1);
    let api = Api::answering("200 OK", &body).await;
    let client = client(&api.base, Timeouts::default());
    let outcome = client.create(NewTask::Deletion, Regulation::Gdpr, &people()).await;
    assert_eq!(outcome, CreateOutcome::Unknown(Ambiguity::Unreadable { status: 200 }));
}

#[tokio::test]
async fn no_outcome_shows_an_id_a_token_or_a_link() {
    let task = TrackingId::new("t1").unwrap();
    let ids = r#"["canary-1@example.test"]"#;
    for (status, body) in [
        (
            "200 OK",
            format!(
                r#"{{"results":{{"status":"SUCCESS","result":"https://canary/","distinct_ids":{ids}}}}}"#
            ),
        ),
        ("200 OK", r#"{"results":{"status":"canary-1@example.test"}}"#.to_owned()),
        ("400 Bad", format!(r#"{{"error":{{"message":"canary","distinct_ids":{ids}}}}}"#)),
        ("401 No", r#"{"error":"canary"}"#.to_owned()),
        ("409 Conflict", format!(r#"{{"error":{{"conflicting_distinct_ids":{ids}}}}}"#)),
        ("429 Slow", "canary".to_owned()),
        ("500 Oops", "canary".to_owned()),
    ] {
        let api = Api::answering(status, &body).await;
        let client = api.client();
        let seen = format!(
            "{:?} {:?} {:?} {:?} {client:?}",
            client.create(NewTask::Deletion, Regulation::Gdpr, &people()).await,
            client.poll(TaskKind::Retrieval, &task).await,
            client.cancel_deletion(&task).await,
            client.probe_credentials().await,
        );
        assert!(!seen.to_lowercase().contains("canary"), "{seen}");
    }
}
