//! The lines of a file of any size, in bounded memory.

use std::io::{BufRead, BufReader, Read, Result};

/// Longest line, in bytes: the largest record, with blanks and escapes.
const MAX_LINE: usize = 4 * 1024 * 1024;

/// A line that cannot be used. The ones after it can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum LineError {
    /// Over the limit.
    #[error("longer than {MAX_LINE} bytes: expected one record a line")]
    TooLong,
    /// Bytes that are no text.
    #[error("not UTF-8: expected the file in that encoding")]
    NotUtf8,
}

/// One line: its number, from 1, and its text without white space around.
pub(super) type Line<'a> = (u64, std::result::Result<&'a str, LineError>);

/// Reads lines one by one.
pub(super) struct Lines<R> {
    reader: BufReader<R>,
    line: Vec<u8>,
    number: u64,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader: BufReader::new(reader), line: Vec::new(), number: 0 }
    }

    /// The next line that is not blank, if there is one. Blank lines count, so that a number is the one that
    /// an editor shows.
    pub(super) fn next(&mut self) -> Result<Option<Line<'_>>> {
        loop {
            self.line.clear();
            let limit = u64::try_from(MAX_LINE + 1).unwrap_or(u64::MAX);
            if (&mut self.reader).take(limit).read_until(b'\n', &mut self.line)? == 0 {
                return Ok(None);
            }
            self.number += 1;
            if self.line.len() > MAX_LINE && !self.line.ends_with(b"\n") {
                self.reader.skip_until(b'\n')?;
                return Ok(Some((self.number, Err(LineError::TooLong))));
            }
            if !self.line.trim_ascii().is_empty() {
                break;
            }
        }
        let Ok(text) = str::from_utf8(&self.line) else {
            return Ok(Some((self.number, Err(LineError::NotUtf8))));
        };
        let marked = if self.number == 1 { text.strip_prefix('\u{feff}') } else { None };
        Ok(Some((self.number, Ok(marked.unwrap_or(text).trim()))))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    type Read = (u64, std::result::Result<String, LineError>);

    fn all(text: &[u8]) -> Vec<Read> {
        let mut lines = Lines::new(text);
        std::iter::from_fn(|| {
            lines.next().unwrap().map(|(number, text)| (number, text.map(str::to_owned)))
        })
        .collect()
    }

    fn good(number: u64, text: &str) -> Read {
        (number, Ok(text.to_owned()))
    }

    #[test]
    fn lines_have_the_numbers_that_an_editor_shows() {
        let text = "\u{feff}{}\r\n\n  \n {\"a\":1} \n[]";
        assert_eq!(all(text.as_bytes()), [good(1, "{}"), good(4, "{\"a\":1}"), good(5, "[]")]);
        assert_eq!(all(b""), []);
        assert_eq!(all(b"\n\n"), []);
    }

    #[test]
    fn a_line_that_cannot_be_used_keeps_no_other_back() {
        let long = "x".repeat(3 * MAX_LINE);
        let text = [b"\xff\n", long.as_bytes(), b"\n{}\n", long.as_bytes()].concat();
        let expected = [
            (1, Err(LineError::NotUtf8)),
            (2, Err(LineError::TooLong)),
            good(3, "{}"),
            (4, Err(LineError::TooLong)),
        ];
        assert_eq!(all(&text), expected);
    }

    #[test]
    fn the_limit_is_exact_and_the_buffer_bounded() {
        let most = "x".repeat(MAX_LINE);
        for text in [most.clone(), format!("{most}\n")] {
            assert_eq!(all(text.as_bytes()), [good(1, &most)]);
        }
        for text in [format!("{most}x"), format!("{most}x\n")] {
            assert_eq!(all(text.as_bytes()), [(1, Err(LineError::TooLong))]);
        }
        let endless = std::io::Read::take(std::io::repeat(b'x'), 50_000_000);
        let mut lines = Lines::new(endless);
        while lines.next().unwrap().is_some() {}
        assert!(lines.line.capacity() <= 2 * MAX_LINE);
    }
}
