//! Downloads against a server of the test's own, and links that must reach none.
#![expect(clippy::unwrap_used, reason = "tests")]

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc,
};

use super::*;

/// Links that must not be followed, and why, with `amazonaws.com, mixpanel.com, emulator:9100`.
pub(in super::super) const HOSTILE: [(&str, LinkRefusal); 36] = [
    ("", LinkRefusal::NotAnAddress),
    ("not a link", LinkRefusal::NotAnAddress),
    ("//mixpanel.com/o", LinkRefusal::NotAnAddress),
    ("https://", LinkRefusal::NotAnAddress),
    ("https://mixpanel.com:99999/o", LinkRefusal::NotAnAddress),
    ("https://[::1/o", LinkRefusal::NotAnAddress),
    ("file:///etc/passwd", LinkRefusal::Scheme),
    ("ftp://mixpanel.com/o", LinkRefusal::Scheme),
    ("gopher://mixpanel.com/o", LinkRefusal::Scheme),
    ("data:text/plain,x", LinkRefusal::Scheme),
    ("javascript:alert(1)", LinkRefusal::Scheme),
    ("mixpanel.com:443/o", LinkRefusal::Scheme),
    ("https://user@mixpanel.com/o", LinkRefusal::UserInfo),
    ("https://:pass@mixpanel.com/o", LinkRefusal::UserInfo),
    ("https://mixpanel.com@127.0.0.1/o", LinkRefusal::UserInfo),
    ("http://emulator:9100@127.0.0.1/o", LinkRefusal::UserInfo),
    ("https://evil.example/o", LinkRefusal::Host),
    ("https://evilmixpanel.com/o", LinkRefusal::Host),
    ("https://mixpanel.com.evil.example/o", LinkRefusal::Host),
    ("https://mixpanel.com%2eevil.example/o", LinkRefusal::Host),
    ("https://evil.example/mixpanel.com", LinkRefusal::Host),
    ("https://evil.example#mixpanel.com", LinkRefusal::Host),
    ("https://evil.example\\.mixpanel.com/o", LinkRefusal::Host),
    ("https://mixpanel.com./o", LinkRefusal::Host),
    ("https://localhost/o", LinkRefusal::Host),
    ("https://127.0.0.1/o", LinkRefusal::Host),
    ("https://2130706433/o", LinkRefusal::Host),
    ("https://0x7f.1/o", LinkRefusal::Host),
    ("https://0177.0.0.1/o", LinkRefusal::Host),
    ("https://[::ffff:127.0.0.1]/o", LinkRefusal::Host),
    ("http://169.254.169.254/latest/meta-data/", LinkRefusal::Host),
    ("http://mixpanel.com/o", LinkRefusal::PlainHttp),
    ("http://b.s3.amazonaws.com/o", LinkRefusal::PlainHttp),
    ("https://mixpanel.com:8443/o", LinkRefusal::Port),
    ("http://emulator:9101/o", LinkRefusal::Port),
    ("https://emulator/o", LinkRefusal::Port),
];

/// Sends each answer to one connection, and reports the heads of the requests.
async fn server(answers: Vec<String>) -> (u16, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut answers = answers.into_iter();
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
                let _ = stream.write_all(answer.as_bytes()).await;
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

fn local(port: u16) -> Downloader {
    let hosts = format!("127.0.0.1:{port}").parse().unwrap();
    Downloader::new(hosts, DownloadTimeouts::default()).unwrap()
}

async fn fetch(
    downloader: &Downloader,
    link: &str,
    limit: u64,
) -> (Result<Downloaded, DownloadError>, Vec<u8>) {
    let link = ExportLink::parse(link).unwrap();
    let mut bytes = Vec::new();
    let result = downloader.download(&link, &mut bytes, limit).await;
    (result, bytes)
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
    assert_eq!(result.unwrap(), Downloaded { bytes: 10, content_length_checked: true });
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
    assert_eq!(result.unwrap(), Downloaded { bytes: 4, content_length_checked: false });
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
    let downloader = Downloader::new(hosts, timeouts).unwrap();
    let (result, _) = fetch(&downloader, &format!("http://127.0.0.1:{port}/"), 10).await;
    assert_eq!(format!("{:?}", result.unwrap_err()), "Broken");
}

#[tokio::test]
async fn three_redirects_are_followed_and_each_is_checked() {
    let to = |target: &str| answer("302 Found", &format!("location: {target}\r\n"), "");
    let (result, bytes) = fetch_from(vec![to("/a"), to("b"), to("?c"), ok("0123")]).await;
    assert_eq!((result.unwrap().bytes, bytes.as_slice()), (4, b"0123".as_slice()));
    let (result, _) = fetch_from(vec![to("/a"), to("/a"), to("/a"), to("/a")]).await;
    assert_eq!(format!("{:?}", result.unwrap_err()), "TooManyRedirects");
    for (target, why) in [
        ("http://localhost/", LinkRefusal::Host),
        ("http://127.0.0.1:1/", LinkRefusal::Port),
        ("file:///etc/passwd", LinkRefusal::Scheme),
        ("//u@127.0.0.1/", LinkRefusal::UserInfo),
    ] {
        let error = fetch_from(vec![to(target)]).await.0.unwrap_err();
        assert!(matches!(error, DownloadError::NotAllowed(seen) if seen == why), "{target}");
    }
}

/// A name server in the pay of an attacker: every name leads to the canary.
fn everything_is_local(_: Name) -> Resolving {
    Box::pin(async {
        let port = CANARY.load(std::sync::atomic::Ordering::SeqCst);
        Ok(Box::new(std::iter::once(SocketAddr::from(([127, 0, 0, 1], port)))) as Addrs)
    })
}

static CANARY: std::sync::atomic::AtomicU16 = std::sync::atomic::AtomicU16::new(0);

#[tokio::test]
async fn no_hostile_link_reaches_a_server() {
    let (port, mut seen) = server(vec![ok("hello")]).await;
    CANARY.store(port, std::sync::atomic::Ordering::SeqCst);
    let hosts: ExportHosts = "amazonaws.com, mixpanel.com, emulator:9100".parse().unwrap();
    let timeouts = DownloadTimeouts::default();
    let downloader = Downloader::with_lookup(hosts, timeouts, everything_is_local).unwrap();
    for (link, why) in HOSTILE {
        let Some(link) = ExportLink::parse(link) else { continue };
        let error = downloader.download(&link, &mut Vec::new(), 10).await.unwrap_err();
        assert!(matches!(error, DownloadError::NotAllowed(seen) if seen == why), "{error}");
    }
    for link in ["https://mixpanel.com/o", "https://b.s3.amazonaws.com/o"] {
        let error = fetch(&downloader, link, 10).await.0.unwrap_err();
        let private = LinkRefusal::PrivateAddress;
        assert!(matches!(error, DownloadError::NotAllowed(seen) if seen == private), "{error:?}");
    }
    assert!(seen.try_recv().is_err(), "a hostile link reached the canary");

    // The canary sings: a host that the operator vouches for leads there.
    let hosts = "vouched.example".parse().unwrap();
    let downloader = Downloader::with_lookup(hosts, timeouts, everything_is_local).unwrap();
    let link = format!("http://vouched.example:{port}/o");
    assert_eq!(fetch(&downloader, &link, 10).await.0.unwrap().bytes, 5);
    assert!(seen.recv().await.is_some());
}
