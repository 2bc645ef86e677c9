//! One text that grows.

use sha2::{Digest, Sha256};

use super::{
    packed::PackedText,
    piece::{Paged, Piece},
};
use crate::archive::deflated::DeflatedFacts;

#[derive(Default)]
pub(super) struct Text {
    /// Its end, which was not sent to a compressor yet.
    pub(super) waiting: Paged,
    /// All of it, packed, if it never was long enough for a file.
    pub(super) whole: Option<Box<[u8]>>,
    /// The last bytes before those that wait.
    dictionary: Vec<u8>,
    bytes: u64,
    crc: crc32fast::Hasher,
    sha256: Sha256,
    packed_bytes: u64,
    packed_crc: crc32fast::Hasher,
}

impl Text {
    /// Cuts off what waits. Its last bytes, at most `dictionary` of them, are kept for the next.
    pub(super) fn cut(&mut self, dictionary: usize) -> Piece {
        let cut = std::mem::take(&mut self.waiting);
        for chunk in cut.chunks() {
            self.crc.update(chunk);
            self.sha256.update(chunk);
        }
        self.bytes += cut.len() as u64;
        let next = self.dictionary_after(&cut, dictionary);
        Piece::new(cut, std::mem::replace(&mut self.dictionary, next))
    }

    fn dictionary_after(&self, cut: &Paged, most: usize) -> Vec<u8> {
        let before = most.saturating_sub(cut.len()).min(self.dictionary.len());
        let mut next = Vec::with_capacity(before + most.min(cut.len()));
        let old = self.dictionary.len() - before;
        next.extend_from_slice(self.dictionary.get(old..).unwrap_or_default());
        cut.end(most, &mut next);
        next
    }

    /// Counts packed bytes, and returns how many there were before them.
    pub(super) fn packed(&mut self, bytes: &[u8]) -> u64 {
        let before = self.packed_bytes;
        self.packed_crc.update(bytes);
        self.packed_bytes += bytes.len() as u64;
        before
    }

    pub(super) fn finish(self) -> PackedText {
        PackedText {
            facts: DeflatedFacts {
                bytes: self.bytes,
                packed_bytes: self.packed_bytes,
                crc32: self.crc.finalize(),
                sha256: self.sha256.finalize().into(),
            },
            packed_crc: self.packed_crc.finalize(),
            whole: self.whole,
        }
    }
}
