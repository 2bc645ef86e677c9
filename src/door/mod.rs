//! The drop-in door: Mixpanel's ingestion API for SDKs and browsers, pointed here by their host setting.
//!
//! A call is unpacked, each of its records is looked at, and those that are good are on the project's stream
//! `gdpr:{P}:events` before the call is answered. What may leave for Mixpanel is decided later, where the stream is read.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `server`, `body`, `budget` | connections, bodies, and what they may cost |
//! | `intake`, `sort` | one call from arrival to answer; from its bytes to entries |
//! | `payload` | how SDKs pack records |
//! | `record` | what a record must be |
//! | `projects`, `place`, `rate` | whose it is, where it comes from, how much may come |
//! | `stream` | handing over to Redis |
//! | `refusal`, `answer`, `cors`, `counters` | what is told, to whom |
//! | `opt_out` | people and applications that say no |
//!
//! Where the door differs from Mixpanel: a call with a token that no project here has is refused with 401 and nothing of
//! it is taken (Mixpanel answers `1` and drops it), so that a wrong token shows at once. Group profiles (`/groups`) are
//! refused as Mixpanel refuses invalid records. At `/import` no API secret and no service account can be checked: the
//! token, as Basic user or in the records, is what a sender must know. Feature flags, session recordings and remote
//! settings are not served (404).

mod answer;
mod body;
mod budget;
mod cors;
mod counters;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
mod intake;
pub mod opt_out;
mod payload;
mod place;
mod projects;
mod rate;
mod record;
mod refusal;
mod server;
mod sort;
mod stream;

use std::{future::Future, io, net::SocketAddr, sync::Arc, time::Instant};

use axum::{
    Json, Router,
    http::StatusCode,
    middleware,
    response::{IntoResponse, Response},
    routing::any,
};
use serde_json::json;
use tokio::net::TcpListener;

pub use counters::Counters;
pub use projects::{DoorProject, SameToken};

use crate::config::DoorConfig;
use budget::Budget;
use projects::Projects;
use rate::Rate;
use sort::Endpoint;
use stream::{Stream, Streams};

/// Why the door cannot open.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// The address cannot be listened on.
    #[error(
        "GDPR_INGEST_LISTEN: cannot listen on {address} ({reason}): expected a free address of this host; stop what has it, or choose another"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        reason: io::Error,
    },
    /// Two projects cannot be told apart.
    #[error(transparent)]
    SameToken(#[from] SameToken),
}

/// What all calls share.
struct Door {
    config: DoorConfig,
    projects: Projects,
    /// One for each project, in the same order.
    lanes: Vec<Lane>,
    streams: Streams,
    budget: Budget,
    counters: Arc<Counters>,
}

/// What is counted and kept for one project.
struct Lane {
    stream: Stream,
    rate: Rate,
}

/// A door that has its address and waits to be opened.
pub struct BoundDoor {
    listener: TcpListener,
    router: Router,
    counters: Arc<Counters>,
}

/// Takes the address of `config`. Nothing is answered before [`BoundDoor::serve`].
///
/// # Errors
/// If the address is taken, or two projects have the same token.
pub async fn bind(config: DoorConfig, projects: Vec<DoorProject>) -> Result<BoundDoor, DoorError> {
    let address = config.listen;
    let counters = Arc::new(Counters::default());
    let router = router(config, projects, Arc::clone(&counters))?;
    let listener =
        TcpListener::bind(address).await.map_err(|reason| DoorError::Listen { address, reason })?;
    Ok(BoundDoor { listener, router, counters })
}

impl BoundDoor {
    /// What is counted, for `/metrics`.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// The address, with the port that the system chose if port 0 was asked for.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers calls until `stop`; those under way are answered to their end.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        server::serve(self.listener, self.router, stop).await;
    }
}

fn router(
    config: DoorConfig,
    projects: Vec<DoorProject>,
    counters: Arc<Counters>,
) -> Result<Router, SameToken> {
    let now = Instant::now();
    let lane =
        |one: &DoorProject| Lane { stream: Stream::new(one), rate: Rate::new(config.rate, now) };
    let door = Arc::new(Door {
        lanes: projects.iter().map(lane).collect(),
        projects: Projects::new(projects)?,
        streams: Streams::new(config.backlog),
        budget: Budget::new(config.body_max),
        counters,
        config,
    });
    let mut router = Router::new();
    for endpoint in [Endpoint::Track, Endpoint::Engage, Endpoint::Groups, Endpoint::Import] {
        for path in [endpoint.path().to_owned(), format!("{}/", endpoint.path())] {
            let call = move |door, peer, request| intake::call(endpoint, door, peer, request);
            router = router.route(&path, any(call));
        }
    }
    let router = router.fallback(not_served).layer(middleware::from_fn(cors::allow));
    Ok(router.merge(opt_out::routes(&door)).with_state(door))
}

/// What mixpanel-js may ask for beside: flags, recordings, remote settings. It goes on without them after a 404.
async fn not_served() -> Response {
    (StatusCode::NOT_FOUND, Json(json!({ "status": 0, "error": "not served here" })))
        .into_response()
}

#[cfg(test)]
mod tests;
