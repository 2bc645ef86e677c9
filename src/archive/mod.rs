//! From the vendor's export to one zip per request.
//!
//! ```text
//! export ─▶ open ─▶ split ─▶ slab ─▶ bundle ─▶ store ─▶ verify
//!   │      sniff     owners   │     manifest   folder
//!   │      entries   people   │     readme     bucket
//!   │      records   doubt    │     csv
//!   │      meter              │     recipient
//!   └───────── spool ─────────┘
//! ```
//!
//! * `open`: zip, gzip, zstd or plain text, by its bytes, and in it NDJSON, JSON arrays, pretty-printed
//!   objects or CSV: one record at a time, under every limit on unpacking (`meter`).
//! * `split`: whose record it is (`owners`, `people`); in doubt it is nobody's and goes to the
//!   quarantine, and who may lack it gets no archive (`doubt`).
//! * `slab`: each request's text, deflated once, in bounded memory; what does not fit lies
//!   enciphered in a private folder.
//! * `deflater`: whatever is compressed here, is compressed by it.
//! * `bundle`: the zip of one request, from texts that are `deflated` already, with its `manifest`
//!   and `readme`; encrypted for a `recipient` if there is one. `wrap` is the short way for an export of
//!   one person that is deflated already.
//! * `spool`: where exports, work files and the quarantine lie until their end: sealed, and within bounds.
//! * `store`: where finished archives live, a folder or a bucket. All or nothing, readable for the
//!   worker alone.
//! * `verify`: whether an archive is what its manifest says.
//!
//! What holds whatever the export looks like: memory does not grow with it; nothing is extracted
//! by name; a record reaches a request only if a real JSON parser found an id of that request in
//! it and no id of another person (a batch of one person gets everything: nobody else was asked
//! for); and `read = given + quarantined`, or nothing is packaged.
//!
//! Everything here is synchronous: callers in async code use a blocking thread.

mod bundle;
mod deflated;
mod deflater;
mod error;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
mod limits;
mod open;
mod package;
mod parallel;
mod recipient;
mod slab;
mod split;
mod spool;
mod store;
mod verify;
mod wrap;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;

pub use error::{Fault, PackageError, Seal};
pub use limits::{Limit, Limits};
pub use open::Export;
pub use package::{ArchiveOptions, BatchFacts, Means, Packaged, Packaging, PersonArchive, package};
pub use recipient::{Identity, IdentityError, Recipient, RecipientError};
pub use split::Reasons;
pub use split::people::Person;
pub use spool::{
    ExportName, Kept, KeptKind, NoRoom, Opened, Quota, Receiving, Spool, SpoolKey, UnsealError,
    unseal,
};
pub use store::{
    ArchiveStore, Code, Consignment, Draft, Form, Object, Provider, StoreError, Stored,
};
pub use verify::{Report, VerifyError, verify};
