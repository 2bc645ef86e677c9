//! Links and redirects that must reach no server.

use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolving};

use super::*;

/// Links that must not be followed, and why, with `amazonaws.com, mixpanel.com, emulator:9100`.
pub(in super::super::super) const HOSTILE: [(&str, LinkRefusal); 36] = [
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
        let error = downloader.download(&link, &mut Collected::default(), 10).await.unwrap_err();
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
