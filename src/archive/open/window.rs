//! A window that slides over a text: what is in it is looked at in place, without copying.
//!
//! A record is copied only when the window must move to take in its end. The window grows for a
//! record that is longer than itself; whoever looks for the record's end says when that is enough.

use std::io::{self, BufRead, Read};

/// Bytes read at once.
const CHUNK: usize = 256 * 1024;

/// The bytes of `source` that were read and not yet let go.
pub(in crate::archive) struct Window<R> {
    source: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    ended: bool,
}

impl<R: Read> Window<R> {
    pub(in crate::archive) fn new(source: R) -> Self {
        Self { source, buffer: Vec::new(), start: 0, end: 0, ended: false }
    }

    /// What is in the window.
    pub(in crate::archive) fn held(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// What is in the window from byte `from` on.
    pub(in crate::archive) fn from(&self, from: usize) -> &[u8] {
        self.held().get(from..).unwrap_or_default()
    }

    /// Lets go of the first `n` bytes.
    pub(in crate::archive) fn skip(&mut self, n: usize) {
        self.start = self.start.saturating_add(n).min(self.end);
    }

    /// Reads on, behind what is there. `false` at the end of the text.
    pub(in crate::archive) fn more(&mut self) -> io::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        self.make_room();
        loop {
            match self.source.read(self.buffer.get_mut(self.end..).unwrap_or_default()) {
                Ok(n) => {
                    self.end = self.end.saturating_add(n).min(self.buffer.len());
                    self.ended = n == 0;
                    return Ok(n > 0);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads on until `n` bytes are there, or the whole text.
    pub(in crate::archive) fn reach(&mut self, n: usize) -> io::Result<()> {
        while self.held().len() < n && self.more()? {}
        Ok(())
    }

    /// Makes room behind the bytes: moves them to the front, or grows if they fill half of it.
    fn make_room(&mut self) {
        let held = self.end - self.start;
        if held == 0 {
            (self.start, self.end) = (0, 0);
        }
        if self.end < self.buffer.len() {
            return;
        }
        if held >= self.buffer.len() / 2 {
            let bigger = self.buffer.len().saturating_mul(2).max(CHUNK);
            self.buffer.resize(bigger, 0);
        } else {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, held);
        }
    }
}

impl<R: Read> Read for Window<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.fill_buf()?.read(buf)?;
        self.skip(n);
        Ok(n)
    }
}

impl<R: Read> BufRead for Window<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end {
            self.more()?;
        }
        Ok(self.held())
    }

    fn consume(&mut self, n: usize) {
        self.skip(n);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_moves_along_and_nothing_is_lost() {
        let text: Vec<u8> = (0..3 * CHUNK).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let mut window = Window::new(text.as_slice());
        let mut seen = 0;
        while window.more().unwrap() {
            let held = window.held().len();
            assert!(text[seen..].starts_with(window.held()));
            window.skip(held - held / 3);
            seen += held - held / 3;
        }
        assert_eq!(window.held(), &text[seen..]);
        assert!(window.buffer.len() <= 2 * CHUNK);
    }

    #[test]
    fn it_grows_only_for_what_is_held() {
        let mut window = Window::new(io::repeat(7));
        for _ in 0..64 {
            window.more().unwrap();
            let held = window.held().len();
            window.skip(held);
        }
        assert_eq!(window.buffer.len(), CHUNK);
        window.reach(CHUNK + 1).unwrap();
        assert!(window.held().len() > CHUNK);
        assert_eq!(window.buffer.len(), 2 * CHUNK);
    }
}
