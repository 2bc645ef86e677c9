//! Mixpanel's GDPR and ingestion APIs: the one home of HTTP.
//!
//! | file | one idea |
//! | --- | --- |
//! | `endpoint` | regions, base addresses, the addresses of tasks |
//! | `task` | kinds, tracking ids, statuses, export links |
//! | `client` | one call is one request on the wire |
//! | `exchange` | what came back, before it means anything |
//! | `wire`, `complaint` | the JSON of answers and of refusals, read leniently |
//! | `outcome` | what a call came to, and what to do about it |
//! | `classify` | from an answer to its outcome, decided in one place |
//! | `pace` | one pace per project over all replicas |
//! | `ingestion` | events and profiles on their way in |
//! | `export_hosts`, `address`, `download` | where an export may come from, and fetching it |
//!
//! Invariant: no id, token, link or word of Mixpanel's leaves in an error or a `Debug` output.

mod address;
mod classify;
mod client;
mod complaint;
mod download;
mod endpoint;
mod exchange;
mod export_hosts;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
mod ingestion;
mod outcome;
mod pace;
mod task;
mod wire;

pub use client::{Client, ClientSetupError, Credentials, Timeouts};
pub use download::{DownloadError, DownloadTimeouts, Downloaded, Downloader, Retries, Sink};
pub use endpoint::{Base, Endpoints, InvalidEndpoint, Region, UnknownRegion};
pub use export_hosts::{ExportHosts, InvalidExportHost, LinkRefusal};
pub use ingestion::{
    Backoff, Channel, Delivery, Ingestion, MAX_PARCEL_BYTES, MAX_PARCEL_RECORDS, MAX_RECORD_BYTES,
    Outage, Parcel, Reason, RefusedRecord, Unfit,
};
pub use outcome::{
    Ambiguity, CancelOutcome, Conflict, CreateOutcome, Disposition, PollOutcome, ProbeOutcome,
    Refusal, Throttle,
};
pub use pace::{
    Booking, Class, CredentialsPause, Denied, Pace, PaceError, PaceState, Pause, PauseReason,
    Scope, Slot, Turn, Why,
};
pub use task::{ExportLink, InvalidTrackingId, NewTask, RemoteStatus, TaskKind, TrackingId};
pub use wire::TaskReport;

/// How the worker names itself to servers.
const USER_AGENT: &str = concat!("gdpr-worker/", env!("CARGO_PKG_VERSION"));

/// What holds for every request to the outside: one call is one request on the wire, to nobody but whom it names.
fn strict_http() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .pool_max_idle_per_host(0)
        .http1_only()
        .no_proxy()
        .referer(false)
}
