//! Over TLS: whose certificate is believed, and the deadline below it.

use std::sync::Arc;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ClientConfig, RootCertStore, ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivateKeyDer},
    },
};

use super::*;

/// A server with a certificate of its own, and a client that believes in it.
struct World {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    client: Ingestion,
}

impl World {
    /// The certificate is for this name; the client asks for `localhost`.
    async fn start(name: &str) -> Self {
        let certified = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let certificate = certified.cert.der().clone();
        let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let endpoints = Endpoints::new(Region::Us, None, Some(&base)).unwrap();
        let (timeouts, config) = (Timeouts::default(), trusting(certificate.clone()));
        let connector = Connector::with_tls(endpoints.ingestion(), timeouts, config).unwrap();
        let client = Ingestion::over(connector, endpoints, &TOKEN.into(), timeouts, 4).unwrap();
        let server = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        Self { listener, acceptor: TlsAcceptor::from(Arc::new(server)), client }
    }
}

fn trusting(certificate: CertificateDer<'static>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

#[tokio::test]
async fn parcels_travel_over_one_connection_of_tls() {
    let World { listener, acceptor, client } = World::start("localhost").await;
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = acceptor.accept(stream).await.unwrap();
        for _ in 0..2 {
            let mut request = Vec::new();
            while !request.ends_with(b"[{}]") {
                request.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n1").await.unwrap();
        }
    });
    let parcel = parcel(Channel::Engage, ["{}".to_owned()]);
    for _ in 0..2 {
        assert_eq!(client.send(&parcel, soon()).await, Delivery::Accepted { uncounted: 0 });
    }
    server.await.unwrap();
}

#[tokio::test]
async fn a_server_with_another_name_gets_nothing() {
    let World { listener, acceptor, client } = World::start("elsewhere.test").await;
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        acceptor.accept(stream).await.is_err()
    });
    let delivery = client.send(&events(Channel::Import, &["i-1"]), soon()).await;
    assert_eq!(delivery, Delivery::Unavailable { why: Outage::Unreachable, sent: false });
    assert!(server.await.unwrap());
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_late_and_nothing_was_sent() {
    let World { listener, client, .. } = World::start("localhost").await;
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        ends(stream).await;
    });
    let deadline = Instant::now() + Duration::from_millis(300);
    assert_eq!(client.send(&events(Channel::Import, &["i-1"]), deadline).await, Delivery::Late);
    server.await.unwrap();
}

/// Reads a connection to its end, and answers nothing.
async fn ends(mut stream: TcpStream) {
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all).await;
}
