//! Links and redirects that must reach no server.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicUsize, Ordering},
    },
};

use reqwest::dns::{Addrs, Name, Resolving};

use super::*;

/// The hosts that these links are held against.
pub(in super::super::super) const LISTED: &str = "amazonaws.com, mixpanel.com, emulator:9100";

/// Links that must not be followed, and why, with the hosts [`LISTED`]. Servers that would answer listen on the ports
/// `4444` (of 127.0.0.1) and `6666` (of `[::1]`), see [`hostile`].
const HOSTILE: [(&str, LinkRefusal); 95] = [
    // No address of the web at all.
    ("", LinkRefusal::NotAnAddress),
    ("not a link", LinkRefusal::NotAnAddress),
    ("//mixpanel.com/o", LinkRefusal::NotAnAddress),
    ("//127.0.0.1:4444/o", LinkRefusal::NotAnAddress),
    ("https://", LinkRefusal::NotAnAddress),
    ("https://mixpanel.com:99999/o", LinkRefusal::NotAnAddress),
    ("https://[::1/o", LinkRefusal::NotAnAddress),
    ("https://[::1%25lo]:6666/o", LinkRefusal::NotAnAddress),
    ("https://256.256.256.256/o", LinkRefusal::NotAnAddress),
    ("https://mixpanel.com%00.evil.example/o", LinkRefusal::NotAnAddress),
    ("https://127.0.0.1:4444:443/o", LinkRefusal::NotAnAddress),
    // Another scheme.
    ("file:///etc/passwd", LinkRefusal::Scheme),
    ("file://127.0.0.1/etc/passwd", LinkRefusal::Scheme),
    ("unix:///var/run/docker.sock", LinkRefusal::Scheme),
    ("ftp://mixpanel.com/o", LinkRefusal::Scheme),
    ("gopher://mixpanel.com/o", LinkRefusal::Scheme),
    ("gopher://127.0.0.1:4444/_FLUSHALL", LinkRefusal::Scheme),
    ("dict://127.0.0.1:4444/info", LinkRefusal::Scheme),
    ("ldap://127.0.0.1:4444/o", LinkRefusal::Scheme),
    ("redis://127.0.0.1:4444/0", LinkRefusal::Scheme),
    ("ws://mixpanel.com/o", LinkRefusal::Scheme),
    ("wss://[::1]:6666/o", LinkRefusal::Scheme),
    ("jar:https://mixpanel.com!/o", LinkRefusal::Scheme),
    ("data:text/plain,x", LinkRefusal::Scheme),
    ("javascript:alert(1)", LinkRefusal::Scheme),
    ("mixpanel.com:443/o", LinkRefusal::Scheme),
    // A name before the host, which may look like the host.
    ("https://user@mixpanel.com/o", LinkRefusal::UserInfo),
    ("https://:pass@mixpanel.com/o", LinkRefusal::UserInfo),
    ("https://mixpanel.com@127.0.0.1/o", LinkRefusal::UserInfo),
    ("https://mixpanel.com:443@127.0.0.1:4444/o", LinkRefusal::UserInfo),
    ("https://mixpanel.com%2f@[::1]:6666/o", LinkRefusal::UserInfo),
    ("http://emulator:9100@127.0.0.1/o", LinkRefusal::UserInfo),
    // Another host.
    ("https://evil.example/o", LinkRefusal::Host),
    ("https://evilmixpanel.com/o", LinkRefusal::Host),
    ("https://mixpanel.com.evil.example/o", LinkRefusal::Host),
    ("https://mixpanel.com%2eevil.example/o", LinkRefusal::Host),
    ("https://evil.example/mixpanel.com", LinkRefusal::Host),
    ("https://evil.example#mixpanel.com", LinkRefusal::Host),
    ("https://evil.example\\.mixpanel.com/o", LinkRefusal::Host),
    ("https://127.0.0.1:4444#@mixpanel.com/o", LinkRefusal::Host),
    ("https://127.0.0.1:4444?@mixpanel.com/o", LinkRefusal::Host),
    ("https://127.0.0.1:4444\\@mixpanel.com/o", LinkRefusal::Host),
    ("https://mixpanel.com./o", LinkRefusal::Host),
    ("https://míxpanel.com/o", LinkRefusal::Host),
    ("https://xn--mxpanel-g2a.com/o", LinkRefusal::Host),
    ("https://mixpanel.com。evil.example/o", LinkRefusal::Host),
    ("http://metadata.google.internal/computeMetadata/v1/", LinkRefusal::Host),
    // This host, in all its spellings.
    ("https://localhost/o", LinkRefusal::Host),
    ("https://localhost./o", LinkRefusal::Host),
    ("http://localhost:4444/o", LinkRefusal::Host),
    ("http://LOCALHOST:4444/o", LinkRefusal::Host),
    ("https://127.0.0.1/o", LinkRefusal::Host),
    ("http://127.0.0.1:4444/o", LinkRefusal::Host),
    ("http://127.0.0.1.:4444/o", LinkRefusal::Host),
    ("https://127.1/o", LinkRefusal::Host),
    ("http://127.0.1:4444/o", LinkRefusal::Host),
    ("https://2130706433/o", LinkRefusal::Host),
    ("http://2130706433:4444/o", LinkRefusal::Host),
    ("https://0x7f.1/o", LinkRefusal::Host),
    ("http://0x7f000001:4444/o", LinkRefusal::Host),
    ("https://0177.0.0.1/o", LinkRefusal::Host),
    ("http://017700000001:4444/o", LinkRefusal::Host),
    ("http://0x7F.0.0.01:4444/o", LinkRefusal::Host),
    ("http://%31%32%37.0.0.1:4444/o", LinkRefusal::Host),
    ("http://１２７.０.０.１:4444/o", LinkRefusal::Host),
    ("http://①②⑦.⓪.⓪.①:4444/o", LinkRefusal::Host),
    ("http://127。0。0。1:4444/o", LinkRefusal::Host),
    ("http://127.0.0.1\t:4444/o", LinkRefusal::Host),
    ("http:127.0.0.1:4444/o", LinkRefusal::Host),
    ("http:////127.0.0.1:4444/o", LinkRefusal::Host),
    ("http://0:4444/o", LinkRefusal::Host),
    ("http://0.0.0.0:4444/o", LinkRefusal::Host),
    ("http://[::1]:6666/o", LinkRefusal::Host),
    ("http://[0:0:0:0:0:0:0:1]:6666/o", LinkRefusal::Host),
    ("http://[::]:6666/o", LinkRefusal::Host),
    ("https://[::ffff:127.0.0.1]/o", LinkRefusal::Host),
    ("http://[::ffff:7f00:1]:4444/o", LinkRefusal::Host),
    ("http://[::127.0.0.1]:4444/o", LinkRefusal::Host),
    ("http://[64:ff9b::7f00:1]:4444/o", LinkRefusal::Host),
    ("http://[2002:7f00:1::]:4444/o", LinkRefusal::Host),
    // Its neighbours.
    ("http://169.254.169.254/latest/meta-data/", LinkRefusal::Host),
    ("http://[::ffff:169.254.169.254]/latest/meta-data/", LinkRefusal::Host),
    ("http://[fd00:ec2::254]/latest/meta-data/", LinkRefusal::Host),
    ("http://[fe80::1]/o", LinkRefusal::Host),
    ("https://[fc00::1]/o", LinkRefusal::Host),
    ("https://10.0.0.1/o", LinkRefusal::Host),
    ("https://192.168.0.1/o", LinkRefusal::Host),
    ("https://100.64.0.1/o", LinkRefusal::Host),
    // A listed host, in another way.
    ("http://mixpanel.com/o", LinkRefusal::PlainHttp),
    ("http://b.s3.amazonaws.com/o", LinkRefusal::PlainHttp),
    ("https://mixpanel.com:8443/o", LinkRefusal::Port),
    ("https://mixpanel.com:4444/o", LinkRefusal::Port),
    ("http://emulator:9101/o", LinkRefusal::Port),
    ("http://emulator:4444/o", LinkRefusal::Port),
    ("https://emulator/o", LinkRefusal::Port),
];

/// The links, with the ports of servers that are there.
pub(in super::super::super) fn hostile(v4: u16, v6: u16) -> Vec<(String, LinkRefusal)> {
    let to = |link: &str| link.replace("4444", &v4.to_string()).replace("6666", &v6.to_string());
    HOSTILE.iter().map(|(link, why)| (to(link), *why)).collect()
}

/// Servers that nobody may speak to; they count who does.
struct Canaries {
    v4: u16,
    v6: u16,
    connections: Arc<AtomicUsize>,
}

impl Canaries {
    async fn start() -> Self {
        let connections = Arc::<AtomicUsize>::default();
        let mut ports = [0; 2];
        for (host, port) in ["127.0.0.1:0", "[::1]:0"].into_iter().zip(&mut ports) {
            let listener = TcpListener::bind(host).await.unwrap();
            *port = listener.local_addr().unwrap().port();
            let connections = Arc::clone(&connections);
            tokio::spawn(async move {
                while let Ok((mut stream, _)) = listener.accept().await {
                    connections.fetch_add(1, Ordering::SeqCst);
                    let _ = stream.read(&mut [0; 1024]).await;
                    let _ = stream.write_all(ok("hello").as_bytes()).await;
                }
            });
        }
        let [v4, v6] = ports;
        V4.store(v4, Ordering::SeqCst);
        V6.store(v6, Ordering::SeqCst);
        Self { v4, v6, connections }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Where the canaries of the one test that has some are, for a name server, which is a function and holds nothing.
static V4: AtomicU16 = AtomicU16::new(0);
static V6: AtomicU16 = AtomicU16::new(0);
/// Where a server is that redirects, and that the operator vouches for.
static HOP: AtomicU16 = AtomicU16::new(0);

/// Names under a listed host, and the networks that they lead into.
const INWARDS: [(&str, &[&str]); 18] = [
    ("loopback", &["127.0.0.1"]),
    ("loopback6", &["::1"]),
    ("any", &["0.0.0.0"]),
    ("any6", &["::"]),
    ("mapped", &["::ffff:127.0.0.1"]),
    ("compatible", &["::127.0.0.1"]),
    ("nat64", &["64:ff9b::7f00:1"]),
    ("nat64-of-its-own", &["64:ff9b:1::7f00:1"]),
    ("six-to-four", &["2002:7f00:1::"]),
    ("teredo", &["2001:0:7f00:1::"]),
    ("metadata", &["169.254.169.254"]),
    ("metadata6", &["fd00:ec2::254"]),
    ("link-local", &["fe80::1"]),
    ("private", &["10.1.2.3"]),
    ("carrier", &["100.64.0.1"]),
    ("multicast", &["224.0.0.1"]),
    // One that is public does not excuse the other, in whatever order.
    ("public-first", &["8.8.8.8", "127.0.0.1"]),
    ("public-last", &["::1", "2607:f8b0::1"]),
];

/// A name server in the pay of an attacker.
#[expect(clippy::needless_pass_by_value, reason = "a Lookup")]
fn everything_is_local(name: Name) -> Resolving {
    let at = |host: IpAddr| match host {
        IpAddr::V4(_) => SocketAddr::from((host, V4.load(Ordering::SeqCst))),
        IpAddr::V6(_) => SocketAddr::from((host, V6.load(Ordering::SeqCst))),
    };
    let label = name.as_str().split('.').next().unwrap_or_default();
    let found: Vec<SocketAddr> = match INWARDS.iter().find(|(listed, _)| *listed == label) {
        Some((_, addresses)) => addresses.iter().map(|a| at(a.parse().unwrap())).collect(),
        None if label == "hop" => vec![([127, 0, 0, 1], HOP.load(Ordering::SeqCst)).into()],
        None => vec![at([127, 0, 0, 1].into())],
    };
    Box::pin(async move { Ok(Box::new(found.into_iter()) as Addrs) })
}

fn refusal(error: &DownloadError) -> Option<LinkRefusal> {
    match error {
        DownloadError::NotAllowed(why) => Some(*why),
        _ => None,
    }
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
        assert_eq!(refusal(&error), Some(why), "{target}");
    }
}

#[tokio::test]
async fn no_hostile_link_name_or_redirect_reaches_a_server() {
    let canaries = Canaries::start().await;
    let timeouts = DownloadTimeouts::default();
    let looking_up = |hosts: &str| {
        let hosts = hosts.parse().unwrap();
        Downloader::with_lookup(hosts, timeouts, everything_is_local).unwrap().with_retries(ONCE)
    };
    let downloader = looking_up(LISTED);
    let links = hostile(canaries.v4, canaries.v6);
    for (link, why) in &links {
        let Some(parsed) = ExportLink::parse(link) else { continue };
        let error = downloader.download(&parsed, &mut Collected::default(), 10).await.unwrap_err();
        assert!(link.is_empty() || !error.to_string().contains(link));
        assert_eq!(refusal(&error), Some(*why), "{link}");
    }
    for host in INWARDS
        .iter()
        .map(|(label, _)| format!("{label}.mixpanel.com"))
        .chain(["mixpanel.com".to_owned(), "b.s3.amazonaws.com".to_owned()])
    {
        let error = fetch(&downloader, &format!("https://{host}/o"), 10).await.0.unwrap_err();
        assert_eq!(refusal(&error), Some(LinkRefusal::PrivateAddress), "{host}");
    }
    // The same from a server that may be asked, and sends on.
    for (link, why) in &links {
        let redirect = answer("307 Temporary", &format!("location: {link}\r\n"), "");
        let (hop, mut asked) = server(vec![redirect]).await;
        HOP.store(hop, Ordering::SeqCst);
        let vouched = looking_up(&format!("{LISTED}, hop.example"));
        let (result, _) = fetch(&vouched, &format!("http://hop.example:{hop}/o"), 10).await;
        let error = result.unwrap_err();
        assert!(asked.recv().await.is_some(), "{link}");
        // What is no address by itself may be one beside another; a header in another script is none.
        let is_relative = *why == LinkRefusal::NotAnAddress || link.starts_with("http:1");
        if !is_relative && link.is_ascii() {
            assert_eq!(refusal(&error), Some(*why), "{link}");
        }
    }
    assert_eq!(canaries.connections(), 0, "a hostile link reached a canary");

    // The canaries sing: a host that the operator vouches for leads there.
    let downloader = looking_up("vouched.example, [::1]");
    for link in [
        format!("http://vouched.example:{}/o", canaries.v4),
        format!("http://[::1]:{}/o", canaries.v6),
    ] {
        assert_eq!(fetch(&downloader, &link, 10).await.0.unwrap().bytes, 5);
    }
    assert_eq!(canaries.connections(), 2);
}
