//! Texts that are hardly JSON.

use super::{A, B, Case, Expected, MIB, Records, case, fault, reads};
use crate::archive::{error::Fault, limits::Limit};

const DEPTH: usize = 200_000;

fn wide(text: &str, mark: bool) -> Vec<u8> {
    let mark: &[u8] = if mark { b"\xff\xfe" } else { b"" };
    [mark, &text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()].concat()
}

pub(super) fn cases() -> Vec<Case> {
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(DEPTH), "]".repeat(DEPTH));
    let raw: &[&[u8]] =
        &[b"{\"a\":\"\xff\xfe\"}", b"{\"a\":\"\0\"}", br#"{"a":"\ud800"}"#, b"{\"a\":1e999}"];
    let lines = raw.join(&b'\n');
    vec![
        case("nothing", b"", reads(&[])),
        case("a byte order mark and nothing", "\u{feff}", reads(&[])),
        case("white space only", b" \r\n\t\n".repeat(50_000), reads(&[])),
        case("white space and then data", [b" \n".repeat(50_000), A.into()].concat(), reads(&[A])),
        case(
            "invalid UTF-8, a NUL, half a surrogate pair, a number out of range",
            lines,
            Records(raw.iter().map(|r| r.to_vec()).collect()),
        ),
        case("brackets 200,000 deep", deep.clone(), reads(&[&deep])),
        case("brackets 200,000 deep that do not close", "[".repeat(DEPTH), fault(Fault::Truncated)),
        case(
            "brackets that close and did not open",
            format!("{A}\n}}]}}\n{B}"),
            reads(&[A, "}]}", B]),
        ),
        case(
            "a line that is too long",
            format!("{{\"a\":\"{}\"}}\n", "x".repeat(2 << 20)),
            Expected::Limit(Limit::Record(MIB)),
        ),
        case(
            "an element that is too long",
            format!("[{{\"a\":\"{}\"}}]", "x".repeat(2 << 20)),
            Expected::Limit(Limit::Record(MIB)),
        ),
        case(
            "a number that is too long",
            format!("[{}", "1".repeat(2 << 20)),
            Expected::Limit(Limit::Record(MIB)),
        ),
        case(
            "a cell that does not close",
            format!("a,distinct_id\n\"{}", "x\n".repeat(1 << 20)),
            Expected::Limit(Limit::Record(MIB)),
        ),
        case(
            "a string that does not close",
            format!("{{\"a\":\"x\\\"}}\n{A}"),
            reads(&["{\"a\":\"x\\\"}", A]),
        ),
        case(
            "a last line that does not close",
            format!("{A}\n{{\"a\":\"x"),
            fault(Fault::Truncated),
        ),
        case("an array that does not close", format!("[{A},{B}"), fault(Fault::Truncated)),
        case("an array with a comma at its end", format!("[{A},{B},]"), fault(Fault::Malformed)),
        case("an array without a comma", format!("[{A} {B}]"), reads(&[&format!("{A} {B}")])),
        case("an array and something else", format!("[{A}]{B}"), fault(Fault::Malformed)),
        case("two objects on one line", format!("{A}{B}\n"), reads(&[&format!("{A}{B}")])),
        case("UTF-16 with a mark", wide(A, true), fault(Fault::NotUtf8)),
        case("UTF-16 without a mark", wide(A, false), fault(Fault::NotUtf8)),
        case("UTF-32", b"\x00\x00\xfe\xff\x00\x00\x00{", fault(Fault::NotUtf8)),
        case("a web page", "<!DOCTYPE html><title>u1</title>", fault(Fault::UnknownFormat)),
        case("a CSV without an id column", "event,country\nA,NZ\n", fault(Fault::UnknownFormat)),
        case(
            "a CSV whose long name is repeated in every record",
            format!("distinct_id,{}\n{}", "n".repeat(60_000), "u1,x\n".repeat(200)),
            Expected::Limit(Limit::Unpacked(8 * MIB)),
        ),
        case(
            "a CSV row that is a longer record",
            format!("distinct_id,name\nu1,{}\n", "\u{1}".repeat(300_000)),
            Expected::Limit(Limit::Record(MIB)),
        ),
        case("random bytes", (1..=250).rev().collect::<Vec<u8>>(), fault(Fault::UnknownFormat)),
        case(
            "a CSV with rows that do not fit",
            "event,distinct_id\nA,u1\nA\nA,u1,x\n\"A\"x,u1\n",
            reads(&[A, r#"["A"]"#, r#"["A,u1,x"]"#, r#"["\"A\"x,u1"]"#]),
        ),
    ]
}
