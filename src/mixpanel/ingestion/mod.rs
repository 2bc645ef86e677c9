//! Mixpanel's ingestion API: events and profiles on their way in.
//!
//! ```text
//! Ingestion ─▶ parcel      records of one channel, packed as one body
//!           ─▶ pool        connections that are kept for the next parcel
//!           ─▶ connection  TCP, TLS and HTTP, living and dying with one call at a time
//!              └ fence     under all of them: no byte leaves after the deadline
//!           ─▶ classify    from an answer to its delivery, decided in one place
//!              └ reason    words of Mixpanel's that may be repeated
//! ```
//! Invariants: one parcel is one request; redirects and proxies are never followed; no record, token or word of
//! Mixpanel's that could be a value leaves in an outcome or a `Debug` output.
//!
//! `backoff` says how long to wait before a parcel goes out again.

mod backoff;
mod classify;
mod client;
mod connection;
mod delivery;
mod fence;
#[cfg(any(fuzzing, test))]
pub(super) mod fuzzing;
mod parcel;
mod pool;
mod reason;

pub use backoff::Backoff;
pub use client::Ingestion;
pub use delivery::{Delivery, Outage, RefusedRecord};
pub use parcel::{Channel, MAX_PARCEL_BYTES, MAX_PARCEL_RECORDS, MAX_RECORD_BYTES, Parcel, Unfit};
pub use reason::Reason;
