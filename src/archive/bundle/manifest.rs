//! `manifest.json`: what an archive is, for a program. It goes to the person, so it holds no ids of
//! anybody, and of other people's records not even a number.

use chrono::{DateTime, SecondsFormat, Utc};
use data_encoding::HEXLOWER;
use gdpr_jobs::{Disclosure, Regulation, RequestId};
use serde::{Serialize, Serializer};

use crate::archive::{
    package::{BatchFacts, Outcome},
    split::people::Person,
};

/// Version of the archive's layout; it grows when a reader must change.
pub(in crate::archive) const FORMAT: u32 = 1;

/// An entry of the archive.
#[derive(Debug, Serialize)]
pub(in crate::archive) struct EntryFacts {
    pub(in crate::archive) name: &'static str,
    /// Unpacked.
    pub(in crate::archive) bytes: u64,
    #[serde(serialize_with = "hex")]
    pub(in crate::archive) sha256: [u8; 32],
}

#[derive(Serialize)]
struct Manifest<'a> {
    format: u32,
    request: &'a RequestId,
    project: &'a str,
    regulation: Regulation,
    disclosure: Disclosure,
    tracking_id: &'a str,
    received_at: String,
    exported_at: String,
    counts: Counts,
    /// Whether the export held records that could not be attributed to anyone.
    unattributed_records: bool,
    entries: &'a [EntryFacts],
}

#[derive(Serialize)]
struct Counts {
    events: u64,
    profiles: u64,
}

/// The manifest of one request's archive, as JSON with a line break at its end.
pub(in crate::archive) fn manifest(
    batch: &BatchFacts,
    person: &Person,
    outcome: Outcome,
    entries: &[EntryFacts],
) -> Result<Vec<u8>, serde_json::Error> {
    let manifest = Manifest {
        format: FORMAT,
        request: &person.request,
        project: batch.project.as_str(),
        regulation: batch.regulation,
        disclosure: batch.disclosure,
        tracking_id: &batch.tracking_id,
        received_at: seconds(person.received_at),
        exported_at: seconds(batch.exported_at),
        counts: Counts { events: outcome.share.events, profiles: outcome.share.profiles },
        unattributed_records: outcome.unattributed,
        entries,
    };
    let mut json = serde_json::to_vec_pretty(&manifest)?;
    json.push(b'\n');
    Ok(json)
}

fn seconds(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn hex<S: Serializer>(hash: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&HEXLOWER.encode(hash))
}
