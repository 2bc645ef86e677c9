//! One connection: TCP, TLS and HTTP/1.1 over a fence, serving one call at a time.
//!
//! Nothing runs in the background. The connection moves only while its call is awaited, so a call that is dropped
//! stops at once, with all that it had not sent.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use chrono::Utc;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response, Uri,
    body::Incoming,
    client::conn::http1::{Builder, SendRequest},
    header::RETRY_AFTER,
};
use hyper_util::{client::legacy::connect::HttpConnector, rt::TokioIo};
use reqwest::Url;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::time::Instant;
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, crypto::aws_lc_rs, pki_types::ServerName},
};
use tower_service::Service;

use super::fence::{Fence, Fenced};
use crate::mixpanel::{
    ClientSetupError, Timeouts,
    exchange::{Answer, Body, retry_after},
};

/// Longest answer that is read: a complaint about each of 2,000 records is a tenth of it.
const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;
/// How long the system may wait for an acknowledgement of what it sent. Should we be stopped, what it still holds
/// must not arrive at some far later time.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_secs(10);
/// How many bytes the system may hold that it has not sent yet: it would send them whether we run or not. What is
/// under way does not count, so long lines are filled all the same.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 16 * 1024;

/// Makes connections to one server.
#[derive(Clone)]
pub(super) struct Connector {
    tcp: HttpConnector,
    server: Uri,
    /// For https: how, and whose certificate is expected.
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

/// A connection that stood once.
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    /// Moves the connection; absent once it has ended.
    driver: Option<Driver>,
    fence: Arc<Fence>,
    idle_since: Instant,
}

type Driver = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

/// The connection broke before the answer.
#[derive(Debug)]
pub(super) struct Broken;

impl Connector {
    /// A connector to the server of this address, trusting what the system trusts.
    pub(super) fn new(base: &Url, timeouts: Timeouts) -> Result<Self, ClientSetupError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(BuilderVerifierExt::with_platform_verifier)
            .map_err(|_| ClientSetupError::Tls)?;
        Self::with_tls(base, timeouts, config.with_no_client_auth())
    }

    /// A connector that trusts what the configuration says.
    pub(super) fn with_tls(
        base: &Url,
        timeouts: Timeouts,
        config: ClientConfig,
    ) -> Result<Self, ClientSetupError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(timeouts.connect));
        #[cfg(target_os = "linux")]
        tcp.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
        let tls = if base.scheme() == "https" {
            let host = base.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
            let name = ServerName::try_from(host).map_err(|_| ClientSetupError::Tls)?;
            Some((TlsConnector::from(Arc::new(config)), name))
        } else {
            None
        };
        let server = base.as_str().parse().map_err(|_| ClientSetupError::Tls)?;
        Ok(Self { tcp, server, tls })
    }

    /// A new connection; not one byte leaves after `until`.
    pub(super) async fn connect(&self, until: Instant) -> Option<Connection> {
        let tcp = self.tcp.clone().call(self.server.clone()).await.ok()?.into_inner();
        #[cfg(target_os = "linux")]
        socket2::SockRef::from(&tcp).set_tcp_notsent_lowat(UNSENT).ok()?;
        let fence = Arc::new(Fence::default());
        fence.open(until);
        let fenced = Fenced::new(tcp, Arc::clone(&fence));
        match &self.tls {
            None => Connection::over(fenced, fence).await,
            Some((tls, name)) => {
                let stream = tls.connect(name.clone(), fenced).await.ok()?;
                Connection::over(stream, fence).await
            }
        }
    }
}

impl Connection {
    async fn over<S>(stream: S, fence: Arc<Fence>) -> Option<Self>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
    {
        let (sender, driver) = Builder::new().handshake(TokioIo::new(stream)).await.ok()?;
        Some(Self { sender, driver: Some(Box::pin(driver)), fence, idle_since: Instant::now() })
    }

    /// Sends a request and reads its answer whole. Not one byte of it leaves after `until`.
    pub(super) async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
        until: Instant,
    ) -> Result<Answer, Broken> {
        self.fence.open(until);
        let Self { sender, driver, .. } = self;
        let running = driver.as_mut().ok_or(Broken)?;
        let call = async {
            let response = sender.send_request(request).await.map_err(|_| Broken)?;
            Ok(read(response).await)
        };
        tokio::pin!(call);
        tokio::select! {
            biased;
            answer = &mut call => return answer,
            _ = running => {}
        }
        // All that will ever come is there: the call ends by itself once its connection is gone.
        *driver = None;
        call.await
    }

    /// Whether anything of the last request may have left.
    pub(super) fn has_sent(&self) -> bool {
        self.fence.written() > 0
    }

    /// How long it has served nobody.
    pub(super) fn idle_for(&self) -> Duration {
        self.idle_since.elapsed()
    }

    /// After a call: whether the next one may use it. Only then its fence is closed; dropped otherwise, it takes along
    /// what it has not sent.
    pub(super) fn rest(&mut self) -> bool {
        let fit = self.is_fit();
        if fit {
            self.fence.close();
            self.idle_since = Instant::now();
        }
        fit
    }

    /// Whether it still stands and waits for a request.
    pub(super) fn is_fit(&mut self) -> bool {
        let Some(driver) = &mut self.driver else { return false };
        match driver.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => self.sender.is_ready(),
            Poll::Ready(_) => {
                self.driver = None;
                false
            }
        }
    }
}

async fn read(response: Response<Incoming>) -> Answer {
    let status = response.status().as_u16();
    let header = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after = header.and_then(|text| retry_after(text, Utc::now()));
    let body = http_body_util::Limited::new(response.into_body(), MAX_ANSWER_BYTES);
    let body = match body.collect().await {
        Ok(body) => Body::Whole(body.to_bytes().into()),
        Err(_) => Body::Unusable,
    };
    Answer { status, retry_after, body }
}
