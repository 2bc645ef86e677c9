//! Checks an archive from the outside, with nothing but its bytes: whether it is whole, what it claims to be
//! and whether the claims hold.
//!
//! The caller compares the [`Report`] with what it knows (the ledger's hash, size and counts). Memory is
//! bounded by the longest line, whatever the size; no bytes make it panic.

mod claims;
mod content;
mod error;
mod layout;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;

use std::io::{self, BufReader, Read, Seek};

use chrono::{DateTime, Utc};
use data_encoding::HEXLOWER;
use gdpr_jobs::{Project, RequestId};
use sha2::{Digest, Sha256};

use crate::archive::{
    recipient::{self, Identity, Locked, MAGIC_BYTES},
    verify::claims::Claims,
};

pub use error::VerifyError;

const CHUNK: usize = 64 * 1024;

/// An archive that holds what it claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Whose archive it says it is.
    pub request: RequestId,
    /// The project, by our name for it.
    pub project: Project,
    /// Mixpanel's id of the task that it was made from.
    pub tracking_id: String,
    /// When the export was finished.
    pub exported_at: DateTime<Utc>,
    /// Event records, counted.
    pub events: u64,
    /// Profile records, counted.
    pub profiles: u64,
    /// SHA-256 of the file, in lower-case hex.
    pub sha256: String,
    /// Size of the file.
    pub bytes: u64,
    /// Whether it is encrypted.
    pub encrypted: bool,
}

/// Reads all of `archive`, twice. `identity` opens it if it is encrypted. Blocks.
pub fn verify(
    mut archive: impl Read + Seek,
    identity: Option<&Identity>,
) -> Result<Report, VerifyError> {
    archive.rewind().map_err(VerifyError::Io)?;
    let file = fingerprint(&mut archive).map_err(VerifyError::Io)?;
    archive.rewind().map_err(VerifyError::Io)?;
    let archive = BufReader::with_capacity(CHUNK, archive);
    let encrypted = recipient::is_encrypted(&file.head);
    let claims = if encrypted {
        let identity = identity.ok_or(VerifyError::IdentityMissing)?;
        let clear = identity.decrypt(archive).map_err(|locked| match locked {
            Locked::OtherRecipient => VerifyError::IdentityWrong,
            Locked::Damaged => VerifyError::Cipher,
            Locked::Io(error) => VerifyError::Io(error),
        })?;
        layout::check(BufReader::with_capacity(CHUNK, clear))?
    } else {
        layout::check(archive)?
    };
    Ok(report(claims, &file, encrypted))
}

fn report(claims: Claims, file: &Fingerprint, encrypted: bool) -> Report {
    Report {
        request: claims.request,
        project: claims.project,
        tracking_id: claims.tracking_id,
        exported_at: claims.exported_at,
        events: claims.events,
        profiles: claims.profiles,
        sha256: HEXLOWER.encode(&file.sha256),
        bytes: file.bytes,
        encrypted,
    }
}

/// What tells one file from another.
struct Fingerprint {
    /// How it begins.
    head: Vec<u8>,
    bytes: u64,
    sha256: [u8; 32],
}

fn fingerprint(file: &mut impl Read) -> io::Result<Fingerprint> {
    let mut head = Vec::with_capacity(MAGIC_BYTES);
    file.by_ref().take(MAGIC_BYTES as u64).read_to_end(&mut head)?;
    let mut hash = Sha256::new_with_prefix(&head);
    let bytes = io::copy(&mut BufReader::with_capacity(CHUNK, file), &mut Hashing(&mut hash))?;
    let bytes = bytes + head.len() as u64;
    Ok(Fingerprint { head, bytes, sha256: hash.finalize().into() })
}

struct Hashing<'a>(&'a mut Sha256);

impl io::Write for Hashing<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.update(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
