//! Text that is already deflated: the seam between whoever compresses it (the slab, or the vendor) and the
//! bundle, which puts it into a zip as it stands.

use std::io::{self, Read};

use flate2::{Compression, read::DeflateEncoder};
use sha2::{Digest, Sha256};

/// A finished raw deflate stream (RFC 1951) and what is known of the text in it.
pub(in crate::archive) trait Deflated: Sync {
    /// What is known of it.
    fn facts(&self) -> DeflatedFacts;

    /// The deflate stream from its beginning, exactly [`DeflatedFacts::packed_bytes`] long. May be called again.
    /// A reader that cannot give what was written fails with [`io::ErrorKind::InvalidData`] at the latest at its end.
    fn open(&self) -> io::Result<Box<dyn Read + '_>>;
}

/// Facts about a deflated text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::archive) struct DeflatedFacts {
    /// Bytes of the text.
    pub(in crate::archive) bytes: u64,
    /// Bytes of the deflate stream.
    pub(in crate::archive) packed_bytes: u64,
    /// CRC-32 of the text, as zip and gzip have it.
    pub(in crate::archive) crc32: u32,
    /// SHA-256 of the text.
    pub(in crate::archive) sha256: [u8; 32],
}

/// The deflate stream of the empty text.
pub(in crate::archive) const NOTHING: &[u8] = &[0x03, 0x00];

/// What is known of the empty text.
pub(in crate::archive) fn nothing() -> DeflatedFacts {
    DeflatedFacts {
        bytes: 0,
        packed_bytes: NOTHING.len() as u64,
        crc32: 0,
        sha256: Sha256::digest([]).into(),
    }
}

/// A short text, held in memory.
pub(in crate::archive) struct Held {
    facts: DeflatedFacts,
    packed: Vec<u8>,
}

impl Held {
    /// Deflates `text`.
    pub(in crate::archive) fn new(text: &[u8]) -> io::Result<Self> {
        let mut packed = Vec::new();
        DeflateEncoder::new(text, Compression::new(6)).read_to_end(&mut packed)?;
        let facts = DeflatedFacts {
            bytes: text.len() as u64,
            packed_bytes: packed.len() as u64,
            crc32: crc32fast::hash(text),
            sha256: Sha256::digest(text).into(),
        };
        Ok(Self { facts, packed })
    }
}

impl Deflated for Held {
    fn facts(&self) -> DeflatedFacts {
        self.facts
    }

    fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(self.packed.as_slice()))
    }
}

/// The same text as a gzip file (RFC 1952) of one member, without a name and a time.
pub(in crate::archive) fn gzip(text: &dyn Deflated) -> io::Result<impl Read + '_> {
    const HEADER: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let facts = text.facts();
    // CRC-32, then the size: the format has room for its low half alone.
    let end = (u64::from(facts.crc32) | facts.bytes << 32).to_le_bytes();
    Ok(HEADER.chain(text.open()?).chain(io::Cursor::new(end)))
}
