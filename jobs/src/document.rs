//! The request document: what a producer XADDs, its limits, and how the fields depend on each other.
//!
//! Parsing is strict (no unknown fields, no repeated keys), and a refusal never quotes the document:
//! [`Rejection`] is written to Redis and to logs.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{distinct_id::DistinctId, fields, strict_json};
pub use crate::{
    rejection::Rejection,
    request_id::{InvalidRequestId, RequestId},
    vocabulary::{Disclosure, Kind, Regulation, UnknownWord},
};

/// Largest document, in bytes.
pub const MAX_DOCUMENT_BYTES: usize = 64 * 1024;
/// Most identifiers in one request: they all belong to one person.
pub const MAX_DISTINCT_IDS: usize = 100;
/// How far `received_at` may lie ahead of our clock, for producers whose clock runs a little fast.
pub const CLOCK_TOLERANCE: TimeDelta = TimeDelta::seconds(60);
/// The JSON Schema (draft 2020-12) of the document. It cannot say everything that
/// [`Document::parse`] checks: see the README.
pub const SCHEMA: &str = include_str!("../schema/request.schema.json");

const KINDS: &str = "retrieval, deletion, cancellation, opt_out or opt_in";
const KIND_MISSING: Rejection =
    Rejection::Missing("kind", "expected retrieval, deletion, cancellation, opt_out or opt_in");

/// An accepted request document.
#[derive(Clone, PartialEq, Serialize)]
pub struct Document {
    /// What is asked for.
    pub kind: Kind,
    /// One person's identifiers, without repeats, in the order given. May be empty for a
    /// cancellation.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub distinct_ids: Vec<DistinctId>,
    /// The caller's idempotency key; the stream entry id stands in when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<RequestId>,
    /// For a cancellation: the request to withdraw.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
    /// The law that sets the deadline.
    pub regulation: Regulation,
    /// What to disclose; anything but `Data` only in a CCPA retrieval.
    #[serde(rename = "disclosure_type", skip_serializing_if = "is_default_disclosure")]
    pub disclosure: Disclosure,
    /// When the person asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received_at: Option<DateTime<Utc>>,
    /// For an opt-in: properties of the `$opt_in` event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub properties: Option<Map<String, Value>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_default_disclosure(disclosure: &Disclosure) -> bool {
    *disclosure == Disclosure::Data
}

impl Document {
    /// A document with the contract's defaults; the public fields take what else there is to say.
    pub fn new(kind: Kind, distinct_ids: impl IntoIterator<Item = DistinctId>) -> Self {
        Self {
            kind,
            distinct_ids: distinct_ids.into_iter().collect(),
            id: None,
            request_id: None,
            regulation: Regulation::Gdpr,
            disclosure: Disclosure::Data,
            received_at: None,
            properties: None,
        }
    }

    /// A document that withdraws the request `request_id`.
    pub fn cancellation(request_id: RequestId) -> Self {
        Self { request_id: Some(request_id), ..Self::new(Kind::Cancellation, []) }
    }

    /// The same document under the caller's own idempotency key.
    #[must_use]
    pub fn with_id(self, id: RequestId) -> Self {
        Self { id: Some(id), ..self }
    }

    /// Reads and checks a document as it came from the stream. `now` is the time that
    /// `received_at` may not exceed (by more than [`CLOCK_TOLERANCE`]).
    pub fn parse(json: &[u8], now: DateTime<Utc>) -> Result<Self, Rejection> {
        if json.len() > MAX_DOCUMENT_BYTES {
            return Err(Rejection::TooLarge(json.len()));
        }
        let mut object = strict_json::object(json)?;
        let kind = fields::word(&mut object, "kind", KINDS)?.ok_or(KIND_MISSING)?;
        let regulation = fields::word(&mut object, "regulation", "GDPR or CCPA")?;
        let disclosure =
            fields::word(&mut object, "disclosure_type", "Data, Categories or Sources")?;
        let document = Self {
            kind,
            distinct_ids: fields::distinct_ids(&mut object, kind)?,
            id: fields::request_id(&mut object, "id")?,
            request_id: fields::request_id(&mut object, "request_id")?,
            regulation: regulation.unwrap_or(Regulation::Gdpr),
            disclosure: disclosure.unwrap_or(Disclosure::Data),
            received_at: fields::received_at(&mut object, now)?,
            properties: fields::properties(&mut object)?,
        };
        if let Some(name) = object.keys().next() {
            return Err(Rejection::unknown_field(name));
        }
        document.check_combination()?;
        Ok(document)
    }

    /// Checks a document built in code by the same rules as one from the stream.
    pub fn validate(&self, now: DateTime<Utc>) -> Result<(), Rejection> {
        Self::parse(self.to_json().as_bytes(), now).map(|_| ())
    }

    /// The document in its wire form.
    pub fn to_json(&self) -> String {
        // A derived struct of strings, enums and maps with string keys always serialises.
        serde_json::to_string(self).unwrap_or_default()
    }

    fn check_combination(&self) -> Result<(), Rejection> {
        self.check_target()?;
        let may_choose = self.kind == Kind::Retrieval && self.regulation == Regulation::Ccpa;
        if self.disclosure != Disclosure::Data && !may_choose {
            let reason = "only a CCPA retrieval may choose it";
            return Err(Rejection::NotAllowed("disclosure_type", reason));
        }
        if self.properties.is_some() && self.kind != Kind::OptIn {
            return Err(Rejection::NotAllowed("properties", "only an opt_in has properties"));
        }
        Ok(())
    }

    fn check_target(&self) -> Result<(), Rejection> {
        const NAME: &str = "request_id";
        match (self.kind, &self.request_id) {
            (Kind::Cancellation, None) => {
                Err(Rejection::Missing(NAME, "a cancellation names the request to cancel"))
            }
            // Under the id of its target it would count as a repeat of it and do nothing.
            (Kind::Cancellation, target) if *target == self.id => Err(Rejection::NotAllowed(
                NAME,
                "a cancellation is a request of its own: expected an id other than its target's",
            )),
            (Kind::Cancellation, Some(_)) | (_, None) => Ok(()),
            (_, Some(_)) => {
                Err(Rejection::NotAllowed(NAME, "only a cancellation names another request"))
            }
        }
    }
}

/// Hides the person: `properties` shows only how many there are, as [`DistinctId`] hides itself.
impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("kind", &self.kind)
            .field("distinct_ids", &self.distinct_ids.len())
            .field("id", &self.id)
            .field("request_id", &self.request_id)
            .field("regulation", &self.regulation)
            .field("disclosure", &self.disclosure)
            .field("received_at", &self.received_at)
            .field("properties", &self.properties.as_ref().map(Map::len))
            .finish()
    }
}

#[cfg(test)]
mod tests;
