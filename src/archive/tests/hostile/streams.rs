//! Gzip and zstd that are cut, damaged, or more than they seem.

use std::io::Write;

use super::{A, B, Case, Expected, MIB, case, fault, raw_zip::*, reads};
use crate::archive::{error::Fault, limits::Limit, tests::exports::gzip};

fn edited(mut bytes: Vec<u8>, from_end: usize) -> Vec<u8> {
    let at = bytes.len() - from_end;
    bytes[at] ^= 0x55;
    bytes
}

fn cut(bytes: &[u8], from_end: usize) -> Vec<u8> {
    bytes[..bytes.len() - from_end].to_vec()
}

pub(super) fn frame(text: &[u8]) -> Vec<u8> {
    let mut zstd = zstd::Encoder::new(Vec::new(), 3).unwrap();
    zstd.include_checksum(true).unwrap();
    zstd.write_all(text).unwrap();
    zstd.finish().unwrap()
}

/// A frame that claims `length` bytes to be skipped, and has those of `content`.
fn skippable(length: u32, content: &[u8]) -> Vec<u8> {
    [b"\x50\x2a\x4d\x18", &length.to_le_bytes()[..], content].concat()
}

/// A frame whose header asks for a window of 2 GiB.
fn long_window() -> Vec<u8> {
    vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 0x01, 0x00, 0x00]
}

/// A gzip header with a name that does not end.
fn endless_name() -> Vec<u8> {
    [b"\x1f\x8b\x08\x08\0\0\0\0\0\xff", &vec![b'n'; 200_000][..]].concat()
}

fn zeros() -> Vec<u8> {
    [&b"[1,"[..], &b"\n".repeat(5_000_000), b"2]"].concat()
}

pub(super) fn cases() -> Vec<Case> {
    let a = A.as_bytes();
    let line = format!("{A}\n");
    let (gz, zst) = (gzip(a), frame(a));
    let members = [gzip(line.as_bytes()), gzip(b""), gzip(B.as_bytes())].concat();
    let frames = [
        skippable(3, b"xyz"),
        frame(line.as_bytes()),
        skippable(0, b""),
        frame(B.as_bytes()),
        skippable(1, b"x"),
    ]
    .concat();
    vec![
        case("gzip of several members", members, reads(&[A, B])),
        case("gzip with zeros behind it", [gz.clone(), vec![0; 1000]].concat(), reads(&[A])),
        case(
            "gzip with garbage behind it",
            [gz.clone(), b"rest".to_vec()].concat(),
            fault(Fault::Damaged),
        ),
        case(
            "gzip with zeros and a member behind it",
            [gz.clone(), vec![0; 9], gz.clone()].concat(),
            fault(Fault::Damaged),
        ),
        case("gzip with a wrong checksum", edited(gz.clone(), 8), fault(Fault::Damaged)),
        case("gzip with a wrong size", edited(gz.clone(), 4), fault(Fault::Damaged)),
        case("gzip cut in its trailer", cut(&gz, 1), fault(Fault::Truncated)),
        case("gzip cut in its text", cut(&gz, 12), fault(Fault::Truncated)),
        case("gzip cut in its header", &gz[..7], fault(Fault::Truncated)),
        case(
            "gzip cut between a member and its half successor",
            [gz.clone(), gz[..5].to_vec()].concat(),
            fault(Fault::Truncated),
        ),
        case("gzip with an endless name", endless_name(), fault(Fault::Damaged)),
        case(
            "gzip by an unknown method",
            b"\x1f\x8b\x07\0\0\0\0\0\0\0\0\0\0\0",
            fault(Fault::Damaged),
        ),
        case("gzip of nothing", gzip(b""), reads(&[])),
        case("gzip of zeros", gzip(&zeros()), Expected::Limit(Limit::Ratio(200))),
        case("gzip in gzip", gzip(&gz), Expected::Limit(Limit::Nesting)),
        case("zip in gzip", gzip(&RawZip::of([]).bytes()), Expected::Limit(Limit::Nesting)),
        case("zstd in gzip", gzip(&zst), Expected::Limit(Limit::Nesting)),
        case("zstd of several frames, some to be skipped", frames, reads(&[A, B])),
        case("zstd with a wrong checksum", edited(zst.clone(), 2), fault(Fault::Damaged)),
        case("zstd cut in its checksum", cut(&zst, 2), fault(Fault::Truncated)),
        case("zstd cut in its text", cut(&zst, 20), fault(Fault::Truncated)),
        case(
            "zstd with garbage behind it",
            [zst.clone(), b"rest".to_vec()].concat(),
            fault(Fault::Damaged),
        ),
        case("zstd with a window of 2 GiB", long_window(), Expected::Limit(Limit::Window(8 * MIB))),
        case("zstd of frames to be skipped", skippable(2, b"xx"), reads(&[])),
        case("zstd that skips beyond its end", skippable(u32::MAX, b"xx"), fault(Fault::Truncated)),
        case("zstd of zeros", frame(&zeros()), Expected::Limit(Limit::Ratio(200))),
        case("zstd in zstd", frame(&zst), Expected::Limit(Limit::Nesting)),
        case("bzip2", b"BZh91AY&SY", fault(Fault::Unsupported)),
        case("xz", b"\xfd7zXZ\x00\x00\x04", fault(Fault::Unsupported)),
        case("7z", b"7z\xbc\xaf\x27\x1c\x00\x04", fault(Fault::Unsupported)),
        case("rar", b"Rar!\x1a\x07\x01\x00", fault(Fault::Unsupported)),
    ]
}
