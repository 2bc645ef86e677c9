//! What bytes are, from how they begin. Names and content types are never asked.

use std::io::{self, Read};

use super::{error::Fault, json_text::Nesting};

/// How a text is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    Zip,
    Gzip,
    /// Anything else.
    Plain,
}

/// Bytes that tell the packing.
pub(super) const PACKING_BYTES: usize = 4;

/// The packing of what begins with `head`.
pub(super) fn packing(head: &[u8]) -> Packing {
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        Packing::Zip
    } else if head.starts_with(b"\x1f\x8b") {
        Packing::Gzip
    } else {
        Packing::Plain
    }
}

/// How records stand in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// No records.
    Empty,
    /// One record a line.
    Lines,
    /// The elements of an array, or of several one after the other.
    Array,
    /// Objects one after the other, each over several lines.
    Objects,
}

/// Bytes that tell the layout.
pub(super) const LAYOUT_BYTES: usize = 64 * 1024;

/// The layout of a text that begins with `head` (without a byte order mark). `head` holds
/// [`LAYOUT_BYTES`] bytes, or the whole text if that is shorter.
pub(super) fn layout(head: &[u8]) -> Result<Layout, Fault> {
    let text = head.trim_ascii_start();
    match text.first() {
        None if head.len() < LAYOUT_BYTES => Ok(Layout::Empty),
        Some(b'[') => Ok(Layout::Array),
        Some(b'{') if goes_on_after_its_line(text) => Ok(Layout::Objects),
        Some(b'{') => Ok(Layout::Lines),
        _ => Err(Fault::UnknownFormat),
    }
}

/// Whether the first line stops inside an object at a place where a pretty-printer breaks lines.
/// A record that was merely cut off does not look like that, so its successors are not lost.
fn goes_on_after_its_line(text: &[u8]) -> bool {
    let Some(end) = text.iter().position(|&b| b == b'\n') else { return false };
    let line = text.get(..end).unwrap_or_default().trim_ascii_end();
    let mut nesting = Nesting::default();
    for &byte in line {
        nesting.step(byte);
    }
    nesting.is_inside() && !nesting.in_string() && matches!(line.last(), Some(b'{' | b'[' | b','))
}

/// Removes a UTF-8 byte order mark.
pub(super) fn without_mark(head: &[u8]) -> &[u8] {
    head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head)
}

/// The next `n` bytes of `reader`, fewer only at its end.
pub(super) fn peek(reader: &mut dyn Read, n: usize) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(n);
    reader.take(n as u64).read_to_end(&mut head)?;
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packings_are_told_by_their_first_bytes() {
        assert_eq!(packing(b"PK\x03\x04rest"), Packing::Zip);
        assert_eq!(packing(b"PK\x05\x06"), Packing::Zip);
        assert_eq!(packing(b"\x1f\x8b\x08\x00"), Packing::Gzip);
        assert_eq!(packing(b"{\"a\""), Packing::Plain);
        assert_eq!(packing(b""), Packing::Plain);
    }

    #[test]
    fn layouts_are_told_by_the_first_line() {
        for (text, expected) in [
            ("", Layout::Empty),
            (" \r\n\t", Layout::Empty),
            ("[]", Layout::Array),
            ("\n [\n{}]", Layout::Array),
            ("{}\n{}", Layout::Lines),
            ("{\"event\":\"a\"}", Layout::Lines),
            ("{\n  \"event\": 1\n}", Layout::Objects),
            ("{ \"event\": 1,\r\n  \"a\": 2 }", Layout::Objects),
            ("{\"event\":\"cut off, \n{\"event\":\"b\"}\n", Layout::Lines),
            ("{\"event\":1\n{\"event\":2}\n", Layout::Lines),
        ] {
            assert_eq!(layout(text.as_bytes()), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn other_texts_are_an_unknown_format() {
        for text in ["event,distinct_id\n", "\u{feff}{}", "<html>", "42"] {
            assert_eq!(layout(text.as_bytes()), Err(Fault::UnknownFormat));
        }
    }
}
