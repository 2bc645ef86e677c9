//! An S3 server in this process, on a port of its own. It checks signatures and their time.

use std::{
    fs, io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use http_body_util::BodyExt;
use hyper::{Method, Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use s3s::{
    Body, HttpError,
    auth::SimpleAuth,
    service::{S3Service, S3ServiceBuilder},
};
use tempfile::TempDir;
use tokio::{net::TcpListener, runtime::Runtime, sync::Barrier};

use super::rig::runtime;
use crate::archive::store::{
    ArchiveStore, Place, Provider, StoreError, address::BucketAddress, bucket::Bucket,
};

const BUCKET: &str = "bucket";
const KEY: &str = "AKEXAMPLE";
const SECRET: &str = "word-of-the-example";

/// The server. Dropping it stops it.
pub(super) struct S3Server {
    pub(super) address: SocketAddr,
    pub(super) watch: Arc<Watch>,
    root: TempDir,
    _runtime: Runtime,
}

/// What the server saw, and what it is to do about it.
#[derive(Default)]
pub(super) struct Watch {
    pub(super) puts: AtomicUsize,
    /// Puts that were there at once, at most.
    pub(super) most: AtomicUsize,
    in_flight: AtomicUsize,
    /// So many puts are answered 503.
    pub(super) failing: AtomicUsize,
    /// Puts wait here for each other.
    pub(super) together: Mutex<Option<Arc<Barrier>>>,
}

impl S3Server {
    pub(super) fn start() -> Self {
        let (runtime, root) = (runtime(), tempfile::tempdir().unwrap());
        fs::create_dir(root.path().join(BUCKET)).unwrap();
        let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(root.path()).unwrap());
        builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let (service, watch) = (builder.build(), Arc::new(Watch::default()));
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(serve(listener, service, Arc::clone(&watch)));
        Self { address, watch, root, _runtime: runtime }
    }

    pub(super) fn store(&self, client: &Runtime, prefix: &str) -> Result<ArchiveStore, StoreError> {
        self.store_with(client, BUCKET, prefix, SECRET)
    }

    pub(super) fn store_with(
        &self,
        client: &Runtime,
        bucket: &str,
        prefix: &str,
        secret: &str,
    ) -> Result<ArchiveStore, StoreError> {
        let _at_hand = client.enter();
        let address = BucketAddress {
            provider: Provider::S3,
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
        };
        let endpoint = format!("http://{}", self.address);
        let variables = [
            ("AWS_ENDPOINT", endpoint.as_str()),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_ACCESS_KEY_ID", KEY),
            ("AWS_SECRET_ACCESS_KEY", secret),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Ok(ArchiveStore(Place::Bucket(Bucket::without_patience(&address, &variables)?)))
    }

    /// Files of uploads that are not complete.
    pub(super) fn parts(&self) -> usize {
        let names = fs::read_dir(self.root.path()).unwrap();
        names
            .filter(|entry| {
                let name = entry.as_ref().unwrap().file_name();
                name.to_string_lossy().contains("upload_id")
                    && name.to_string_lossy().contains("part")
            })
            .count()
    }
}

async fn serve(listener: TcpListener, service: S3Service, watch: Arc<Watch>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (service, watch) = (service.clone(), Arc::clone(&watch));
        let answer = service_fn(move |request| {
            let (service, watch) = (service.clone(), Arc::clone(&watch));
            async move { watch.answer(request, &service).await }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), answer);
        tokio::spawn(connection);
    }
}

impl Watch {
    async fn answer(
        &self,
        request: Request<Incoming>,
        service: &S3Service,
    ) -> Result<Response<Body>, HttpError> {
        if request.method() != Method::PUT {
            return service.call(request.map(Body::from)).await;
        }
        self.puts.fetch_add(1, SeqCst);
        self.most.fetch_max(self.in_flight.fetch_add(1, SeqCst) + 1, SeqCst);
        let together = self.together.lock().unwrap().clone();
        if let Some(barrier) = together {
            barrier.wait().await;
        }
        let fails = self.failing.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok();
        let answer = if fails {
            // Unread, it would cut the connection before the answer.
            let _ = request.into_body().collect().await;
            let body = Body::from("<Error><Code>SlowDown</Code></Error>".to_owned());
            Ok(Response::builder().status(503).body(body).unwrap())
        } else {
            service.call(request.map(Body::from)).await
        };
        self.in_flight.fetch_sub(1, SeqCst);
        answer
    }
}

/// Fetches a URL of the server by plain HTTP: status and body.
pub(super) fn fetch(url: &url::Url) -> (u16, Vec<u8>) {
    use io::{Read, Write};
    let host = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    let mut stream = std::net::TcpStream::connect(&host).unwrap();
    let target = format!("{}?{}", url.path(), url.query().unwrap_or_default());
    write!(stream, "GET {target} HTTP/1.0\r\nHost: {host}\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let status = std::str::from_utf8(&answer[9..12]).unwrap().parse().unwrap();
    (status, answer.split_off(end + 4))
}
