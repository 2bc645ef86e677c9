//! Cells: JSON values as text that no spreadsheet program takes for a formula.

use std::borrow::Cow;

use crate::archive::bundle::csv::members;

/// How a JSON value is shown: strings as they are, numbers and everything nested as they stand, `null` as
/// nothing.
pub(super) fn shown(json: &str) -> Cow<'_, str> {
    match json.as_bytes().first() {
        Some(b'"') => guarded(members::string(json).unwrap_or(Cow::Borrowed(json))),
        Some(b'0'..=b'9' | b'-' | b'{' | b'[' | b't' | b'f') => Cow::Borrowed(json),
        Some(b'n') | None => Cow::Borrowed(""),
        Some(_) => guarded(Cow::Borrowed(json)),
    }
}

/// `text` with an apostrophe before it if a spreadsheet program might take it for a formula (OWASP ASVS
/// 5.0, 1.2.10). Programs skip spaces and quotes before a formula, so they are skipped here, too.
pub(super) fn guarded(text: Cow<'_, str>) -> Cow<'_, str> {
    if starts_a_formula(&text) { Cow::Owned(format!("'{text}")) } else { text }
}

fn starts_a_formula(text: &str) -> bool {
    for char in text.chars() {
        match char {
            // The last nine are the four signs in full width and small, and the minus sign.
            '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '\0' | '\u{ff1d}' | '\u{ff0b}'
            | '\u{ff0d}' | '\u{ff20}' | '\u{fe66}' | '\u{fe62}' | '\u{fe63}' | '\u{fe6b}'
            | '\u{2212}' => return true,
            '"' | '\'' | '`' | '\u{feff}' | '\u{200b}' | '\u{2018}'..='\u{201f}' => {}
            _ if char.is_whitespace() || char.is_control() => {}
            _ => return false,
        }
    }
    false
}

/// Adds a row of RFC 4180 to `out`.
pub(super) fn push_row<'a>(out: &mut Vec<u8>, cells: impl Iterator<Item = Cow<'a, str>>) {
    for (number, cell) in cells.enumerate() {
        if number > 0 {
            out.push(b',');
        }
        push_cell(out, &cell);
    }
    out.extend_from_slice(b"\r\n");
}

fn push_cell(out: &mut Vec<u8>, cell: &str) {
    if !cell.bytes().any(needs_quotes) {
        out.extend_from_slice(cell.as_bytes());
        return;
    }
    out.push(b'"');
    for byte in cell.bytes() {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}

/// Semicolons and tabs separate cells for some programs: inside of quotes they do not, so that no formula
/// can hide behind one.
fn needs_quotes(byte: u8) -> bool {
    matches!(byte, b',' | b'"' | b'\r' | b'\n' | b';' | b'\t' | b'|')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_might_be_a_formula_gets_an_apostrophe() {
        for text in [
            "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\rx", " =1", "\"=1", " ' =1", "\u{a0}=1",
            "＝1",
        ] {
            assert_eq!(guarded(Cow::Borrowed(text)), format!("'{text}"), "{text:?}");
        }
        for text in ["", " ", "a=1", "1-1", "'a", "{\"=\":1}", "é"] {
            assert_eq!(guarded(Cow::Borrowed(text)), text);
        }
    }

    #[test]
    fn a_number_stays_a_number_and_a_text_of_digits_does_not_become_a_formula() {
        for (json, expected) in [
            ("-5", "-5"),
            ("\"-5\"", "'-5"),
            ("1.10", "1.10"),
            ("12345678901234567890123", "12345678901234567890123"),
            ("true", "true"),
            ("null", ""),
            ("[1,\"=2\"]", "[1,\"=2\"]"),
            ("\"\\u003d1\"", "'=1"),
        ] {
            assert_eq!(shown(json), expected);
        }
    }
}
