//! What may be asked of gdpr-worker.
//!
//! A backend service depends on this crate to put requests on Redis and to read how far they are;
//! the worker depends on it so that both sides mean the same thing by the same word. The README has
//! the contract in prose and examples.
//!
//! * [`document`]: the JSON document that is XADDed, its limits and the reasons for a refusal.
//! * [`distinct_id`]: a person's identifier, which never prints itself.
//! * [`status`]: the words of the request hash.
//! * [`record`]: the request hash and the user hash, read back as types.
//! * [`signature`]: who wrote a document, where that is asked for.
//! * [`deadline`]: when a request must be answered.
//! * [`keys`]: the names of the Redis keys.
//!
//! With the feature `client` (on by default):
//!
//! * `producer`: the client that enqueues.
//! * `reader`: the client that reads a status.
//! * `event`: events and profile updates, checked before they are sent.
//! * `consent`: the client that tells whether a person may be tracked.

#[cfg(feature = "client")]
pub mod consent;
pub mod deadline;
pub mod distinct_id;
pub mod document;
#[cfg(feature = "client")]
pub mod event;
#[cfg(feature = "client")]
mod fault;
mod fields;
pub mod keys;
#[cfg(feature = "client")]
pub mod producer;
#[cfg(feature = "client")]
pub mod reader;
pub mod record;
mod rejection;
mod request_id;
pub mod signature;
pub mod status;
mod strict_json;
pub mod tag;
mod vocabulary;

#[cfg(feature = "client")]
pub use consent::{Consent, ConsentAnswer, ConsentError};
pub use deadline::due_at;
pub use distinct_id::DistinctId;
pub use document::{Disclosure, Document, Kind, Regulation, Rejection, RequestId, SCHEMA};
#[cfg(feature = "client")]
pub use event::{Event, EventRejection, Profile};
#[cfg(feature = "client")]
pub use fault::RedisFault;
pub use keys::{Keys, Project};
#[cfg(feature = "client")]
pub use producer::{Enqueued, EventError, EventSource, Producer, ProducerError};
#[cfg(feature = "client")]
pub use reader::{Reader, ReaderError};
pub use record::{Record, RecordError, UserRecord};
pub use signature::{Disbelief, DocumentKey, DocumentSignature, InvalidDocumentKey};
pub use status::Status;
pub use tag::{Pepper, ShortPepper, Tag};
pub use vocabulary::ConsentState;

/// The README's Rust examples, compiled with the tests.
#[cfg(all(doctest, feature = "client"))]
#[doc = include_str!("../README.md")]
struct ReadmeExamples;
