//! Finished texts.

use std::{
    fs::File,
    io::{self, Read},
};

use chacha20::{ChaCha20, cipher::StreamCipher};

use super::files::Files;
use crate::archive::deflated::{self, Deflated, DeflatedFacts};

/// A finished text.
pub(super) struct PackedText {
    pub(super) facts: DeflatedFacts,
    /// CRC-32 of the deflate stream.
    pub(super) packed_crc: u32,
    /// The deflate stream, if it is not in a file.
    pub(super) whole: Option<Box<[u8]>>,
}

/// All texts of a run. They may be read by several threads at once.
pub(in crate::archive) struct Packed<'a> {
    texts: Vec<Option<Box<PackedText>>>,
    files: Files<'a>,
}

impl<'a> Packed<'a> {
    pub(super) fn new(texts: Vec<Option<Box<PackedText>>>, files: Files<'a>) -> Self {
        Self { texts, files }
    }

    /// A text by its number. One that nothing was added to is empty.
    pub(in crate::archive) fn text(&self, number: usize) -> impl Deflated {
        let text = self.texts.get(number).and_then(Option::as_deref);
        Numbered { number, text, files: &self.files }
    }
}

struct Numbered<'p> {
    number: usize,
    text: Option<&'p PackedText>,
    files: &'p Files<'p>,
}

impl Deflated for Numbered<'_> {
    fn facts(&self) -> DeflatedFacts {
        self.text.map_or_else(deflated::nothing, |text| text.facts)
    }

    fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        let Some(text) = self.text else { return Ok(Box::new(deflated::NOTHING)) };
        if let Some(whole) = &text.whole {
            return Ok(Box::new(&**whole));
        }
        let (file, cipher) = self.files.open(self.number)?;
        if file.metadata()?.len() != text.facts.packed_bytes {
            return Err(changed());
        }
        Ok(Box::new(Deciphered {
            file,
            cipher,
            left: text.facts.packed_bytes,
            crc: crc32fast::Hasher::new(),
            expected: text.packed_crc,
        }))
    }
}

/// Reads a file in clear. The last bytes are given only if all of them are what was written.
struct Deciphered {
    file: File,
    cipher: ChaCha20,
    left: u64,
    crc: crc32fast::Hasher,
    expected: u32,
}

impl Read for Deciphered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 || buffer.is_empty() {
            return Ok(0);
        }
        let read = (&mut self.file).take(self.left).read(buffer)?;
        let bytes = buffer.get_mut(..read).unwrap_or_default();
        if bytes.is_empty() {
            return Err(changed());
        }
        self.cipher.try_apply_keystream(bytes).map_err(|_| changed())?;
        self.crc.update(bytes);
        self.left -= read as u64;
        if self.left == 0 && self.crc.clone().finalize() != self.expected {
            bytes.fill(0);
            return Err(changed());
        }
        Ok(read)
    }
}

fn changed() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "a file of the work folder is not what was written: check the disk, then try again",
    )
}
