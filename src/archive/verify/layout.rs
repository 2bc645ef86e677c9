//! Walks the zip of an archive: its entries, their list and its end follow each other without a gap.
//!
//! The writer puts entries one after the other, each with its sizes behind it. Anything else (a gap, a second
//! list, a header that differs from the list, bytes before or behind) is a place to hide things in, so it is
//! refused.

use std::io::{self, Read, Seek, SeekFrom};

use zip::{
    CompressionMethod, ZipReadOptions,
    read::{Config, ZipFileEntry},
    result::ZipError,
    unstable::read::ZipIterable,
};

use crate::archive::{
    bundle::names,
    verify::{
        VerifyError,
        claims::{Claims, LISTED},
        content::{self, Found},
    },
};

/// A manifest is a few KiB.
const LONGEST_MANIFEST: u64 = 1024 * 1024;
/// The end of a zip without a comment.
const END_BYTES: usize = 22;
const END_MARK: &[u8] = b"PK\x05\x06";
/// The two records that zip64 puts before it.
const END_64: u64 = 56;
const LOCATOR_64: u64 = 20;
const LOCATOR_64_MARK: [u8; 4] = *b"PK\x06\x07";
/// An entry of the list takes some 100 bytes.
const LONGEST_LIST: u64 = 2048;
/// Bytes of what follows the data of an entry: signature, CRC-32 and two sizes of 32 or 64 bits.
const DESCRIPTOR: u64 = 16;
const DESCRIPTOR_64: u64 = 24;
const FROM_64: u64 = u32::MAX as u64;

/// Reads all of `zip` and checks it against its manifest, which is returned.
pub(super) fn check(mut zip: impl Read + Seek) -> Result<Claims, VerifyError> {
    let closing = read_end(&mut zip)?;
    let mut zip = ZipIterable::try_new(zip, Config::default())
        .map_err(fault)?
        .enforce_header_consistency(true);
    // One more than an archive has, so that a repeated entry is named as such.
    if zip.len() > LISTED.len() + 2 {
        return Err(VerifyError::Zip("more entries than an archive has"));
    }
    let entries = zip.files().map_err(fault)?;
    let mut found: Vec<Found> = Vec::new();
    let mut manifest = None;
    let mut end = 0;
    let mut list = 0;
    let mut number = 0;
    while let Some(entry) = entries.next() {
        let entry = entry.map_err(fault)?;
        number += 1;
        if manifest.is_some() {
            return Err(VerifyError::ManifestNotLast);
        }
        let name = name(&entry, number)?;
        if found.iter().any(|other| other.name == name) {
            return Err(VerifyError::Repeated(name));
        }
        if number == 1 {
            list = entry.central_header_start();
        }
        if entry.header_start() != end {
            return Err(VerifyError::Zip("an entry does not begin where the one before it ends"));
        }
        let (packed, size) = (entry.compressed_size(), entry.size());
        let mut content =
            entry.with_reader(entries.reader_mut(), ZipReadOptions::new()).map_err(fault)?;
        end =
            content.data_start().and_then(|start| end_of(start, packed, size)).unwrap_or(u64::MAX);
        if name == names::MANIFEST {
            manifest = Some(read_manifest(&mut content)?);
        } else {
            found.push(content::read(name, content)?);
        }
    }
    let listed = list.checked_add(closing.list_bytes) == Some(closing.list_end);
    if end != list || !listed || closing.list_bytes > LONGEST_LIST {
        return Err(VerifyError::Zip("there is something else before, in or behind its list"));
    }
    let claims = Claims::read(&manifest.ok_or(VerifyError::ManifestNotLast)?)?;
    claims.check(&found)?;
    Ok(claims)
}

/// What the end of a zip says.
struct End {
    /// Where the list of entries ends.
    list_end: u64,
    /// Bytes of the list.
    list_bytes: u64,
}

/// Reads the end. Nothing may follow it, and between it and the list there may only be the records of zip64.
fn read_end(zip: &mut (impl Read + Seek)) -> Result<End, VerifyError> {
    let length = zip.seek(SeekFrom::End(0)).map_err(outside)?;
    let Some(start) = length.checked_sub(END_BYTES as u64) else {
        return Err(VerifyError::Zip("it is too short"));
    };
    zip.seek(SeekFrom::Start(start)).map_err(outside)?;
    let mut end = [0; END_BYTES];
    zip.read_exact(&mut end).map_err(outside)?;
    if !end.starts_with(END_MARK) || !end.ends_with(&[0, 0]) {
        return Err(VerifyError::Zip("it does not end where a zip ends"));
    }
    let [.., s0, s1, s2, s3, _, _, _, _, _, _] = end;
    let list_bytes = u64::from(u32::from_le_bytes([s0, s1, s2, s3]));
    let mut mark = [0; LOCATOR_64_MARK.len()];
    if let Some(locator) = start.checked_sub(LOCATOR_64) {
        zip.seek(SeekFrom::Start(locator)).map_err(outside)?;
        zip.read_exact(&mut mark).map_err(outside)?;
    }
    let records = if mark == LOCATOR_64_MARK { END_64 + LOCATOR_64 } else { 0 };
    Ok(End { list_end: start.saturating_sub(records), list_bytes })
}

fn name(entry: &ZipFileEntry<'_>, number: usize) -> Result<&'static str, VerifyError> {
    let mut ours = LISTED.into_iter().chain([names::MANIFEST]);
    let name = ours.find(|name| name.as_bytes() == entry.name_raw());
    let name = name.ok_or(VerifyError::ForeignEntry(number))?;
    if entry.encrypted() || entry.compression() != CompressionMethod::Deflated {
        return Err(VerifyError::Zip("an entry is not packed as this worker packs"));
    }
    Ok(name)
}

fn end_of(data_start: u64, packed: u64, size: u64) -> Option<u64> {
    let descriptor = if packed >= FROM_64 || size >= FROM_64 { DESCRIPTOR_64 } else { DESCRIPTOR };
    data_start.checked_add(packed)?.checked_add(descriptor)
}

fn read_manifest(content: &mut impl Read) -> Result<Vec<u8>, VerifyError> {
    let mut json = Vec::new();
    let read = content.take(LONGEST_MANIFEST + 1).read_to_end(&mut json);
    read.map_err(|error| content::reading(names::MANIFEST, error))?;
    if json.len() as u64 > LONGEST_MANIFEST {
        return Err(VerifyError::Manifest("it is too long"));
    }
    Ok(json)
}

/// An error of the file, or of the cipher around the zip.
fn outside(error: io::Error) -> VerifyError {
    if error.raw_os_error().is_some() { VerifyError::Io(error) } else { VerifyError::Cipher }
}

fn fault(error: ZipError) -> VerifyError {
    match error {
        ZipError::Io(error) if error.raw_os_error().is_some() => VerifyError::Io(error),
        _ => VerifyError::Zip("a header or the list of its entries is wrong"),
    }
}
