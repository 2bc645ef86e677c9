//! From the vendor's export to one zip per request.
//!
//! ```text
//! open ─▶ records ─▶ split ─▶ bundle ─▶ store
//!  sniff   frames     owners    manifest
//!  meter   json_text  people    readme
//!                     piles ─ spool
//! ```
//!
//! * `open`: zip, gzip or plain text, by its bytes; every limit on unpacking (`meter`).
//! * `records`: NDJSON, a JSON array or pretty-printed objects, one record at a time.
//! * `split`: whose record it is (`owners`, `people`); in doubt it is nobody's and goes to the
//!   quarantine. Lines wait in per-request files of a private folder (`piles`, `spool`).
//! * `bundle`: the zip of one request, with its `manifest` and `readme`.
//! * `store`: where finished archives live. All or nothing, readable for the worker alone
//!   (`private_folder`).
//!
//! What holds whatever the export looks like: memory does not grow with it; nothing is extracted
//! by name; a record reaches a request only if a real JSON parser found an id of that request in
//! it and no id of another person (a batch of one person gets also what names nobody); and
//! `read = given + quarantined`, or nothing is packaged.
//!
//! Everything here is synchronous: callers in async code use a blocking thread.

mod bundle;
mod error;
mod json_text;
mod limits;
mod manifest;
mod meter;
mod open;
mod owners;
mod package;
mod people;
mod piles;
mod private_folder;
mod readme;
mod records;
mod sniff;
mod split;
mod spool;
mod store;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod attacks;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod exports;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod stories;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod workbench;

pub use error::{Fault, PackageError, Seal};
pub use limits::{Limit, Limits};
pub use package::{BatchFacts, Packaged, PersonArchive, package};
pub use people::Person;
pub use split::Reasons;
pub use spool::Spool;
pub use store::{ArchiveStore, Draft, StoreError, Stored};
