//! The hashes that the worker keeps, read back as types: [`Record`] for a request, [`UserRecord`]
//! for a person.
//!
//! An absent (or empty) field is not known yet and reads as `None`. Fields that are not part of the
//! contract are left out. A value of a wrong form is an error that names the field alone.

use std::{collections::HashMap, hash::BuildHasher, str::FromStr};

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::{
    request_id::RequestId,
    status::Status,
    vocabulary::{Disclosure, Kind, Regulation},
};

/// A hash that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A request's hash always has a status.
    #[error("the hash has no field {0}: expected one that gdpr-worker wrote")]
    Missing(&'static str),
    /// A value that this version does not know.
    #[error(
        "the field {0} holds an unknown value: expected one that this version of gdpr-jobs knows; a newer worker needs a newer gdpr-jobs"
    )]
    Invalid(&'static str),
}

/// Where one request stands: `HGETALL gdpr:{project}:request:<id>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Record {
    /// Where the request stands.
    pub status: Status,
    /// What was asked for; absent if the document was refused before that was known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// Why it stands there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The law that sets the deadline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regulation: Option<Regulation>,
    /// What a retrieval discloses.
    #[serde(rename = "disclosure_type", skip_serializing_if = "Option::is_none")]
    pub disclosure: Option<Disclosure>,
    /// How many identifiers the request has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distinct_ids: Option<u32>,
    /// The tags of the identifiers, one each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// When the person asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received_at: Option<DateTime<Utc>>,
    /// The legal deadline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<DateTime<Utc>>,
    /// When the status last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<DateTime<Utc>>,
    /// The batch that carries it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<String>,
    /// Mixpanel's id of that batch's task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracking_id: Option<String>,
    /// Mixpanel's last word on the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mixpanel_status: Option<String>,
    /// How often it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// The request whose status counts for this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<RequestId>,
    /// The archive's name in the store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive: Option<String>,
    /// The archive's SHA-256, in hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive_sha256: Option<String>,
    /// The archive's size, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive_bytes: Option<u64>,
    /// When the archive will be (or was) destroyed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive_expires_at: Option<DateTime<Utc>>,
}

impl Record {
    /// Reads what `HGETALL` returned. An empty hash is a request that nobody knows: ask before.
    pub fn from_hash<S: BuildHasher>(
        hash: HashMap<String, String, S>,
    ) -> Result<Self, RecordError> {
        let mut hash = Hash(hash);
        Ok(Self {
            status: hash.parsed("status")?.ok_or(RecordError::Missing("status"))?,
            kind: hash.parsed("kind")?,
            reason: hash.text("reason"),
            regulation: hash.parsed("regulation")?,
            disclosure: hash.parsed("disclosure_type")?,
            distinct_ids: hash.parsed("distinct_ids")?,
            tags: hash.list("tags")?,
            received_at: hash.time("received_at")?,
            due_at: hash.time("due_at")?,
            updated_at: hash.time("updated_at")?,
            batch: hash.text("batch"),
            tracking_id: hash.text("tracking_id"),
            mixpanel_status: hash.text("mixpanel_status"),
            attempts: hash.parsed("attempts")?,
            merged_into: hash.parsed("merged_into")?,
            archive: hash.text("archive"),
            archive_sha256: hash.text("archive_sha256"),
            archive_bytes: hash.parsed("archive_bytes")?,
            archive_expires_at: hash.time("archive_expires_at")?,
        })
    }

    /// Whether nothing more will be done for the request, apart from destroying its archive in time.
    pub const fn is_final(&self) -> bool {
        !self.status.is_open()
    }
}

/// One person's life cycle: `HGETALL gdpr:{project}:user:<tag>`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct UserRecord {
    /// Whether the person may be tracked: `opted_in` or `opted_out`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consent: Option<String>,
    /// When that was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consent_at: Option<DateTime<Utc>>,
    /// How far the latest deletion is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion: Option<String>,
    /// When that was noted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_at: Option<DateTime<Utc>>,
    /// How far the latest retrieval is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retrieval: Option<String>,
    /// When that was noted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retrieval_at: Option<DateTime<Utc>>,
    /// When the latest archive will be (or was) destroyed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive_expires_at: Option<DateTime<Utc>>,
    /// Until when Mixpanel keeps this person's events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events_retained_until: Option<DateTime<Utc>>,
    /// The person's requests, newest last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<RequestId>,
}

impl UserRecord {
    /// Reads what `HGETALL` returned. An empty hash is a person whom nobody knows: ask before.
    pub fn from_hash<S: BuildHasher>(
        hash: HashMap<String, String, S>,
    ) -> Result<Self, RecordError> {
        let mut hash = Hash(hash);
        Ok(Self {
            consent: hash.text("consent"),
            consent_at: hash.time("consent_at")?,
            deletion: hash.text("deletion"),
            deletion_at: hash.time("deletion_at")?,
            retrieval: hash.text("retrieval"),
            retrieval_at: hash.time("retrieval_at")?,
            archive_expires_at: hash.time("archive_expires_at")?,
            events_retained_until: hash.time("events_retained_until")?,
            requests: hash.list("requests")?,
        })
    }
}

/// A Redis hash whose fields are taken out one by one.
struct Hash<S>(HashMap<String, String, S>);

impl<S: BuildHasher> Hash<S> {
    fn text(&mut self, name: &str) -> Option<String> {
        self.0.remove(name).filter(|text| !text.is_empty())
    }

    fn parsed<T: FromStr>(&mut self, name: &'static str) -> Result<Option<T>, RecordError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| RecordError::Invalid(name))
    }

    fn time(&mut self, name: &'static str) -> Result<Option<DateTime<Utc>>, RecordError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let time = DateTime::parse_from_rfc3339(&text).map_err(|_| RecordError::Invalid(name))?;
        Ok(Some(time.with_timezone(&Utc)))
    }

    fn list<T: FromStr>(&mut self, name: &'static str) -> Result<Vec<T>, RecordError> {
        let text = self.text(name).unwrap_or_default();
        let items = text.split_ascii_whitespace().map(str::parse).collect::<Result<_, _>>();
        items.map_err(|_| RecordError::Invalid(name))
    }
}

#[cfg(test)]
mod tests;
