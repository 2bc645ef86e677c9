//! Deflates one text after the other, each as if there never was another one.

use std::io;

use flate2::{Compress, CompressError, Compression, FlushCompress, Status};

/// Beyond it, hardly any size is gained for much time.
const LEVEL: u32 = 6;

/// The compressor's window is twice the reach of deflate.
const WINDOW: usize = 64 * 1024;
const ZEROS: &[u8] = &[0; WINDOW];
/// Stored bytes come into the window whole only if they are fewer than deflate can reach back.
const STORED: usize = 16 * 1024;

/// How far behind the end a match may be looked for; it is 258 bytes long at most.
const REACH: usize = 1024;

/// One for each thread: it has some 300 KiB, so that many of them spoil every cache, and making one takes as
/// long as deflating 20 KiB.
pub(super) struct Deflater {
    deflate: Compress,
    packed: Vec<u8>,
}

impl Deflater {
    pub(super) fn new() -> Self {
        Self { deflate: Compress::new(Compression::new(LEVEL), false), packed: Vec::new() }
    }

    /// A whole text as a raw deflate stream.
    pub(super) fn deflate(&mut self, text: &[u8]) -> io::Result<&[u8]> {
        self.begin(&[], text.len())?;
        self.feed(text)?;
        self.end(true)
    }

    /// Begins with a text of `bytes` bytes, or with a part of one that `dictionary` stands before.
    pub(super) fn begin(&mut self, dictionary: &[u8], bytes: usize) -> io::Result<()> {
        self.packed.clear();
        // Never full, so that what comes out does not depend on the room that there was.
        self.packed.reserve(WINDOW.max(bytes + bytes / 8) + 1024);
        self.forget(dictionary.len() + bytes)?;
        if dictionary.is_empty() {
            return Ok(());
        }
        self.deflate.set_dictionary(dictionary).map(|_| ()).map_err(deflating)
    }

    /// Takes in the next bytes.
    pub(super) fn feed(&mut self, raw: &[u8]) -> io::Result<()> {
        self.compress(raw, FlushCompress::None).map(|_| ())
    }

    /// Ends on a whole byte; if these are the text's `last` bytes, so does the stream. Returns what they became.
    pub(super) fn end(&mut self, last: bool) -> io::Result<&[u8]> {
        let flush = if last { FlushCompress::Finish } else { FlushCompress::Sync };
        let status = self.compress(&[], flush)?;
        if last && status != Status::StreamEnd {
            return Err(short_of_room());
        }
        Ok(&self.packed)
    }

    /// Forgets the texts before. A reset alone is not enough: the search for matches looks at what lies in the
    /// window behind the end of a text of `bytes` bytes, and there, earlier ones would have their say.
    fn forget(&mut self, bytes: usize) -> io::Result<()> {
        let zeros = ZEROS.get(..bytes + REACH).unwrap_or(ZEROS);
        self.deflate.reset();
        // Storing zeros takes a fraction of the time that compressing them takes.
        self.deflate.set_level(Compression::none()).map_err(deflating)?;
        for zeros in zeros.chunks(STORED) {
            self.compress(zeros, FlushCompress::None)?;
        }
        self.packed.clear();
        self.deflate.reset();
        self.deflate.set_level(Compression::new(LEVEL)).map_err(deflating)
    }

    fn compress(&mut self, raw: &[u8], flush: FlushCompress) -> io::Result<Status> {
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

    /// A part of a text, or the end of one.
    fn packed(deflater: &mut Deflater, text: &[u8], dictionary: &[u8], last: bool) -> Vec<u8> {
        deflater.begin(dictionary, text.len()).unwrap();
        text.chunks(4096).try_for_each(|chunk| deflater.feed(chunk)).unwrap();
        deflater.end(last).unwrap().to_vec()
    }

    #[test]
    fn a_text_does_not_depend_on_the_texts_before_it() {
        let mut used = Deflater::new();
        let mut assert_same = |text: &[u8], dictionary: &[u8]| {
            for last in [false, true] {
                let expected = packed(&mut Deflater::new(), text, dictionary, last);
                let again = packed(&mut used, text, dictionary, last);
                assert!(again == expected, "{} bytes after {}", text.len(), dictionary.len());
            }
        };
        for (n, seed) in (1..400).enumerate() {
            assert_same(&text(seed, n * n % 5_003), &text(!seed, n * 31 % 3_000));
        }
        for len in [31_000, 40_000, 49_152, 60_000, 64_000, 65_535, 65_536, 70_000, 300_000, 5_000]
        {
            assert_same(&text(7, len), &text(8, 8_192));
        }
    }
}
