//! The client of Mixpanel's GDPR API.
//!
//! Invariant: one call is one request on the wire. No redirect, no retry, no kept connection, no
//! HTTP/2, no proxy from the environment. A [`Client`] is cheap to clone; its clones share the
//! OAuth token, which can be replaced while calls run.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use gdpr_jobs::{DistinctId, Regulation};
use reqwest::{
    Method, RequestBuilder, Url,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue},
};
use secrecy::{ExposeSecret, SecretString};

use super::{
    classify,
    endpoint::Endpoints,
    exchange::Exchange,
    outcome::{CancelOutcome, CreateOutcome, PollOutcome, ProbeOutcome, Refusal},
    task::{NewTask, TaskKind, TrackingId},
    wire,
};

/// A task that cannot exist.
const NIL_TASK: &str = "00000000-0000-0000-0000-000000000000";

/// Who we are to Mixpanel.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Names the project.
    pub project_token: SecretString,
    /// Names the person on whose behalf we call; expires after a year.
    pub oauth_token: SecretString,
}

/// How long a call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a connection stands. Shorter than `total`, or a dead host would look like a lost answer.
    pub connect: Duration,
    /// From the first byte to the last.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), total: Duration::from_secs(60) }
    }
}

/// Why there is no client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientSetupError {
    /// The system offers no usable TLS.
    #[error("no TLS: expected certificates of authorities on this system; install ca-certificates")]
    Tls,
    /// The token cannot stand in a header.
    #[error(
        "the OAuth token holds characters that no token has: expected one line of visible ASCII; \
         copy it again from Mixpanel's account settings"
    )]
    OauthToken,
    /// The token is empty.
    #[error("the {0} token is empty: expected the one from Mixpanel's settings")]
    Empty(&'static str),
}

/// Calls Mixpanel's GDPR API for one project.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    http: reqwest::Client,
    endpoints: Endpoints,
    project_token: SecretString,
    bearer: RwLock<HeaderValue>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("endpoints", &self.shared.endpoints).finish_non_exhaustive()
    }
}

impl Client {
    /// Prepares a client; makes no call.
    pub fn new(
        endpoints: Endpoints,
        credentials: &Credentials,
        timeouts: Timeouts,
    ) -> Result<Self, ClientSetupError> {
        let project_token = credentials.project_token.expose_secret().trim();
        if project_token.is_empty() {
            return Err(ClientSetupError::Empty("project"));
        }
        let shared = Shared {
            http: http(timeouts)?,
            endpoints,
            project_token: project_token.into(),
            bearer: RwLock::new(bearer(&credentials.oauth_token)?),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Uses another OAuth token from the next call on, in all clones.
    pub fn set_oauth_token(&self, token: &SecretString) -> Result<(), ClientSetupError> {
        let bearer = bearer(token)?;
        *self.shared.bearer.write().unwrap_or_else(PoisonError::into_inner) = bearer;
        Ok(())
    }

    /// The addresses in use.
    pub fn endpoints(&self) -> &Endpoints {
        &self.shared.endpoints
    }

    /// Creates a task for these people. Record the intent durably before the call; run it where
    /// nothing cancels it, or its outcome is lost.
    pub async fn create(
        &self,
        task: NewTask,
        regulation: Regulation,
        ids: &[DistinctId],
    ) -> CreateOutcome {
        if ids.is_empty() || ids.iter().any(DistinctId::is_reserved) {
            return CreateOutcome::Refused(Refusal::Withheld);
        }
        let Ok(body) = wire::create_body(task, regulation, ids) else {
            return CreateOutcome::Refused(Refusal::Withheld);
        };
        let url = self.shared.endpoints.collection(task.kind());
        let request =
            self.request(Method::POST, url).header(CONTENT_TYPE, "application/json").body(body);
        classify::create(&Exchange::run(request).await, ids)
    }

    /// Asks where a task stands.
    pub async fn poll(&self, kind: TaskKind, task: &TrackingId) -> PollOutcome {
        classify::poll(&self.on_task(Method::GET, kind, task).await)
    }

    /// Cancels a deletion that has not started. Retrievals cannot be cancelled.
    pub async fn cancel_deletion(&self, task: &TrackingId) -> CancelOutcome {
        classify::cancel(&self.on_task(Method::DELETE, TaskKind::Deletion, task).await)
    }

    /// Tests the credentials with a call that changes nothing. It counts as a call: take a turn.
    pub async fn probe_credentials(&self) -> ProbeOutcome {
        let Ok(nobody) = TrackingId::new(NIL_TASK) else { return ProbeOutcome::Unreachable };
        classify::probe(&self.on_task(Method::GET, TaskKind::Retrieval, &nobody).await)
    }

    async fn on_task(&self, method: Method, kind: TaskKind, task: &TrackingId) -> Exchange {
        Exchange::run(self.request(method, self.shared.endpoints.task(kind, task))).await
    }

    fn request(&self, method: Method, mut url: Url) -> RequestBuilder {
        url.query_pairs_mut().append_pair("token", self.shared.project_token.expose_secret());
        let bearer = self.shared.bearer.read().unwrap_or_else(PoisonError::into_inner).clone();
        self.shared
            .http
            .request(method, url)
            .header(AUTHORIZATION, bearer)
            .header(ACCEPT, "application/json")
    }
}

fn http(timeouts: Timeouts) -> Result<reqwest::Client, ClientSetupError> {
    super::strict_http()
        .connect_timeout(timeouts.connect)
        .timeout(timeouts.total)
        .build()
        .map_err(|_| ClientSetupError::Tls)
}

fn bearer(token: &SecretString) -> Result<HeaderValue, ClientSetupError> {
    let token = token.expose_secret().trim();
    if token.is_empty() {
        return Err(ClientSetupError::Empty("OAuth"));
    }
    if !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(ClientSetupError::OauthToken);
    }
    let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
        .map_err(|_| ClientSetupError::OauthToken)?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests;
