//! Sends parcels.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use data_encoding::BASE64;
use http_body_util::Full;
use hyper::{
    Method, Request, Uri,
    header::{
        ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT,
    },
};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::{Instant, timeout_at};

use super::{
    classify,
    connection::Connector,
    delivery::Delivery,
    parcel::{Body, Channel, Parcel},
    pool::Pool,
};
use crate::mixpanel::{ClientSetupError, Endpoints, Timeouts, exchange::Answer};

/// Calls Mixpanel's ingestion API for one project. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Ingestion {
    shared: Arc<Shared>,
}

struct Shared {
    connector: Connector,
    pool: Pool,
    endpoints: Endpoints,
    total: Duration,
    /// Only `/import` asks for it; elsewhere the token stands in the records.
    basic: HeaderValue,
}

/// What came of one request.
pub(super) enum Attempt {
    /// There was an answer.
    Answered(Answer),
    /// The deadline passed before the first byte.
    Late,
    /// No connection.
    Unreachable,
    /// No answer in time.
    TimedOut { sent: bool },
    /// The connection broke before the answer.
    Lost { sent: bool },
}

impl fmt::Debug for Ingestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ingestion")
            .field("endpoints", &self.shared.endpoints)
            .finish_non_exhaustive()
    }
}

impl Ingestion {
    /// Prepares a client that keeps up to `kept` idle connections; makes no call.
    pub fn new(
        endpoints: Endpoints,
        project_token: &SecretString,
        timeouts: Timeouts,
        kept: usize,
    ) -> Result<Self, ClientSetupError> {
        let connector = Connector::new(endpoints.ingestion(), timeouts)?;
        Self::over(connector, endpoints, project_token, timeouts, kept)
    }

    fn over(
        connector: Connector,
        endpoints: Endpoints,
        project_token: &SecretString,
        timeouts: Timeouts,
        kept: usize,
    ) -> Result<Self, ClientSetupError> {
        let shared = Shared {
            connector,
            pool: Pool::new(kept),
            endpoints,
            total: timeouts.total,
            basic: basic(project_token)?,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Sends a parcel, in one request. The call has ended by `deadline`, and not one byte is handed to the system
    /// after it, even if this process was stopped in between. Dropping the call stops it likewise.
    ///
    /// What the system was given before the deadline and the network has not carried yet is thrown away then. A
    /// process that stands still cannot do that: up to about 16 KB and what is under way may still arrive, for 10
    /// seconds at most. Leave that margin between the deadline and the moment that matters.
    pub async fn send(&self, parcel: &Parcel, deadline: Instant) -> Delivery {
        if parcel.is_empty() {
            return Delivery::Accepted { uncounted: 0 };
        }
        let body = parcel.body().await;
        let attempt = self.attempt(parcel.channel(), &body, deadline).await;
        classify::delivery(&attempt, parcel)
    }

    async fn attempt(&self, channel: Channel, body: &Body, deadline: Instant) -> Attempt {
        let shared = &*self.shared;
        let until = deadline.min(Instant::now() + shared.total);
        let url = shared.endpoints.records(channel.name());
        loop {
            if Instant::now() >= deadline {
                return Attempt::Late;
            }
            let kept = shared.pool.take();
            let was_kept = kept.is_some();
            let connection = match kept {
                Some(connection) => Some(connection),
                None => timeout_at(until, shared.connector.connect(until)).await.ok().flatten(),
            };
            let Some(mut connection) = connection else {
                let late = Instant::now() >= deadline;
                return if late { Attempt::Late } else { Attempt::Unreachable };
            };
            let Some(request) = shared.request(channel, &url, body) else {
                return Attempt::Unreachable;
            };
            let exchange = timeout_at(until, connection.exchange(request, until)).await;
            let sent = connection.has_sent();
            match exchange {
                Ok(Ok(answer)) => {
                    shared.pool.give(connection);
                    return Attempt::Answered(answer);
                }
                _ if !sent && Instant::now() >= deadline => return Attempt::Late,
                _ if Instant::now() >= until => return Attempt::TimedOut { sent },
                // It was closed while it waited for us.
                _ if !sent && was_kept => {}
                Ok(Err(_)) | Err(_) => return Attempt::Lost { sent },
            }
        }
    }
}

impl Shared {
    fn request(&self, channel: Channel, url: &Url, body: &Body) -> Option<Request<Full<Bytes>>> {
        let target: Uri = format!("{}?{}", url.path(), channel.query()).parse().ok()?;
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(target)
            .header(HOST, url.authority())
            .header(USER_AGENT, crate::mixpanel::USER_AGENT)
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/json");
        if body.gzipped {
            request = request.header(CONTENT_ENCODING, "gzip");
        }
        if channel == Channel::Import {
            request = request.header(AUTHORIZATION, self.basic.clone());
        }
        request.body(Full::new(body.bytes.clone())).ok()
    }
}

/// The project token as user, without a password (`reference/authentication.mdx`).
fn basic(project_token: &SecretString) -> Result<HeaderValue, ClientSetupError> {
    let token = project_token.expose_secret().trim();
    if token.is_empty() {
        return Err(ClientSetupError::Empty("project"));
    }
    let pair = BASE64.encode(format!("{token}:").as_bytes());
    let mut value = HeaderValue::from_str(&format!("Basic {pair}"))
        .map_err(|_| ClientSetupError::Empty("project"))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests;
