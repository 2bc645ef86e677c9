//! What is in one entry: opened, unpacked, and checked at its end.

use std::io::{self, BufRead, Read, Seek, SeekFrom, Take};

use ::zip::{
    CompressionMethod, ZipReadOptions,
    read::{ZipFile, ZipFileEntry},
};
use crc32fast::Hasher;
use flate2::bufread::DeflateDecoder;
use secrecy::{ExposeSecret, SecretString};

use crate::archive::{
    error::{Fault, PackageError, Seal},
    open::entries::{Entry, fault},
    open::zstandard::Frames,
};

/// Strong encryption, a masked header, a patch: what no reader of zips but the vendor's knows.
const UNKNOWN_FLAGS: u16 = 1 << 5 | 1 << 6 | 1 << 13;

impl Entry {
    /// The content as a stream. `password` opens a sealed entry and is not used for others.
    pub(in crate::archive) fn content<'s, S: BufRead + Seek>(
        &'s self,
        source: &'s mut S,
        password: Option<&SecretString>,
    ) -> Result<Content<'s, S>, PackageError> {
        if self.facts.flags().as_u16() & UNKNOWN_FLAGS != 0 {
            return Err(PackageError::Corrupt(Fault::Unsupported));
        }
        let unpacked = if self.is_sealed() {
            Unpacked::Sealed(opened(self.facts.as_ref(), source, password)?)
        } else {
            source.seek(SeekFrom::Start(self.start())).map_err(PackageError::Export)?;
            unpacked(self.method(), source.take(self.packed_bytes()))?
        };
        let crc32 = (!self.is_sealed()).then(|| (Hasher::new(), self.crc32()));
        Ok(Content { unpacked, crc32, missing: self.bytes() })
    }
}

fn opened<'s, S: Read + Seek>(
    facts: ZipFileEntry<'s>,
    source: &'s mut S,
    password: Option<&SecretString>,
) -> Result<ZipFile<'s, S>, PackageError> {
    let password = password.ok_or(PackageError::Sealed(Seal::Missing))?;
    let password = Some(password.expose_secret().as_bytes());
    facts.with_reader(source, ZipReadOptions::new().password(password)).map_err(fault)
}

fn unpacked<S: BufRead>(
    method: CompressionMethod,
    packed: Take<&mut S>,
) -> Result<Unpacked<'_, S>, PackageError> {
    match method {
        CompressionMethod::Stored => Ok(Unpacked::Stored(packed)),
        CompressionMethod::Deflated => Ok(Unpacked::Deflated(DeflateDecoder::new(packed))),
        CompressionMethod::ZSTD => {
            Frames::new(packed).map(Unpacked::Zstd).map_err(PackageError::reading)
        }
        _ => Err(PackageError::Corrupt(Fault::Unsupported)),
    }
}

/// The content of an entry. Its end is an error if the content is not what the directory says.
pub(in crate::archive) struct Content<'s, S: BufRead> {
    unpacked: Unpacked<'s, S>,
    /// What the checksum is so far and should be. Sealed content is checked by whoever opens it.
    crc32: Option<(Hasher, u32)>,
    /// Bytes that must still come.
    missing: u64,
}

enum Unpacked<'s, S: BufRead> {
    Stored(Take<&'s mut S>),
    Deflated(DeflateDecoder<Take<&'s mut S>>),
    Zstd(Frames<Take<&'s mut S>>),
    Sealed(ZipFile<'s, S>),
}

impl<S: BufRead> Unpacked<'_, S> {
    /// Packed bytes that nothing came of.
    fn left_over(&self) -> u64 {
        match self {
            Self::Stored(packed) => packed.limit(),
            Self::Deflated(decoder) => decoder.get_ref().limit(),
            Self::Zstd(frames) => frames.get_ref().limit(),
            Self::Sealed(_) => 0,
        }
    }
}

impl<S: BufRead> Read for Content<'_, S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = match &mut self.unpacked {
            Unpacked::Stored(content) => content.read(buf),
            Unpacked::Deflated(content) => content.read(buf),
            Unpacked::Zstd(content) => content.read(buf),
            Unpacked::Sealed(content) => content.read(buf),
        }?;
        self.missing = self.missing.checked_sub(n as u64).ok_or(io::ErrorKind::InvalidData)?;
        if let Some((hasher, expected)) = &mut self.crc32 {
            hasher.update(buf.get(..n).unwrap_or_default());
            let ended = n == 0 && !buf.is_empty();
            if ended && (hasher.clone().finalize() != *expected || self.unpacked.left_over() > 0) {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
        if n == 0 && !buf.is_empty() && self.missing > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(n)
    }
}
