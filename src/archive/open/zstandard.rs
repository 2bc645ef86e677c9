//! Zstd of one or more frames, with bounded memory.

use std::io::{self, BufRead, Read};

use zstd::stream::read::Decoder;

use crate::archive::limits::{Limit, ZSTD_WINDOW_LOG};

/// What the library says of a window beyond the bound. It has no code for it in Rust; a test holds
/// the words fast.
const WINDOW_TOO_LARGE: &str = "Frame requires too much memory for decoding";

/// The text of all frames, one after the other; frames to be skipped are skipped.
pub(in crate::archive) struct Frames<R: BufRead>(Decoder<'static, R>);

impl<R: BufRead> Frames<R> {
    /// `packed` begins with a frame.
    pub(in crate::archive) fn new(packed: R) -> io::Result<Self> {
        let mut decoder = Decoder::with_buffer(packed)?;
        decoder.window_log_max(ZSTD_WINDOW_LOG)?;
        Ok(Self(decoder))
    }

    /// Where the frames come from.
    pub(in crate::archive) fn get_ref(&self) -> &R {
        self.0.get_ref()
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf).map_err(|error| {
            if error.to_string() == WINDOW_TOO_LARGE {
                io::Error::other(Limit::Window(1 << ZSTD_WINDOW_LOG))
            } else {
                error
            }
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io::Write;

    use super::*;

    fn frame(window_log: u32) -> Vec<u8> {
        let mut zstd = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        zstd.window_log(window_log).unwrap();
        zstd.write_all(b"text").unwrap();
        zstd.flush().unwrap();
        zstd.write_all(b" and more").unwrap();
        zstd.finish().unwrap()
    }

    #[test]
    fn a_window_of_eight_mebibytes_is_opened_and_a_larger_one_is_a_limit() {
        let mut text = String::new();
        Frames::new(&*frame(23)).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "text and more");
        let error = Frames::new(&*frame(24)).unwrap().read_to_string(&mut text).unwrap_err();
        let limit = error.get_ref().unwrap().downcast_ref::<Limit>();
        assert_eq!(limit, Some(&Limit::Window(8 * 1024 * 1024)));
    }
}
