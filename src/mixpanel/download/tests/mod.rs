//! Downloads against a server of the test's own.
#![expect(clippy::unwrap_used, reason = "tests")]

mod links;
mod resuming;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc,
};

pub(in super::super) use self::links::{LISTED, hostile};
use super::*;

/// What arrived, and how often it began anew.
#[derive(Default)]
struct Collected {
    bytes: Vec<u8>,
    restarts: u32,
}

impl Sink for Collected {
    async fn write(&mut self, chunk: Bytes) -> io::Result<()> {
        self.bytes.extend_from_slice(&chunk);
        Ok(())
    }

    async fn restart(&mut self) -> io::Result<()> {
        self.bytes.clear();
        self.restarts += 1;
        Ok(())
    }
}

/// At the end of an answer: the connection stays open.
const STALL: &str = "(stall)";

/// Sends each answer to one connection, and reports the heads of the requests.
async fn server(answers: Vec<String>) -> (u16, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut answers = answers.into_iter();
        let mut open = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                match stream.read_u8().await {
                    Ok(byte) => head.push(byte),
                    Err(_) => break,
                }
            }
            let _ = sender.send(String::from_utf8_lossy(&head).into_owned());
            if let Some(answer) = answers.next() {
                let text = answer.strip_suffix(STALL).unwrap_or(&answer);
                let _ = stream.write_all(text.as_bytes()).await;
                if text.len() < answer.len() {
                    open.push(stream);
                }
            }
        }
    });
    (port, receiver)
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}connection: close\r\n\r\n{body}")
}

fn ok(body: &str) -> String {
    answer("200 OK", &format!("content-length: {}\r\n", body.len()), body)
}

/// One request, come what may.
const ONCE: Retries =
    Retries { tries: 1, restarts: 0, first_wait: Duration::ZERO, most_wait: Duration::ZERO };

fn local(port: u16) -> Downloader {
    let hosts = format!("127.0.0.1:{port}").parse().unwrap();
    Downloader::new(hosts, DownloadTimeouts::default()).unwrap().with_retries(ONCE)
}

async fn fetch(
    downloader: &Downloader,
    link: &str,
    limit: u64,
) -> (Result<Downloaded, DownloadError>, Vec<u8>) {
    let link = ExportLink::parse(link).unwrap();
    let mut sink = Collected::default();
    let result = downloader.download(&link, &mut sink, limit).await;
    (result, sink.bytes)
}

async fn fetch_from(answers: Vec<String>) -> (Result<Downloaded, DownloadError>, Vec<u8>) {
    let (port, _seen) = server(answers).await;
    fetch(&local(port), &format!("http://127.0.0.1:{port}/canary-path"), 10).await
}

#[tokio::test]
async fn an_export_arrives_whole_and_the_request_carries_no_credentials() {
    let (port, mut seen) = server(vec![ok("0123456789")]).await;
    let link = format!(" \"http://127.0.0.1:{port}/o?sig=a%2Fb\" ");
    let (result, bytes) = fetch(&local(port), &link, 10).await;
    let whole =
        Downloaded { bytes: 10, content_length_checked: true, checksum_checked: false, breaks: 0 };
    assert_eq!(result.unwrap(), whole);
    assert_eq!(bytes, b"0123456789");
    let head = seen.recv().await.unwrap().to_lowercase();
    assert!(head.starts_with("get /o?sig=a%2fb http/1.1\r\n"));
    for header in ["authorization", "cookie", "referer"] {
        assert!(!head.contains(header), "{header}");
    }
}

#[tokio::test]
async fn an_export_without_a_length_says_that_it_is_unproven() {
    let (result, _) = fetch_from(vec![answer("200 OK", "", "0123")]).await;
    let result = result.unwrap();
    assert_eq!((result.bytes, result.content_length_checked), (4, false));
}

#[tokio::test]
async fn each_failure_has_its_class() {
    let cases: [(Vec<String>, &str); 11] = [
        (vec![answer("200 OK", "content-length: 9\r\n", "0123")], "Broken"),
        (vec![answer("200 OK", "transfer-encoding: chunked\r\n", "4\r\n0123\r\n")], "Broken"),
        (vec![answer("206 Partial Content", "", "0123")], "Server { status: 206 }"),
        (vec![ok("0123456789a")], "TooLarge { limit: 10 }"),
        (vec![answer("200 OK", "", "0123456789a")], "TooLarge { limit: 10 }"),
        (vec![answer("400 Bad Request", "", "")], "Gone { status: 400 }"),
        (vec![answer("403 Forbidden", "", "")], "Gone { status: 403 }"),
        (vec![answer("410 Gone", "", "")], "Gone { status: 410 }"),
        (vec![answer("429 Too Many", "", "")], "Server { status: 429 }"),
        (vec![answer("503 Unavailable", "", "")], "Server { status: 503 }"),
        (vec![answer("302 Found", "", "")], "Server { status: 302 }"),
    ];
    for (answers, class) in cases {
        let error = fetch_from(answers).await.0.unwrap_err();
        assert_eq!(format!("{error:?}"), class);
        assert!(!error.to_string().contains("canary"));
    }
    let (result, _) = fetch(&local(1), "http://127.0.0.1:1/canary", 10).await;
    assert_eq!(format!("{:?}", result.unwrap_err()), "Unreachable");
}

#[tokio::test]
async fn an_export_that_stands_still_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let idle = Duration::from_millis(50);
    let timeouts = DownloadTimeouts { idle, ..DownloadTimeouts::default() };
    let hosts = format!("127.0.0.1:{port}").parse().unwrap();
    let downloader = Downloader::new(hosts, timeouts).unwrap().with_retries(ONCE);
    let (result, _) = fetch(&downloader, &format!("http://127.0.0.1:{port}/"), 10).await;
    assert_eq!(format!("{:?}", result.unwrap_err()), "Broken");
}
