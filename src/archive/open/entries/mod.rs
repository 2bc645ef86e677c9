//! The entries of a zip, one after the other, in the order of its directory.
//!
//! Nothing is extracted and no name is looked at: what an entry is tells its content. The directory
//! is walked, not loaded, and what it claims must agree with the bytes: no two entries share any
//! ([`extents`]), no bytes between entries belong to none, and the content of each has the size and
//! checksum that were claimed ([`content`]).

mod content;
mod extents;

use std::io::{self, BufRead, Read, Seek, SeekFrom};

use ::zip::{
    CompressionMethod,
    read::{Config, HasZipMetadata, OwnedZipFileEntry, ZipFileEntry},
    result::ZipError,
    unstable::read::ZipIterable,
};

use crate::archive::{
    error::{Fault, PackageError},
    limits::Limit,
    open::entries::extents::Extents,
};

/// One entry that may hold data.
pub(in crate::archive) struct Entry {
    /// As the directory describes it.
    facts: OwnedZipFileEntry,
    /// Where its packed content begins in the export.
    start: u64,
}

impl Entry {
    pub(in crate::archive) fn is_sealed(&self) -> bool {
        self.facts.encrypted()
    }

    /// Whether it is sealed by ZipCrypto, which takes one wrong password in 256 for the right one;
    /// AES takes one in 65,536.
    pub(in crate::archive) fn is_weakly_sealed(&self) -> bool {
        self.is_sealed() && self.facts.get_metadata().aes_settings().is_none()
    }

    /// Where its packed content begins in the export.
    pub(in crate::archive) fn start(&self) -> u64 {
        self.start
    }

    /// How its content is compressed.
    pub(in crate::archive) fn method(&self) -> CompressionMethod {
        self.facts.compression()
    }

    /// Bytes of its packed content.
    pub(in crate::archive) fn packed_bytes(&self) -> u64 {
        self.facts.compressed_size()
    }

    /// Bytes of its content, by its claim.
    pub(in crate::archive) fn bytes(&self) -> u64 {
        self.facts.size()
    }

    /// The CRC-32 of its content, by its claim.
    pub(in crate::archive) fn crc32(&self) -> u32 {
        self.facts.crc32()
    }
}

/// Hands every entry of the zip in `source` to `visit`, which reads its content from there.
/// Empty folders are passed over; a folder with content is none.
pub(in crate::archive) fn each<S: BufRead + Seek>(
    source: S,
    most: u64,
    visit: &mut dyn FnMut(Entry, &mut S) -> Result<(), PackageError>,
) -> Result<(), PackageError> {
    let mut zip = ZipIterable::try_new(source, Config::default()).map_err(fault)?;
    if zip.len() as u64 > most {
        return Err(PackageError::Limit(Limit::Entries(most)));
    }
    let empty = zip.is_empty();
    let entries = zip.files().map_err(fault)?;
    if empty {
        return nothing_before_the_end(entries.reader_mut());
    }
    let mut extents = None;
    while let Some(entry) = entries.next() {
        let entry = entry.map_err(fault)?;
        // All entries lie before the directory, which begins with the header of the first.
        let extents = extents.get_or_insert_with(|| Extents::before(entry.central_header_start()));
        let source = entries.reader_mut();
        let start = start(&entry, source)?;
        let end = start.checked_add(entry.compressed_size());
        extents.claim(entry.header_start(), end).map_err(PackageError::Corrupt)?;
        if entry.is_dir() && entry.compressed_size() == 0 {
            continue;
        }
        visit(Entry { facts: entry.into(), start }, source)?;
    }
    extents.map_or(Ok(()), |extents| extents.all_claimed()).map_err(PackageError::Corrupt)
}

/// A zip without entries begins with its end record. Before another end there may be entries, of
/// another directory.
fn nothing_before_the_end(source: &mut (impl Read + Seek)) -> Result<(), PackageError> {
    source.rewind().map_err(PackageError::Export)?;
    let mut head = [0; 4];
    source.read_exact(&mut head).map_err(PackageError::reading)?;
    if head == *b"PK\x05\x06" { Ok(()) } else { Err(PackageError::Corrupt(Fault::Inconsistent)) }
}

/// Where the packed content of `entry` begins: behind its own header, which must be there.
fn start(entry: &ZipFileEntry<'_>, source: &mut (impl Read + Seek)) -> Result<u64, PackageError> {
    /// Bytes of the header before its name and extra fields, whose lengths are the last in it.
    const FIXED: usize = 30;
    source.seek(SeekFrom::Start(entry.header_start())).map_err(PackageError::Export)?;
    let mut header = [0; FIXED];
    source.read_exact(&mut header).map_err(PackageError::reading)?;
    let [b'P', b'K', 3, 4, .., name_low, name_high, extra_low, extra_high] = header else {
        return Err(PackageError::Corrupt(Fault::Damaged));
    };
    let name = u16::from_le_bytes([name_low, name_high]);
    let extra = u16::from_le_bytes([extra_low, extra_high]);
    let length = FIXED as u64 + u64::from(name) + u64::from(extra);
    entry.header_start().checked_add(length).ok_or(PackageError::Corrupt(Fault::Damaged))
}

/// What an error of the zip reader means.
fn fault(error: ZipError) -> PackageError {
    match error {
        ZipError::Io(error) if error.kind() == io::ErrorKind::InvalidInput => {
            PackageError::Corrupt(Fault::Damaged)
        }
        ZipError::Io(error) => PackageError::reading(error),
        ZipError::InvalidPassword => PackageError::Sealed(crate::archive::error::Seal::Wrong),
        ZipError::UnsupportedArchive(_) | ZipError::CompressionMethodNotSupported(_) => {
            PackageError::Corrupt(Fault::Unsupported)
        }
        _ => PackageError::Corrupt(Fault::Damaged),
    }
}
