//! Fetches an export from the link in a report.
//!
//! ```text
//! download ─▶ route      hops that are checked, addresses that are checked
//!          ─▶ resume     where to go on after a break, and whether the answer does
//!          ─▶ checksum   what the storage says that the bytes must come to
//! ```
//! Invariants: the request carries no credentials; every hop of every attempt is checked against [`ExportHosts`]
//! before a connection is made, and the connection goes to an address that was checked, too; bytes of two
//! versions of the export never meet; what arrives is whole or an error; attempts are bounded.
//!
//! The bytes are kept as they come. The request says that gzip is welcome, because Google's storage would unpack
//! what it stores gzipped otherwise, and neither its checksum nor a range would fit then. Nothing is unpacked here:
//! what the export is shows by its first bytes, whatever the headers say.

mod checksum;
mod resume;
mod route;

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use reqwest::{Response, StatusCode};

use self::resume::Progress;
use super::{
    ClientSetupError, ExportLink,
    export_hosts::{ExportHosts, LinkRefusal},
};

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

/// How stubborn one download is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// Requests in all, the first one included.
    pub tries: u32,
    /// How often it begins anew, because the storage cannot go on or the bytes are not what they should be.
    pub restarts: u32,
    /// Wait after the first break; doubles with each.
    pub first_wait: Duration,
    /// Longest wait.
    pub most_wait: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        let (first_wait, most_wait) = (Duration::from_millis(500), Duration::from_secs(20));
        Self { tries: 8, restarts: 2, first_wait, most_wait }
    }
}

impl Retries {
    /// The wait after so many breaks, from 1 on.
    fn wait(&self, breaks: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(breaks.saturating_sub(1));
        self.first_wait.saturating_mul(doubled).min(self.most_wait)
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
    /// Whether the storage told a checksum, and the bytes fit it.
    pub checksum_checked: bool,
    /// Breaks that it went on after, or began anew.
    pub breaks: u32,
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
    /// Cut off, stalled, or longer or shorter than announced, again and again: try again later.
    #[error("the export broke off; try again later")]
    Broken,
    /// The storage gave pieces of different things, again and again: try again later.
    #[error("the export changed while it was fetched; try again later")]
    Changed,
    /// Not the bytes that the storage itself announces, again and again: ask Mixpanel for another export.
    #[error("the export does not have the checksum that its storage announces ({kind})")]
    Checksum {
        /// Which checksum.
        kind: &'static str,
    },
    /// It redirected more often than any storage does.
    #[error("the export link redirects more than {} times", route::MAX_REDIRECTS)]
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

impl DownloadError {
    /// Whether another request within the same download may help.
    fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Server { .. }
                | Self::Unreachable
                | Self::Broken
                | Self::Changed
                | Self::Checksum { .. }
        )
    }

    /// Whether what came so far is of no use.
    fn spoils(&self) -> bool {
        matches!(self, Self::Changed | Self::Checksum { .. })
    }
}

/// Takes the bytes of a download in their order.
pub trait Sink {
    /// The next bytes.
    fn write(&mut self, chunk: Bytes) -> impl Future<Output = io::Result<()>> + Send;

    /// All bytes so far are void: the export begins anew.
    fn restart(&mut self) -> impl Future<Output = io::Result<()>> + Send;
}

/// Fetches exports. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Downloader {
    http: reqwest::Client,
    hosts: Arc<ExportHosts>,
    retries: Retries,
}

impl Downloader {
    /// Prepares a client of its own, which knows no credentials.
    pub fn new(hosts: ExportHosts, timeouts: DownloadTimeouts) -> Result<Self, ClientSetupError> {
        Self::with_lookup(hosts, timeouts, route::lookup)
    }

    fn with_lookup(
        hosts: ExportHosts,
        timeouts: DownloadTimeouts,
        lookup: route::Lookup,
    ) -> Result<Self, ClientSetupError> {
        let hosts = Arc::new(hosts);
        let http = route::client(&hosts, timeouts, lookup)?;
        Ok(Self { http, hosts, retries: Retries::default() })
    }

    /// Is as stubborn as `retries` says.
    #[must_use]
    pub fn with_retries(self, retries: Retries) -> Self {
        Self { retries, ..self }
    }

    /// Fetches the export into `sink`; at most `limit` bytes. After an error, what was written so far is of no use.
    pub async fn download(
        &self,
        link: &ExportLink,
        sink: &mut impl Sink,
        limit: u64,
    ) -> Result<Downloaded, DownloadError> {
        let url = self.hosts.check(link.expose()).map_err(DownloadError::NotAllowed)?;
        let mut budget = Budget { retries: &self.retries, breaks: 0, restarts: 0 };
        let mut progress = Progress::default();
        loop {
            let attempt = self.attempt(&url, &mut progress, &mut budget, sink, limit).await;
            let Err(error) = attempt else { return Ok(progress.downloaded(budget.breaks)) };
            if !error.may_pass() || !budget.spend_try() {
                return Err(error);
            }
            if progress.done() > 0 && (error.spoils() || !progress.can_resume()) {
                if !budget.spend_restart() {
                    return Err(error);
                }
                sink.restart().await.map_err(DownloadError::Write)?;
                progress = Progress::default();
            }
            tokio::time::sleep(self.retries.wait(budget.breaks)).await;
        }
    }

    /// One request: the export from where it stands, or from the beginning.
    async fn attempt(
        &self,
        url: &reqwest::Url,
        progress: &mut Progress,
        budget: &mut Budget<'_>,
        sink: &mut impl Sink,
        limit: u64,
    ) -> Result<(), DownloadError> {
        let response = route::follow(&self.http, &self.hosts, url, &progress.request()).await?;
        match response.status() {
            StatusCode::OK => {
                // It was asked to go on, and gives the whole: another version, or ranges are not its thing.
                if progress.done() > 0 {
                    if !budget.spend_restart() {
                        return Err(DownloadError::Broken);
                    }
                    sink.restart().await.map_err(DownloadError::Write)?;
                }
                *progress = Progress::begin(&response);
            }
            StatusCode::PARTIAL_CONTENT if progress.done() > 0 => {
                if !progress.goes_on_with(&response) {
                    return Err(DownloadError::Changed);
                }
            }
            StatusCode::RANGE_NOT_SATISFIABLE if progress.done() > 0 => {
                return Err(DownloadError::Changed);
            }
            status => return Err(route::refused(status.as_u16())),
        }
        if progress.total().is_some_and(|total| total > limit) {
            return Err(DownloadError::TooLarge { limit });
        }
        copy(response, progress, sink, limit).await?;
        progress.prove()
    }
}

/// What may still be tried.
struct Budget<'r> {
    retries: &'r Retries,
    breaks: u32,
    restarts: u32,
}

impl Budget<'_> {
    /// After a break: whether there may be another request.
    fn spend_try(&mut self) -> bool {
        self.breaks += 1;
        self.breaks < self.retries.tries && self.restarts <= self.retries.restarts
    }

    /// Whether all may begin anew; if not, there is no further request either.
    fn spend_restart(&mut self) -> bool {
        self.restarts += 1;
        self.restarts <= self.retries.restarts
    }
}

/// Hands on what comes. A break keeps what came before it.
async fn copy(
    mut response: Response,
    progress: &mut Progress,
    sink: &mut impl Sink,
    limit: u64,
) -> Result<(), DownloadError> {
    while let Some(chunk) = response.chunk().await.map_err(|_| DownloadError::Broken)? {
        let done = progress.done().saturating_add(chunk.len() as u64);
        if done > limit {
            return Err(DownloadError::TooLarge { limit });
        }
        if progress.total().is_some_and(|total| done > total) {
            return Err(DownloadError::Changed);
        }
        progress.take(&chunk);
        sink.write(chunk).await.map_err(DownloadError::Write)?;
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests;
