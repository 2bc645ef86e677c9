//! People and applications that say no (or yes again). Served only if `GDPR_APPLICATION_KEY` is set.
//!
//! Both ways end in a request document on the project's stream, as if a backend had enqueued it.

mod application;
mod asking;
mod link;
mod page;

use std::sync::Arc;

use axum::{
    Router,
    routing::{get, post},
};
use gdpr_jobs::Kind;

pub use link::{LinkError, LinkKey, OptOutLink};

use super::Door;

/// The routes, none of them for pages of other origins.
pub(super) fn routes(door: &Door) -> Router<Arc<Door>> {
    if door.projects.all().iter().all(|project| project.application_key.is_none()) {
        return Router::new();
    }
    let ask = |kind| move |door, headers, request| application::ask(kind, door, headers, request);
    Router::new()
        .route("/opt_out", post(ask(Kind::OptOut)))
        .route("/opt_in", post(ask(Kind::OptIn)))
        .route("/opt_out/{link}", get(page::show).post(page::opt_out))
}
