//! One pass over the text of a deflate stream, in a buffer that stays in the cache of a core.

use flate2::{Decompress, FlushDecompress, Status};

use super::check::Refused;

/// Bytes of text that are looked at together.
const BUFFER: usize = 128 * 1024;

/// Inflates a stream that comes in parts.
pub(super) struct Pass {
    inflate: Decompress,
    buffer: Vec<u8>,
    ended: bool,
}

impl Pass {
    pub(super) fn new() -> Self {
        Self { inflate: Decompress::new(false), buffer: vec![0; BUFFER], ended: false }
    }

    /// Takes in the next bytes of the stream and hands their text to `look`, after the bytes of the stream and of
    /// the text so far. Refused if the stream is damaged, or has ended before these bytes.
    pub(super) fn feed(
        &mut self,
        mut packed: &[u8],
        look: &mut impl FnMut(u64, u64, &[u8]) -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        loop {
            if self.ended {
                return if packed.is_empty() { Ok(()) } else { Err(Refused::Content) };
            }
            let before = (self.inflate.total_in(), self.inflate.total_out());
            let status = self
                .inflate
                .decompress(packed, &mut self.buffer, FlushDecompress::None)
                .map_err(|_| Refused::Content)?;
            let (taken_in, given_out) = (self.inflate.total_in(), self.inflate.total_out());
            let taken = usize::try_from(taken_in - before.0).unwrap_or(usize::MAX);
            let given = usize::try_from(given_out - before.1).unwrap_or(usize::MAX);
            self.ended = status == Status::StreamEnd;
            packed = packed.get(taken..).unwrap_or_default();
            look(taken_in, given_out, self.buffer.get(..given).unwrap_or_default())?;
            // A buffer that is not full tells that no text waits in the decoder.
            if packed.is_empty() && given < BUFFER && !self.ended {
                return Ok(());
            }
            if taken == 0 && given == 0 && !self.ended {
                return Err(Refused::Content);
            }
        }
    }

    /// Bytes of the text, if its stream has ended.
    pub(super) fn finish(&self) -> Result<u64, Refused> {
        if self.ended { Ok(self.inflate.total_out()) } else { Err(Refused::Content) }
    }
}
