//! What a manifest claims, and whether an archive bears it out.

use chrono::{DateTime, Utc};
use data_encoding::HEXLOWER;
use gdpr_jobs::{Project, RequestId};
use serde::Deserialize;

use crate::archive::{
    bundle::{manifest::FORMAT, names},
    verify::{VerifyError, content::Found},
};

/// The entries that a manifest may list.
pub(super) const LISTED: [&str; 5] =
    [names::README, names::EVENTS, names::PROFILES, names::UNPARSED, names::CSV];
/// Those that every archive has.
const ALWAYS: [&str; 3] = [names::README, names::EVENTS, names::PROFILES];

/// A manifest that was read.
pub(super) struct Claims {
    pub(super) request: RequestId,
    pub(super) project: Project,
    pub(super) tracking_id: String,
    pub(super) exported_at: DateTime<Utc>,
    pub(super) events: u64,
    pub(super) profiles: u64,
    entries: Vec<Claim>,
}

/// What a manifest says about an entry.
struct Claim {
    name: &'static str,
    bytes: u64,
    sha256: String,
}

#[derive(Deserialize)]
struct Manifest {
    request: String,
    project: String,
    tracking_id: String,
    exported_at: DateTime<Utc>,
    counts: Counts,
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Format {
    format: u32,
}

#[derive(Deserialize)]
struct Counts {
    events: u64,
    profiles: u64,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    bytes: u64,
    sha256: String,
}

impl Claims {
    /// Reads the text of a `manifest.json`.
    pub(super) fn read(json: &[u8]) -> Result<Self, VerifyError> {
        let broken = |what| move |_| VerifyError::Manifest(what);
        let Format { format } =
            serde_json::from_slice(json).map_err(broken("expected JSON with a number format"))?;
        if format != FORMAT {
            return Err(VerifyError::Manifest("another format; use the version that wrote it"));
        }
        let manifest: Manifest = serde_json::from_slice(json)
            .map_err(broken("a field is missing or of another kind than expected"))?;
        Ok(Self {
            request: manifest
                .request
                .parse()
                .map_err(|_| VerifyError::Manifest("expected a request id in request"))?,
            project: manifest
                .project
                .parse()
                .map_err(|_| VerifyError::Manifest("expected a project's name in project"))?,
            tracking_id: manifest.tracking_id,
            exported_at: manifest.exported_at,
            events: manifest.counts.events,
            profiles: manifest.counts.profiles,
            entries: entries(manifest.entries)?,
        })
    }

    /// Checks the entries that were found (without the manifest itself) against what is claimed.
    pub(super) fn check(&self, found: &[Found]) -> Result<(), VerifyError> {
        for claim in &self.entries {
            if !found.iter().any(|entry| entry.name == claim.name) {
                return Err(VerifyError::Missing(claim.name));
            }
        }
        for entry in found {
            let claim = self.entries.iter().find(|claim| claim.name == entry.name);
            compare(entry, claim.ok_or(VerifyError::Unlisted(entry.name))?)?;
            let expected = match entry.name {
                names::EVENTS => self.events,
                names::PROFILES => self.profiles,
                _ => continue,
            };
            if entry.records != expected {
                let (entry, found) = (entry.name, entry.records);
                return Err(VerifyError::Count { entry, found, expected });
            }
        }
        Ok(())
    }
}

fn entries(listed: Vec<Entry>) -> Result<Vec<Claim>, VerifyError> {
    let mut claims: Vec<Claim> = Vec::new();
    for Entry { name, bytes, sha256 } in listed {
        let name = LISTED.into_iter().find(|&ours| ours == name);
        let name = name.ok_or(VerifyError::Manifest("it lists an entry that no archive has"))?;
        if claims.iter().any(|claim| claim.name == name) {
            return Err(VerifyError::Manifest("it lists an entry twice"));
        }
        claims.push(Claim { name, bytes, sha256 });
    }
    let complete = ALWAYS.iter().all(|name| claims.iter().any(|claim| claim.name == *name));
    if complete { Ok(claims) } else { Err(VerifyError::Manifest("an entry is not listed")) }
}

fn compare(found: &Found, claim: &Claim) -> Result<(), VerifyError> {
    let entry = found.name;
    if found.bytes != claim.bytes {
        return Err(VerifyError::Size { entry, found: found.bytes, expected: claim.bytes });
    }
    let sha256 = HEXLOWER.encode(&found.sha256);
    if sha256 != claim.sha256 {
        let expected = if is_hash(&claim.sha256) { claim.sha256.clone() } else { "no hash".into() };
        return Err(VerifyError::Hash { entry, found: sha256, expected });
    }
    Ok(())
}

/// Nothing else of a manifest is repeated in an error.
fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
