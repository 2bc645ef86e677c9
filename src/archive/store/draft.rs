//! An archive that is being written: hashed and counted on its way, so that it is never read again.

use std::io::{self, Write};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::{StoreError, bucket::Upload, folder::DraftFile, name::Name};

/// An archive that is being written. Dropping it leaves nothing behind.
///
/// An error of the store comes as the [`io::Error`] of a write: a full one is of the kind
/// [`io::ErrorKind::StorageFull`] or [`io::ErrorKind::QuotaExceeded`].
#[derive(Debug)]
pub struct Draft {
    pub(super) name: Name,
    pub(super) target: Target,
    hash: Sha256,
    bytes: u64,
    /// A write failed, so what is there is not the archive.
    failed: bool,
}

/// Where the bytes go.
#[derive(Debug)]
pub(super) enum Target {
    File(DraftFile),
    Upload(Box<Upload>),
}

/// What was written.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) name: Name,
    pub(super) target: Target,
    /// SHA-256 in lower-case hex.
    pub(super) sha256: String,
    pub(super) bytes: u64,
}

impl Draft {
    pub(super) fn new(name: Name, target: Target) -> Self {
        Self { name, target, hash: Sha256::new(), bytes: 0, failed: false }
    }

    pub(super) fn finish(self) -> Result<Written, StoreError> {
        if self.failed {
            return Err(StoreError::Incomplete);
        }
        let sha256 = HEXLOWER.encode(&self.hash.finalize());
        Ok(Written { name: self.name, target: self.target, sha256, bytes: self.bytes })
    }
}

impl Write for Draft {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let taken = match &mut self.target {
            Target::File(file) => file.write(data),
            Target::Upload(upload) => upload.write(data),
        };
        let taken = taken.inspect_err(|_| self.failed = true)?;
        self.hash.update(data.get(..taken).unwrap_or_default());
        self.bytes += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.target {
            Target::File(file) => file.flush(),
            // A part that is not full yet waits for more.
            Target::Upload(_) => Ok(()),
        }
    }
}

#[cfg(test)]
impl Draft {
    /// From here on, the disk is full.
    pub(super) fn fill_up(&mut self) {
        if let Target::File(file) = &mut self.target {
            file.fill_up();
        }
    }
}
