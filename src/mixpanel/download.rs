//! Fetches an export from the link in a report.
//!
//! Invariants: the request carries no credentials; every hop is checked against [`ExportHosts`]
//! before a connection is made, and the connection goes to an address that was checked, too; what
//! arrives is whole or an error.

use std::{error::Error, io, net::SocketAddr, sync::Arc, time::Duration};

use reqwest::{
    Response, StatusCode, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    header::LOCATION,
    redirect, retry,
};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::{
    ClientSetupError, ExportLink,
    address::is_public,
    export_hosts::{ExportHosts, LinkRefusal},
};

/// Redirects that are followed.
const MAX_REDIRECTS: u8 = 3;

/// How long a download may stand still; it may take as long as it moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DownloadTimeouts {
    /// Until a connection stands.
    pub connect: Duration,
    /// Between two arrivals of data.
    pub idle: Duration,
}

impl Default for DownloadTimeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), idle: Duration::from_secs(60) }
    }
}

/// A finished download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Downloaded {
    /// Bytes written.
    pub bytes: u64,
    /// Whether the server had announced the length, so that nothing can be missing. Without it,
    /// the archive's own end must prove that it is whole.
    pub content_length_checked: bool,
}

/// Why there is no export. None of them repeats the link.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The link leads where no export may come from. If the host is right, list it.
    #[error("the export link was not followed: {0}")]
    NotAllowed(LinkRefusal),
    /// The link no longer works (4xx): poll once for a fresh one.
    #[error("the export link no longer works (HTTP {status}); a fresh one is needed")]
    Gone {
        /// The HTTP status.
        status: u16,
    },
    /// The storage cannot answer now (5xx, 408, 425, 429): try again later.
    #[error("the export's storage does not answer as it should (HTTP {status}); try again later")]
    Server {
        /// The HTTP status.
        status: u16,
    },
    /// No connection: try again later.
    #[error("the export's storage cannot be reached; try again later")]
    Unreachable,
    /// Cut off, stalled, or longer or shorter than announced: start over.
    #[error("the export broke off; start over")]
    Broken,
    /// It redirected more often than any storage does.
    #[error("the export link redirects more than {MAX_REDIRECTS} times")]
    TooManyRedirects,
    /// Larger than allowed: nothing of it is usable.
    #[error("the export is larger than the limit of {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// Our own disk.
    #[error("the export cannot be written")]
    Write(#[source] io::Error),
}

/// Fetches exports. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Downloader {
    http: reqwest::Client,
    hosts: Arc<ExportHosts>,
}

impl Downloader {
    /// Prepares a client of its own, which knows no credentials.
    pub fn new(hosts: ExportHosts, timeouts: DownloadTimeouts) -> Result<Self, ClientSetupError> {
        Self::with_lookup(hosts, timeouts, lookup)
    }

    fn with_lookup(
        hosts: ExportHosts,
        timeouts: DownloadTimeouts,
        lookup: Lookup,
    ) -> Result<Self, ClientSetupError> {
        let hosts = Arc::new(hosts);
        let http = reqwest::Client::builder()
            .user_agent(super::USER_AGENT)
            .dns_resolver(GuardedResolver { hosts: Arc::clone(&hosts), lookup })
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .pool_max_idle_per_host(0)
            .http1_only()
            .no_proxy()
            .referer(false)
            .connect_timeout(timeouts.connect)
            .read_timeout(timeouts.idle)
            .build()
            .map_err(|_| ClientSetupError::Tls)?;
        Ok(Self { http, hosts })
    }

    /// Fetches the export into `into`, which is flushed; at most `limit` bytes. After an error,
    /// what was written so far is of no use.
    pub async fn download(
        &self,
        link: &ExportLink,
        into: &mut (impl AsyncWrite + Unpin),
        limit: u64,
    ) -> Result<Downloaded, DownloadError> {
        let url = self.hosts.check(link.expose()).map_err(DownloadError::NotAllowed)?;
        let response = self.follow(url).await?;
        let announced = response.content_length();
        if announced.is_some_and(|length| length > limit) {
            return Err(DownloadError::TooLarge { limit });
        }
        let bytes = copy(response, into, limit).await?;
        if announced.is_some_and(|length| length != bytes) {
            return Err(DownloadError::Broken);
        }
        Ok(Downloaded { bytes, content_length_checked: announced.is_some() })
    }

    /// Asks, and follows redirects by hand: each is a new link from outside.
    async fn follow(&self, mut url: Url) -> Result<Response, DownloadError> {
        for _ in 0..=MAX_REDIRECTS {
            let response = self.http.get(url.clone()).send().await.map_err(|e| failure(&e))?;
            match response.status() {
                StatusCode::OK => return Ok(response),
                status if status.is_redirection() => {
                    let broken = || DownloadError::Server { status: status.as_u16() };
                    url = redirected(&url, &response).ok_or_else(broken)?;
                    self.hosts.check_url(&url).map_err(DownloadError::NotAllowed)?;
                }
                status => return Err(refused(status.as_u16())),
            }
        }
        Err(DownloadError::TooManyRedirects)
    }
}

fn redirected(from: &Url, response: &Response) -> Option<Url> {
    from.join(response.headers().get(LOCATION)?.to_str().ok()?).ok()
}

/// Storages say 400, 401, 403, 404 or 410 to a signature that has run out.
fn refused(status: u16) -> DownloadError {
    match status {
        408 | 425 | 429 => DownloadError::Server { status },
        400..=499 => DownloadError::Gone { status },
        _ => DownloadError::Server { status },
    }
}

/// Reads reqwest's error and lets it go: it may hold the link.
fn failure(error: &reqwest::Error) -> DownloadError {
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(inner) = cause {
        if let Some(refusal) = inner.downcast_ref::<LinkRefusal>() {
            return DownloadError::NotAllowed(*refusal);
        }
        cause = inner.source();
    }
    if error.is_connect() { DownloadError::Unreachable } else { DownloadError::Broken }
}

async fn copy(
    mut response: Response,
    into: &mut (impl AsyncWrite + Unpin),
    limit: u64,
) -> Result<u64, DownloadError> {
    let mut bytes = 0_u64;
    while let Some(chunk) = response.chunk().await.map_err(|_| DownloadError::Broken)? {
        bytes = bytes.saturating_add(chunk.len() as u64);
        if bytes > limit {
            return Err(DownloadError::TooLarge { limit });
        }
        into.write_all(&chunk).await.map_err(DownloadError::Write)?;
    }
    into.flush().await.map_err(DownloadError::Write)?;
    Ok(bytes)
}

/// How a name becomes addresses.
type Lookup = fn(Name) -> Resolving;

/// The system's way.
fn lookup(name: Name) -> Resolving {
    Box::pin(async move {
        let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
        Ok(Box::new(found.into_iter()) as Addrs)
    })
}

/// Refuses names that lead into some network, unless the operator vouches for them. reqwest
/// connects to the addresses that this returns, so nobody can swap them after the check.
struct GuardedResolver {
    hosts: Arc<ExportHosts>,
    lookup: Lookup,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let trusted = self.hosts.trusts(name.as_str());
        let found = (self.lookup)(name);
        Box::pin(async move {
            let addresses: Vec<SocketAddr> = found.await?.collect();
            if !trusted && !addresses.iter().all(|address| is_public(address.ip())) {
                return Err(LinkRefusal::PrivateAddress.into());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
pub(super) mod tests;
