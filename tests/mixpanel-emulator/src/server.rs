//! The HTTP server: reads a call whole, asks the state under its lock, delivers the answer.
//!
//! Invariant: the lock is never held while anything is read, written or waited for.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, IF_RANGE, RANGE};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::call::{Call, Delivery};
use crate::content::Content;
use crate::control;
use crate::deliver::{CutOff, WireBody, response};
use crate::kind::Route;
use crate::seed;
use crate::settings::Settings;
use crate::state::State;

/// Largest body that is read at all.
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// How long calls that are being answered may still take once we stop.
const GRACE: Duration = Duration::from_secs(1);

/// What is fixed for the whole run.
#[derive(Debug, Clone)]
pub struct Config {
    /// Address to listen on; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Base of the download links; `http://` and the bound address if absent.
    pub public_url: Option<String>,
    /// File that the call log is appended to.
    pub log: Option<PathBuf>,
    /// File with people in the form of an export of lines.
    pub seed_people: Option<PathBuf>,
    /// Seed of all chance.
    pub seed: u64,
    /// What can be changed later.
    pub settings: Settings,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            public_url: None,
            log: None,
            seed_people: None,
            seed: 1,
            settings: Settings::default(),
        }
    }
}

/// Why the emulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is taken, or not ours.
    #[error("cannot listen on {address}: {source}; choose another --listen address")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The log file cannot be opened.
    #[error("cannot append to the log file: {0}")]
    Log(io::Error),
    /// The file of people cannot be used.
    #[error("--seed-people: {0}")]
    Seed(String),
    /// A setting is out of range.
    #[error("{0}")]
    Setting(String),
}

/// An emulator that answers until it is stopped or dropped.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Running {
    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://` and the address.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Takes no more calls, lets those in flight end for a second, and is gone.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        let _ = self.task.await;
    }
}

/// Starts an emulator on the current Tokio runtime.
pub async fn start(config: Config) -> Result<Running, StartError> {
    config.settings.check().map_err(StartError::Setting)?;
    let address = config.listen;
    let listener = TcpListener::bind(address).await;
    let listener = listener.map_err(|source| StartError::Listen { address, source })?;
    let address = listener.local_addr().map_err(|source| StartError::Listen { address, source })?;
    let public_url = config.public_url.unwrap_or_else(|| format!("http://{address}"));
    let public_url = public_url.trim_end_matches('/').to_owned();
    let mut state = State::new(config.settings, config.seed, public_url, config.log.as_deref())
        .map_err(StartError::Log)?;
    if let Some(path) = &config.seed_people {
        seed::load(&mut state, path).map_err(StartError::Seed)?;
    }
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(accept(listener, Arc::new(Mutex::new(state)), stopped));
    Ok(Running { address, stop, task })
}

type Shared = Arc<Mutex<State>>;

fn lock(state: &Shared) -> MutexGuard<'_, State> {
    // A panic while the lock was held leaves a state that is still good enough to look at.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, state: Shared, mut stopped: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = stopped.changed() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream, Arc::clone(&state), stopped.clone()));
                }
                // Out of descriptors, most likely: some will be free again soon.
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    let all_done = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(GRACE, all_done).await;
}

async fn serve(stream: TcpStream, state: Shared, mut stopped: watch::Receiver<bool>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| handle(request, Arc::clone(&state)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    // How a connection ends is what the faults are about: nothing to report.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopped.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// An error ends the connection without an answer.
async fn handle(request: Request<Incoming>, state: Shared) -> Result<Response<WireBody>, CutOff> {
    let (head, body) = request.into_parts();
    let head = head_of(&head, Instant::now());
    let route = Route::of(&head.method, &head.path);
    let call = Reading { head: Some(head), route: &route, state: &state, bytes: BytesMut::new() };
    let call = call.whole(body).await?;
    let most_bytes = lock(&state).settings.ingestion_bytes;
    let content = Content::read(&route, &call, most_bytes);
    let delivery: Delivery = {
        let mut state = lock(&state);
        match control::answer(&mut state, &call) {
            Some(reply) => reply.into(),
            None => state.answer(&call, &route, content),
        }
    };
    response(delivery).await
}

/// A call whose body is still on its way. Dropped before all of it is there, it leaves a word in the log: part of
/// what the caller had to send has arrived.
struct Reading<'a> {
    head: Option<Call>,
    route: &'a Route,
    state: &'a Shared,
    bytes: BytesMut,
}

impl Reading<'_> {
    async fn whole(mut self, mut body: Incoming) -> Result<Call, CutOff> {
        let pause = lock(self.state).slow_read(self.route);
        loop {
            if let Some(pause) = pause {
                tokio::time::sleep(pause).await;
            }
            match body.frame().await {
                None => break,
                Some(Err(_)) => return Err(CutOff),
                Some(Ok(frame)) => {
                    self.bytes.extend_from_slice(&frame.into_data().unwrap_or_default());
                }
            }
            if self.bytes.len() > MOST_BYTES {
                return Err(CutOff);
            }
        }
        let mut call = self.head.take().ok_or(CutOff)?;
        call.body = self.bytes.split().freeze();
        call.whole = Some(Instant::now());
        Ok(call)
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        if let (Some(mut call), Route::Ingest(_)) = (self.head.take(), self.route) {
            call.body = self.bytes.split().freeze();
            lock(self.state).cut_off(&call, self.route);
        }
    }
}

fn head_of(head: &Parts, arrived: Instant) -> Call {
    let header = |name: HeaderName| {
        head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
    };
    let query = head.uri.query().unwrap_or_default();
    Call {
        arrived,
        whole: None,
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        authorization: header(AUTHORIZATION),
        range: header(RANGE),
        if_range: header(IF_RANGE),
        content_type: header(CONTENT_TYPE).unwrap_or_default().to_lowercase(),
        gzipped: header(CONTENT_ENCODING).is_some_and(|coding| coding.contains("gzip")),
        body: Bytes::new(),
    }
}
