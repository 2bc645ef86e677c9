//! What goes over the wire, and when connections are kept.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;

/// Heads and bodies.
type Requests = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// A server that answers everything in the same way and writes down what it got.
struct Server {
    base: String,
    requests: Requests,
    connections: Arc<AtomicUsize>,
}

const YES: &str = "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n1";

impl Server {
    /// Each connection ends after so many answers.
    async fn start(answer: &'static str, answers: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/base", listener.local_addr().unwrap());
        let server = Self { base, requests: Arc::default(), connections: Arc::default() };
        let (requests, connections) =
            (Arc::clone(&server.requests), Arc::clone(&server.connections));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, answer, answers, Arc::clone(&requests)));
            }
        });
        server
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn serve(mut stream: TcpStream, answer: &'static str, answers: usize, requests: Requests) {
    for _ in 0..answers {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return,
            }
        }
        let head = String::from_utf8(head).unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.unwrap().parse().unwrap()];
        stream.read_exact(&mut body).await.unwrap();
        requests.lock().unwrap().push((head, body));
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

fn yes() -> Delivery {
    Delivery::Accepted { uncounted: 0 }
}

#[tokio::test]
async fn each_channel_is_asked_as_it_wants_to_be() {
    let server = Server::start(YES, 9).await;
    let client = client_with(&server.base, " canary token\n", Timeouts::default());
    for channel in [Channel::Import, Channel::Track, Channel::Engage] {
        let parcel = parcel(channel, ["{\"a\":1}".to_owned(), "{}".to_owned()]);
        assert_eq!(client.send(&parcel, soon()).await, yes());
    }
    let requests = server.requests.lock().unwrap().clone();
    let first_lines = requests.iter().map(|(head, _)| head.lines().next().unwrap());
    assert_eq!(
        first_lines.collect::<Vec<_>>(),
        [
            "POST /base/import?strict=1&ip=0 HTTP/1.1",
            "POST /base/track?ip=0&verbose=1 HTTP/1.1",
            "POST /base/engage?ip=0&verbose=1 HTTP/1.1",
        ]
    );
    let basic = format!("authorization: Basic {}", BASE64.encode(b"canary token:"));
    let host = format!("host: {}", server.base.trim_start_matches("http://").replace("/base", ""));
    for ((head, body), import) in requests.iter().zip([true, false, false]) {
        assert!(head.contains("content-type: application/json\r\n") && head.contains(&host));
        assert_eq!(head.contains(&basic), import);
        let gzipped = head.contains("content-encoding: gzip\r\n");
        assert_eq!(gzipped, body.starts_with(&[0x1f, 0x8b]));
        assert!(gzipped || body == b"[{\"a\":1},{}]");
    }
    assert!(!requests[2].0.contains("gzip"));
}

#[tokio::test]
async fn a_connection_serves_one_parcel_after_the_other() {
    let server = Server::start(YES, 9).await;
    let client = client(&server.base);
    for _ in 0..3 {
        assert_eq!(client.send(&events(Channel::Track, &["i-1"]), soon()).await, yes());
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn as_many_connections_are_kept_as_was_asked() {
    let server = Server::start(YES, 9).await;
    let endpoints = Endpoints::new(Region::Us, None, Some(&server.base)).unwrap();
    let client = Ingestion::new(endpoints, &TOKEN.into(), Timeouts::default(), 0).unwrap();
    for calls in 1..=3 {
        assert_eq!(client.send(&events(Channel::Track, &["i-1"]), soon()).await, yes());
        assert_eq!(server.connections(), calls);
    }
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_not_used() {
    let server = Server::start(YES, 1).await;
    let client = client(&server.base);
    for calls in 1..=5 {
        assert_eq!(client.send(&events(Channel::Track, &["i-1"]), soon()).await, yes());
        assert_eq!(server.connections(), calls);
    }
}

#[tokio::test]
async fn parcels_go_side_by_side() {
    let server = Server::start(YES, 9).await;
    let client = client(&server.base);
    let (first, second) = (events(Channel::Track, &["i-1"]), events(Channel::Import, &["i-2"]));
    let both = tokio::join!(client.send(&first, soon()), client.send(&second, soon()));
    assert_eq!(both, (yes(), yes()));
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let moved = "HTTP/1.1 307 Moved\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n";
    let server = Server::start(moved, 9).await;
    let delivery = client(&server.base).send(&events(Channel::Track, &["i-1"]), soon()).await;
    let why = Outage::Misdirected { status: 307 };
    assert_eq!(delivery, Delivery::Unavailable { why, sent: true });
    assert_eq!(server.requests.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_the_end() {
    let endless = "HTTP/1.1 200 OK\r\ncontent-length: 9999999999\r\n\r\n1";
    let server = Server::start(endless, 1).await;
    let delivery = client(&server.base).send(&events(Channel::Track, &["i-1"]), soon()).await;
    let why = Outage::Unreadable { status: 200 };
    assert_eq!(delivery, Delivery::Unavailable { why, sent: true });
}

#[tokio::test]
async fn nothing_to_send_is_not_sent() {
    let client = client("http://127.0.0.1:1");
    assert_eq!(client.send(&Parcel::new(Channel::Import), soon()).await, yes());
}

#[test]
fn debug_shows_no_token_and_an_empty_one_is_refused() {
    let client = client_with("http://127.0.0.1:1", "canary-token", Timeouts::default());
    assert!(!format!("{client:?}").contains("canary"));
    let endpoints = Endpoints::new(Region::Us, None, None).unwrap();
    let empty = Ingestion::new(endpoints, &" ".into(), Timeouts::default(), 1);
    assert!(matches!(empty, Err(ClientSetupError::Empty("project"))));
}
