//! The way to an export: which hops are taken, and to which addresses.

use std::{error::Error, net::SocketAddr, sync::Arc};

use reqwest::{
    Client, Response, StatusCode, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{HeaderMap, LOCATION},
};

use super::{
    super::{
        ClientSetupError,
        address::is_public,
        export_hosts::{ExportHosts, LinkRefusal},
        strict_http,
    },
    DownloadError, DownloadTimeouts,
};

/// Redirects that are followed.
pub(super) const MAX_REDIRECTS: u8 = 3;

/// A client that knows no credentials, follows nothing by itself and connects to checked addresses only.
pub(super) fn client(
    hosts: &Arc<ExportHosts>,
    timeouts: DownloadTimeouts,
    lookup: Lookup,
) -> Result<Client, ClientSetupError> {
    strict_http()
        .dns_resolver(GuardedResolver { hosts: Arc::clone(hosts), lookup })
        .connect_timeout(timeouts.connect)
        .read_timeout(timeouts.idle)
        .build()
        .map_err(|_| ClientSetupError::Tls)
}

/// Asks, and follows redirects by hand: each is a new link from outside. Gives the first answer that is none.
pub(super) async fn follow(
    http: &Client,
    hosts: &ExportHosts,
    link: &Url,
    headers: &HeaderMap,
) -> Result<Response, DownloadError> {
    let mut url = link.clone();
    for _ in 0..=MAX_REDIRECTS {
        let request = http.get(url.clone()).headers(headers.clone());
        let response = request.send().await.map_err(|error| failure(&error))?;
        let status = response.status();
        if !status.is_redirection() || status == StatusCode::NOT_MODIFIED {
            return Ok(response);
        }
        let broken = || DownloadError::Server { status: status.as_u16() };
        url = redirected(&url, &response).ok_or_else(broken)?;
        hosts.check_url(&url).map_err(DownloadError::NotAllowed)?;
    }
    Err(DownloadError::TooManyRedirects)
}

fn redirected(from: &Url, response: &Response) -> Option<Url> {
    from.join(response.headers().get(LOCATION)?.to_str().ok()?).ok()
}

/// Storages say 400, 401, 403, 404 or 410 to a signature that has run out.
pub(super) fn refused(status: u16) -> DownloadError {
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

/// How a name becomes addresses.
pub(super) type Lookup = fn(Name) -> Resolving;

/// The system's way.
pub(super) fn lookup(name: Name) -> Resolving {
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
