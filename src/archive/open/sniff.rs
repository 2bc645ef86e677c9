//! What bytes are, from how they begin. Names and content types are never asked.

use std::io::{self, Read};

use crate::archive::{error::Fault, open::json_text::Nesting, open::records::csv::Dialect};

/// How a text is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::archive) enum Packing {
    Zip,
    Gzip,
    Zstd,
    /// A packing that is known, so that it is not taken for a text, and not opened.
    Foreign,
    /// Anything else.
    Plain,
}

/// Bytes that tell the packing.
pub(in crate::archive) const PACKING_BYTES: usize = 6;

/// Beginnings of bzip2, xz, 7z, RAR and LZ4.
const FOREIGN: [&[u8]; 5] =
    [b"BZh", b"\xfd7zXZ\x00", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"\x04\x22\x4d\x18"];

/// The packing of what begins with `head`.
pub(in crate::archive) fn packing(head: &[u8]) -> Packing {
    match head {
        // An entry, the end of a zip without entries, the mark of one in several parts.
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] | [b'P', b'K', 7, 8, ..] => Packing::Zip,
        [0x1f, 0x8b, ..] => Packing::Gzip,
        // A frame, and a frame to be skipped.
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Packing::Zstd,
        _ if FOREIGN.iter().any(|magic| head.starts_with(magic)) => Packing::Foreign,
        _ => Packing::Plain,
    }
}

/// How records stand in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::archive) enum Layout {
    /// No records.
    Empty,
    /// One record a line.
    Lines,
    /// The elements of an array, or of several one after the other.
    Array,
    /// Objects one after the other, each over several lines.
    Objects,
    /// Rows under a header.
    Csv(Dialect),
    /// None of these.
    Unknown,
}

/// Bytes that tell the layout.
pub(in crate::archive) const LAYOUT_BYTES: usize = 64 * 1024;

/// The layout of a text that begins with `head` (without a byte order mark and white space). `head`
/// holds [`LAYOUT_BYTES`] bytes, or the whole text if that is shorter.
pub(in crate::archive) fn layout(head: &[u8]) -> Result<Layout, Fault> {
    if is_wide(head) {
        return Err(Fault::NotUtf8);
    }
    Ok(match head.first() {
        None => Layout::Empty,
        Some(b'[') => Layout::Array,
        Some(b'{') if goes_on_after_its_line(head) => Layout::Objects,
        Some(b'{') => Layout::Lines,
        _ => Dialect::of(head).map_or(Layout::Unknown, Layout::Csv),
    })
}

/// Whether characters take two bytes or more: a byte order mark, or `{` and `[` with a zero.
fn is_wide(head: &[u8]) -> bool {
    matches!(head, [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, 0, 0xfe, 0xff, ..])
        || matches!(head, [b'{' | b'[', 0, ..] | [0, b'{' | b'[', ..])
}

/// Whether `head` looks like text from its first bytes on, which the output of a cipher under the
/// wrong key does not.
pub(in crate::archive) fn is_readable(head: &[u8]) -> bool {
    head.iter().take(64).all(|byte| byte.is_ascii_whitespace() || *byte >= b' ')
}

/// Whether the first line stops inside an object at a place where a pretty-printer breaks lines.
/// A record that was merely cut off does not look like that, so its successors are not lost.
fn goes_on_after_its_line(text: &[u8]) -> bool {
    let Some(end) = memchr::memchr(b'\n', text) else { return false };
    let line = text.get(..end).unwrap_or_default().trim_ascii_end();
    let mut nesting = Nesting::default();
    for &byte in line {
        nesting.step(byte);
    }
    nesting.is_inside() && !nesting.in_string() && matches!(line.last(), Some(b'{' | b'[' | b','))
}

/// The UTF-8 byte order mark.
pub(in crate::archive) const MARK: &[u8] = b"\xef\xbb\xbf";

/// The next [`PACKING_BYTES`] of `reader`, fewer only at its end.
pub(in crate::archive) fn peek(reader: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(PACKING_BYTES);
    reader.take(PACKING_BYTES as u64).read_to_end(&mut head)?;
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packings_are_told_by_their_first_bytes() {
        for (head, expected) in [
            (&b"PK\x03\x04rest"[..], Packing::Zip),
            (b"PK\x05\x06", Packing::Zip),
            (b"PK\x07\x08PK", Packing::Zip),
            (b"\x1f\x8b\x08\x00", Packing::Gzip),
            (b"\x28\xb5\x2f\xfd", Packing::Zstd),
            (b"\x5a\x2a\x4d\x18", Packing::Zstd),
            (b"BZh9", Packing::Foreign),
            (b"\xfd7zXZ\x00", Packing::Foreign),
            (b"{\"a\"", Packing::Plain),
            (b"PK", Packing::Plain),
            (b"", Packing::Plain),
        ] {
            assert_eq!(packing(head), expected, "{head:?}");
        }
    }

    #[test]
    fn layouts_are_told_by_the_first_line() {
        for (text, expected) in [
            ("", Layout::Empty),
            ("[]", Layout::Array),
            ("[\n{}]", Layout::Array),
            ("{}\n{}", Layout::Lines),
            ("{\"event\":\"a\"}", Layout::Lines),
            ("{\n  \"event\": 1\n}", Layout::Objects),
            ("{ \"event\": 1,\r\n  \"a\": 2 }", Layout::Objects),
            ("{\"event\":\"cut off, \n{\"event\":\"b\"}\n", Layout::Lines),
            ("{\"event\":1\n{\"event\":2}\n", Layout::Lines),
            ("<html>", Layout::Unknown),
            ("42", Layout::Unknown),
        ] {
            assert_eq!(layout(text.as_bytes()), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn wide_characters_are_told_with_and_without_a_mark() {
        for text in [&b"\xff\xfe{\0"[..], b"\xfe\xff\0{", b"{\0\"\0", b"\0[\0{", b"\xff\xfe\0\0{"] {
            assert_eq!(layout(text), Err(Fault::NotUtf8), "{text:?}");
        }
    }

    #[test]
    fn what_a_wrong_key_makes_is_not_readable() {
        assert!(is_readable("{\"name\":\"\u{e9}\"}\r\n".as_bytes()));
        assert!(!is_readable(b"{\x91\x02k\x7f\x00"));
    }
}
