//! Raw bytes to a part of a deflate stream.

use std::io;

use flate2::{Compress, CompressError, Compression, FlushCompress, Status};

use super::piece::Piece;

/// Beyond it, hardly any size is gained for much time.
const LEVEL: u32 = 6;

/// The compressor's window is twice the reach of deflate.
const ZEROS: &[u8] = &[0; 64 * 1024];

/// How far behind the end a match may be looked for; it is 258 bytes long at most.
const REACH: usize = 1024;

/// One for each thread: a compressor has some 300 KiB, and many of them spoil every cache.
pub(super) struct Compressor {
    deflate: Compress,
    packed: Vec<u8>,
}

impl Compressor {
    pub(super) fn new() -> Self {
        Self { deflate: Compress::new(Compression::new(LEVEL), false), packed: Vec::new() }
    }

    /// Deflates a piece in place. It ends on a whole byte; if it is the text's last, the stream ends.
    pub(super) fn pack(&mut self, mut piece: Piece) -> io::Result<Piece> {
        self.packed.clear();
        // Never full, so that what comes out does not depend on the room that there was.
        self.packed.reserve(piece.len() + piece.len() / 8 + 1024);
        self.forget(piece.dictionary.len() + piece.len())?;
        if !piece.dictionary.is_empty() {
            self.deflate.set_dictionary(&piece.dictionary).map_err(deflating)?;
        }
        for chunk in piece.chunks().filter(|chunk| !chunk.is_empty()) {
            self.feed(chunk, FlushCompress::None)?;
        }
        let end = if piece.last { FlushCompress::Finish } else { FlushCompress::Sync };
        let status = self.feed(&[], end)?;
        if piece.last && status != Status::StreamEnd {
            return Err(short_of_room());
        }
        piece.replace(&self.packed);
        Ok(piece)
    }

    /// Makes ready for a piece of `bytes` bytes, as if there never was another one. A reset alone is not
    /// enough: the search for matches looks at what lies in the window behind the end of a piece,
    /// and there, bytes of earlier pieces would have their say.
    fn forget(&mut self, bytes: usize) -> io::Result<()> {
        let zeros = ZEROS.get(..bytes + REACH).unwrap_or(ZEROS);
        self.deflate.reset();
        self.deflate.set_level(Compression::fast()).map_err(deflating)?;
        self.feed(zeros, FlushCompress::None)?;
        self.packed.clear();
        self.deflate.reset();
        self.deflate.set_level(Compression::new(LEVEL)).map_err(deflating)
    }

    fn feed(&mut self, raw: &[u8], flush: FlushCompress) -> io::Result<Status> {
        let before = self.deflate.total_in();
        let status = self.deflate.compress_vec(raw, &mut self.packed, flush).map_err(deflating)?;
        let all = self.deflate.total_in() - before == raw.len() as u64;
        if all && self.packed.len() < self.packed.capacity() {
            Ok(status)
        } else {
            Err(short_of_room())
        }
    }
}

fn deflating(_: CompressError) -> io::Error {
    io::Error::other("the compressor refused its input")
}

fn short_of_room() -> io::Error {
    io::Error::other("the compressor gave more bytes than deflate can need")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::archive::slab::piece::Paged;

    /// Words of two letters and lengths: there is more than one match for everything.
    fn text(mut seed: u32, len: usize) -> Vec<u8> {
        std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ["ab", "abba", "a", "bab", "baabaab"][(seed >> 24) as usize % 5].bytes()
        })
        .flatten()
        .take(len)
        .collect()
    }

    fn piece(text: &[u8], dictionary: &[u8]) -> Piece {
        let mut paged = Paged::default();
        let mut rest = text;
        while !rest.is_empty() {
            paged.push(vec![0; 4096].into_boxed_slice());
            rest = paged.fill(rest);
        }
        Piece::new(paged, dictionary.to_vec())
    }

    fn packed(compressor: &mut Compressor, piece: Piece) -> Vec<u8> {
        compressor.pack(piece).unwrap().chunks().collect::<Vec<_>>().concat()
    }

    #[test]
    fn a_piece_does_not_depend_on_the_pieces_before_it() {
        let mut used = Compressor::new();
        let mut assert_same = |text: &[u8], dictionary: &[u8]| {
            let expected = packed(&mut Compressor::new(), piece(text, dictionary));
            let again = packed(&mut used, piece(text, dictionary));
            assert!(again == expected, "{} bytes after {}", text.len(), dictionary.len());
        };
        for (n, seed) in (1..400).enumerate() {
            assert_same(&text(seed, n * n % 5_003), &text(!seed, n * 31 % 3_000));
        }
        for len in [60_000, 64_000, 65_535, 65_536, 70_000, 300_000, 5_000] {
            assert_same(&text(7, len), &text(8, 8_192));
        }
    }
}
