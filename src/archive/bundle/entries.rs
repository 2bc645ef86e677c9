//! The entries of a zip, one after the other.
//!
//! A payload that is deflated already is placed as it stands; anything else is deflated while it is written.
//! Sizes and checksums follow each payload (data descriptors), so the output is never sought in and may be
//! a cipher. From 4 GiB on, an entry gets zip64 records.

use std::io::{self, BufWriter, Read, Write};

use chrono::{DateTime, Utc};
use crc32fast::Hasher as Crc32;
use flate2::{Compression, write::DeflateEncoder};
use rawzip::{
    CompressionMethod, DataDescriptorOutput, ErrorKind, ZipArchiveWriter, ZipEntryWriter,
    time::UtcDateTime,
};
use sha2::{Digest, Sha256};

use crate::archive::{
    bundle::manifest::EntryFacts, deflated::Deflated, deflater::Deflater, error::PackageError,
};

/// 1 January 1980: before it there is no time in a zip.
const EARLIEST: i64 = 315_532_800;
/// A plain file that its owner alone may read and write.
const MODE: u32 = 0o100_600;
const LEVEL: u32 = 6;
const CHUNK: usize = 64 * 1024;

/// A zip that is being written.
pub(super) struct Entries<'d, W: Write> {
    deflater: &'d mut Deflater,
    zip: ZipArchiveWriter<BufWriter<W>>,
    time: UtcDateTime,
    facts: Vec<EntryFacts>,
}

impl<'d, W: Write> Entries<'d, W> {
    /// An empty zip, all of whose entries carry `time`.
    pub(super) fn new(out: W, time: DateTime<Utc>, deflater: &'d mut Deflater) -> Self {
        let seconds = time.timestamp().clamp(EARLIEST, i64::from(u32::MAX));
        Self {
            deflater,
            zip: ZipArchiveWriter::new(BufWriter::with_capacity(CHUNK, out)),
            time: UtcDateTime::from_unix(seconds),
            facts: Vec::new(),
        }
    }

    /// Adds `text` as it stands. A payload of another length than it says is a
    /// [`PackageError::Spool`].
    pub(super) fn place(
        &mut self,
        name: &'static str,
        text: &dyn Deflated,
    ) -> Result<(), PackageError> {
        let facts = text.facts();
        let mut entry = start(&mut self.zip, self.time, name)?;
        let copied = copy(text, &mut entry)?;
        if copied != facts.packed_bytes {
            return Err(PackageError::Spool(io::Error::from(io::ErrorKind::InvalidData)));
        }
        entry.finish(DataDescriptorOutput::new(facts.crc32, facts.bytes)).map_err(storing)?;
        self.facts.push(EntryFacts { name, bytes: facts.bytes, sha256: facts.sha256 });
        Ok(())
    }

    /// Adds a short text.
    pub(super) fn write(&mut self, name: &'static str, text: &[u8]) -> Result<(), PackageError> {
        let mut entry = start(&mut self.zip, self.time, name)?;
        let packed = self.deflater.deflate(text).map_err(PackageError::Store)?;
        entry.write_all(packed).map_err(PackageError::Store)?;
        let bytes = text.len() as u64;
        let sums = DataDescriptorOutput::new(crc32fast::hash(text), bytes);
        entry.finish(sums).map_err(storing)?;
        self.facts.push(EntryFacts { name, bytes, sha256: Sha256::digest(text).into() });
        Ok(())
    }

    /// Adds what `fill` writes, however much it is.
    pub(super) fn deflate(
        &mut self,
        name: &'static str,
        fill: impl FnOnce(&mut dyn Write) -> Result<(), PackageError>,
    ) -> Result<(), PackageError> {
        let entry = start(&mut self.zip, self.time, name)?;
        let (bytes, sha256) = deflate(entry, fill)?;
        self.facts.push(EntryFacts { name, bytes, sha256 });
        Ok(())
    }

    /// What was added so far.
    pub(super) fn facts(&self) -> &[EntryFacts] {
        &self.facts
    }

    /// Writes the list of entries and everything that still waits.
    pub(super) fn finish(self) -> Result<(), PackageError> {
        let mut out = self.zip.finish().map_err(storing)?;
        out.flush().map_err(PackageError::Store)
    }
}

fn start<'z, W: Write>(
    zip: &'z mut ZipArchiveWriter<BufWriter<W>>,
    time: UtcDateTime,
    name: &'static str,
) -> Result<ZipEntryWriter<'z, BufWriter<W>>, PackageError> {
    let entry = zip
        .new_file(name)
        .compression_method(CompressionMethod::DEFLATE)
        .last_modified(time)
        .unix_permissions(MODE);
    entry.start().map(|(entry, _)| entry).map_err(storing)
}

/// Deflates what `fill` writes. Returns its size and SHA-256.
fn deflate<W: Write>(
    entry: ZipEntryWriter<'_, W>,
    fill: impl FnOnce(&mut dyn Write) -> Result<(), PackageError>,
) -> Result<(u64, [u8; 32]), PackageError> {
    let mut sums = Summed {
        inner: DeflateEncoder::new(entry, Compression::new(LEVEL)),
        crc: Crc32::new(),
        hash: Sha256::new(),
        bytes: 0,
    };
    fill(&mut sums)?;
    let Summed { inner, crc, hash, bytes } = sums;
    let entry = inner.finish().map_err(PackageError::Store)?;
    entry.finish(DataDescriptorOutput::new(crc.finalize(), bytes)).map_err(storing)?;
    Ok((bytes, hash.finalize().into()))
}

/// Copies a payload, and tells a source that fails from a store that does.
fn copy(text: &dyn Deflated, out: &mut impl Write) -> Result<u64, PackageError> {
    let mut source = text.open().map_err(PackageError::Spool)?;
    let mut buffer = vec![0; CHUNK];
    let mut copied = 0;
    loop {
        let n = match source.read(&mut buffer) {
            Ok(0) => return Ok(copied),
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(PackageError::Spool(error)),
        };
        out.write_all(buffer.get(..n).unwrap_or_default()).map_err(PackageError::Store)?;
        copied += n as u64;
    }
}

fn storing(error: rawzip::Error) -> PackageError {
    PackageError::Store(match error.into_kind() {
        ErrorKind::IO(error) => error,
        other => io::Error::other(rawzip::Error::from(other)),
    })
}

/// Counts and sums up what goes through it.
struct Summed<W> {
    inner: W,
    crc: Crc32,
    hash: Sha256,
    bytes: u64,
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(buf)?;
        let written = buf.get(..n).unwrap_or_default();
        self.crc.update(written);
        self.hash.update(written);
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
