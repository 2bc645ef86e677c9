//! The fast path: an export for exactly one person whose only deflate stream already holds the text of
//! `events.ndjson`. It goes into the archive as it stands, and nothing is compressed again.
//!
//! The stream is inflated to see that it is what it claims: its CRC-32, its size and its end, the limits on
//! unpacking, and that every line is one event. Copying it blindly would lose data without a word: what is
//! behind the first member of a gzip is no part of the payload. With another thread at hand, that one does the
//! SHA-256 and this one the rest. Whatever is not as it should be is left to the ordinary path, which finds out
//! what it is.

mod check;
mod inflate;
mod lines;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;

use std::{
    io::{self, Read, SeekFrom},
    sync::{Mutex, PoisonError},
};

use crc32fast::Hasher as Crc32;

use crate::archive::{
    deflated::{Deflated, DeflatedFacts},
    error::PackageError,
    limits::Limits,
    open::{Export, Sole},
};

/// An export that may go into an archive as it stands.
pub(in crate::archive) struct Wrapped<'a, E> {
    export: Mutex<&'a mut E>,
    offset: u64,
    checked: check::Checked,
}

/// Looks whether the stream `sole` of `export` may be wrapped. With `threads`, one of them helps. `None`: take the ordinary path. Errors: [`PackageError::Export`] if the file cannot be read.
pub(in crate::archive) fn inspect<'a, E: Export>(
    export: &'a mut E,
    sole: &Sole,
    limits: &Limits,
    threads: usize,
) -> Result<Option<Wrapped<'a, E>>, PackageError> {
    match check::check(export, sole, limits, threads) {
        Ok(checked) => {
            Ok(Some(Wrapped { export: Mutex::new(export), offset: sole.offset, checked }))
        }
        Err(check::Refused::Content) => Ok(None),
        Err(check::Refused::Disk(error)) => Err(PackageError::Export(error)),
    }
}

impl<E> Wrapped<'_, E> {
    /// Events in it. There are no profiles.
    pub(in crate::archive) fn events(&self) -> u64 {
        self.checked.events
    }
}

impl<E: Export> Deflated for Wrapped<'_, E> {
    fn facts(&self) -> DeflatedFacts {
        self.checked.facts
    }

    fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(Payload {
            wrapped: self,
            at: self.offset,
            left: self.checked.facts.packed_bytes,
            crc: Crc32::new(),
        }))
    }
}

/// Reads the stream once more. It must be the one that was checked.
struct Payload<'a, 'e, E> {
    wrapped: &'a Wrapped<'e, E>,
    at: u64,
    left: u64,
    crc: Crc32,
}

impl<E: Export> Read for Payload<'_, '_, E> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let most = buf.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let Some(buf) = buf.get_mut(..most).filter(|buf| !buf.is_empty()) else { return Ok(0) };
        let n = {
            let mut export = self.wrapped.export.lock().unwrap_or_else(PoisonError::into_inner);
            export.seek(SeekFrom::Start(self.at))?;
            export.read(buf)?
        };
        self.crc.update(buf.get(..n).unwrap_or_default());
        self.at += n as u64;
        self.left -= n as u64;
        let changed =
            self.left == 0 && self.crc.clone().finalize() != self.wrapped.checked.packed_crc;
        if n == 0 || changed {
            return Err(io::Error::from(io::ErrorKind::InvalidData));
        }
        Ok(n)
    }
}
