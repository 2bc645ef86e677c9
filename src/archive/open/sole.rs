//! A look for an export that is nothing but one deflate stream, which may be taken as it stands.

use std::io::{BufReader, Read, Seek, SeekFrom};

use ::zip::CompressionMethod;
use flate2::bufread::GzDecoder;

use crate::archive::{
    error::PackageError,
    open::{CHUNK, Export, entries, sniff, sniff::Packing},
};

/// Where the only deflate stream of an export is, and what the export claims of it. Nothing was
/// inflated: who inflates it finds out whether the claims hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::archive) struct Sole {
    /// Where the raw deflate stream begins in the export.
    pub(in crate::archive) offset: u64,
    /// Bytes of the raw deflate stream. A gzip with a second member or zeros at its end cannot be
    /// told from one without: there the stream ends earlier than this says, and the export must be
    /// read by [`super::each_record`].
    pub(in crate::archive) packed_bytes: u64,
    /// CRC-32 of the text.
    pub(in crate::archive) crc32: u32,
    /// Bytes of the text.
    pub(in crate::archive) bytes: Size,
}

/// How much text there should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::archive) enum Size {
    /// So many bytes.
    Exact(u64),
    /// A number of bytes that ends in these 32 bits: gzip tells no more.
    Low32(u32),
}

impl Size {
    /// Whether a text of `bytes` agrees with the claim.
    pub(in crate::archive) fn agrees(self, bytes: u64) -> bool {
        match self {
            Self::Exact(claimed) => claimed == bytes,
            Self::Low32(claimed) => u64::from(claimed) == bytes & u64::from(u32::MAX),
        }
    }
}

/// The deflate stream of `export` if that is one gzip member, or a zip with one entry that is
/// deflated and not sealed. `None` for any other export, also for what is damaged:
/// [`super::each_record`] says why. The limits do not hold for whoever goes this way.
pub(in crate::archive) fn sole_deflate(
    export: &mut impl Export,
) -> Result<Option<Sole>, PackageError> {
    let mut source = BufReader::with_capacity(CHUNK, export);
    source.rewind().map_err(PackageError::Export)?;
    let head = sniff::peek(&mut source).map_err(PackageError::reading)?;
    let sole = match sniff::packing(&head) {
        Packing::Zip => passing(in_zip(&mut source))?,
        Packing::Gzip => passing(in_gzip(&mut source))?,
        _ => None,
    };
    source.rewind().map_err(PackageError::Export)?;
    Ok(sole)
}

/// Errors of the disk are errors here; those of the data are for whoever reads it.
fn passing(found: Result<Option<Sole>, PackageError>) -> Result<Option<Sole>, PackageError> {
    match found {
        Err(error) if !error.may_pass() => Ok(None),
        found => found,
    }
}

fn in_zip(source: &mut BufReader<impl Export>) -> Result<Option<Sole>, PackageError> {
    let mut found = Vec::new();
    entries::each(source, 2, &mut |entry, _| {
        let plain = entry.method() == CompressionMethod::Deflated && !entry.is_sealed();
        found.push(plain.then(|| Sole {
            offset: entry.start(),
            packed_bytes: entry.packed_bytes(),
            crc32: entry.crc32(),
            bytes: Size::Exact(entry.bytes()),
        }));
        Ok(())
    })?;
    Ok(if let [sole] = found.as_slice() { *sole } else { None })
}

/// Bytes behind the deflate stream of a gzip member: its CRC-32 and its size.
const TRAILER: usize = 8;

fn in_gzip(source: &mut BufReader<impl Export>) -> Result<Option<Sole>, PackageError> {
    source.rewind().map_err(PackageError::Export)?;
    // It reads the header, and nothing else before it is asked for text.
    if GzDecoder::new(&mut *source).header().is_none() {
        return Ok(None);
    }
    let offset = source.stream_position().map_err(PackageError::Export)?;
    let length = source.seek(SeekFrom::End(0)).map_err(PackageError::Export)?;
    let Some(end) = length.checked_sub(TRAILER as u64).filter(|&end| end > offset) else {
        return Ok(None);
    };
    source.seek(SeekFrom::Start(end)).map_err(PackageError::Export)?;
    let mut trailer = [0; TRAILER];
    source.read_exact(&mut trailer).map_err(PackageError::reading)?;
    let [a, b, c, d, size @ ..] = trailer;
    Ok(Some(Sole {
        offset,
        packed_bytes: end - offset,
        crc32: u32::from_le_bytes([a, b, c, d]),
        bytes: Size::Low32(u32::from_le_bytes(size)),
    }))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io::Cursor;

    use flate2::{GzBuilder, read::DeflateDecoder};

    use super::*;
    use crate::archive::tests::exports::{Cipher, gzip, zip, zip_by};

    const TEXT: &[u8] = b"{\"event\":\"A\"}\n{\"event\":\"B\"}\n";

    fn sole(export: &[u8]) -> Option<Sole> {
        sole_deflate(&mut Cursor::new(export)).unwrap()
    }

    fn assert_opens(export: &[u8]) {
        let sole = sole(export).unwrap();
        let packed = usize::try_from(sole.offset).unwrap()..;
        let packed = &export[packed][..usize::try_from(sole.packed_bytes).unwrap()];
        let mut text = Vec::new();
        let mut decoder = DeflateDecoder::new(packed);
        decoder.read_to_end(&mut text).unwrap();
        assert_eq!(text, TEXT);
        assert_eq!(decoder.total_in(), sole.packed_bytes);
        assert_eq!(crc32fast::hash(&text), sole.crc32);
        assert!(sole.bytes.agrees(text.len() as u64) && !sole.bytes.agrees(0));
    }

    #[test]
    fn the_stream_of_one_member_or_entry_is_where_it_says() {
        assert_opens(&gzip(TEXT));
        assert_opens(&zip(&[("folder/a", TEXT)], Cipher::None));
        assert_opens(&zip(&[("folder/", b""), ("folder/a", TEXT)], Cipher::None));
        let named = GzBuilder::new().filename("n").comment("c").extra(b"e".to_vec());
        let mut named = named.read(TEXT, flate2::Compression::best());
        let mut export = Vec::new();
        named.read_to_end(&mut export).unwrap();
        assert_opens(&export);
    }

    #[test]
    fn any_other_export_has_none() {
        for export in [
            TEXT.to_vec(),
            Vec::new(),
            zip(&[], Cipher::None),
            zip(&[("a", TEXT), ("b", TEXT)], Cipher::None),
            zip(&[("a", TEXT)], Cipher::Aes),
            zip(&[("a", TEXT)], Cipher::ZipCrypto),
            zip_by(&[("a", TEXT)], Cipher::None, CompressionMethod::Stored),
            zip(&[("a", TEXT)], Cipher::None)[..40].to_vec(),
            gzip(TEXT)[..12].to_vec(),
        ] {
            assert_eq!(sole(&export), None);
        }
    }

    #[test]
    fn a_second_member_shows_when_the_first_ends_early() {
        let export = [gzip(TEXT), gzip(TEXT)].concat();
        let sole = sole(&export).unwrap();
        let mut decoder = DeflateDecoder::new(&export[usize::try_from(sole.offset).unwrap()..]);
        decoder.read_to_end(&mut Vec::new()).unwrap();
        assert!(decoder.total_in() < sole.packed_bytes);
    }

    #[test]
    fn the_export_is_at_its_beginning_afterwards() {
        let mut export = Cursor::new(gzip(TEXT));
        sole_deflate(&mut export).unwrap();
        assert_eq!(export.position(), 0);
    }
}
