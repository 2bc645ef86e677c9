//! Redis behind TLS, an authority that signs for it, and somebody who listens on the way.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use data_encoding::BASE64;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::process::{Server, and, durable, free_port};

/// Who signs the certificates of a story; everything that it signs lies in a folder of its own.
pub(crate) struct Authority {
    folder: PathBuf,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new(folder: PathBuf) -> Self {
        std::fs::create_dir_all(&folder).unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = called(&folder.display().to_string());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        std::fs::write(folder.join("ca.pem"), pem("CERTIFICATE", issuer.der())).unwrap();
        Self { folder, issuer }
    }

    /// Its own certificate, for those who believe in it.
    pub(crate) fn file(&self) -> String {
        self.folder.join("ca.pem").display().to_string()
    }

    /// What a server that is called `name` starts with, to be reached with TLS and in no other way.
    pub(crate) fn arguments(&self, name: &str, port: u16) -> Vec<String> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.distinguished_name = called(name);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let (cert, secret) =
            (self.folder.join(format!("{port}.crt")), self.folder.join(format!("{port}.key")));
        std::fs::write(&cert, pem("CERTIFICATE", certificate.der())).unwrap();
        std::fs::write(&secret, pem("PRIVATE KEY", &key.serialize_der())).unwrap();
        let (port, cert, key) =
            (port.to_string(), cert.display().to_string(), secret.display().to_string());
        let arguments = [
            ["--port", "0"],
            ["--tls-port", &port],
            ["--tls-cert-file", &cert],
            ["--tls-key-file", &key],
            ["--tls-ca-cert-file", &self.file()],
            ["--tls-auth-clients", "no"],
            ["--tls-replication", "yes"],
        ];
        arguments.into_iter().flatten().map(str::to_owned).collect()
    }
}

/// A name of its own: who has the name of its authority looks as if it had signed itself.
fn called(name: &str) -> DistinguishedName {
    let mut called = DistinguishedName::new();
    called.push(DnType::CommonName, name);
    called
}

fn pem(kind: &str, der: &[u8]) -> String {
    format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", BASE64.encode(der))
}

/// A Redis with a certificate for `name`.
pub(crate) fn guarded(folder: &Path, authority: &Authority, name: &str, more: &[&str]) -> Server {
    Server::start("redis-server", folder.join("guarded"), |port| {
        let arguments: Vec<String> = [durable(port), authority.arguments(name, port)].concat();
        and(arguments, more)
    })
}

/// A Sentinel, with a certificate as well, that watches a Redis called `main`.
pub(crate) fn watched(folder: &Path, authority: &Authority, redis: &Server) -> Server {
    let folder = folder.join("sentinel");
    let file = folder.join("sentinel.conf");
    let watched = redis.port;
    Server::start("redis-server", folder, |own| {
        let line = |pair: &[String]| format!("{} {}\n", pair[0].trim_start_matches('-'), pair[1]);
        let own: String = authority.arguments("127.0.0.1", own).chunks(2).map(line).collect();
        let settings =
            format!("bind 127.0.0.1\nsentinel monitor main 127.0.0.1 {watched} 1\n{own}");
        std::fs::write(&file, settings).unwrap();
        vec![file.display().to_string(), "--sentinel".to_owned()]
    })
}

/// A Cluster of one server, which has all slots.
pub(crate) fn cluster_of_one(folder: &Path, authority: &Authority) -> Server {
    let bus = free_port().to_string();
    let more = ["--cluster-enabled", "yes", "--cluster-port", &bus, "--tls-cluster", "yes"];
    let server = guarded(folder, authority, "127.0.0.1", &more);
    let port = server.port.to_string();
    let ask = |words: &[&str]| {
        let mut command = Command::new("redis-cli");
        command.args(["--tls", "--cacert", &authority.file(), "-h", "127.0.0.1", "-p", &port]);
        let answer = command.arg("cluster").args(words).output().unwrap();
        String::from_utf8(answer.stdout).unwrap()
    };
    assert!(ask(&["addslotsrange", "0", "16383"]).contains("OK"));
    let deadline = Instant::now() + super::PATIENCE;
    while !ask(&["info"]).contains("cluster_state:ok") {
        assert!(Instant::now() < deadline, "no whole cluster");
        std::thread::sleep(Duration::from_millis(20));
    }
    server
}

/// Somebody between the worker and a server, who hands everything on and keeps it.
pub(crate) struct Tap {
    pub(crate) port: u16,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Tap {
    pub(crate) async fn before(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::<Mutex<Vec<u8>>>::default();
        let keep = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                let ((from_client, to_client), (from_server, to_server)) =
                    (client.into_split(), server.into_split());
                tokio::spawn(hand_on(from_client, to_server, Arc::clone(&keep)));
                tokio::spawn(hand_on(from_server, to_client, Arc::clone(&keep)));
            }
        });
        Self { port, heard }
    }

    /// All that came by so far, in both directions.
    pub(crate) fn heard(&self) -> Vec<u8> {
        self.heard.lock().unwrap().clone()
    }
}

async fn hand_on(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    heard: Arc<Mutex<Vec<u8>>>,
) {
    let mut piece = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        heard.lock().unwrap().extend_from_slice(&piece[..length]);
        if to.write_all(&piece[..length]).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}
