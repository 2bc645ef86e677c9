//! Halves of surrogate pairs.
//!
//! An SDK that cuts a text at 255 UTF-16 units may cut an emoji in two, and JavaScript writes what is left as an escape
//! such as `\ud83d`. That is no text to a strict reader of JSON, and one such record would make its whole entry
//! unreadable. A half becomes U+FFFD; all else stays as it is.

/// `json` with each lone half of a surrogate pair replaced, same length.
pub(super) fn replaced(json: String) -> String {
    let halves = lone_halves(json.as_bytes());
    if halves.is_empty() {
        return json;
    }
    let mut text = json;
    for at in halves {
        text.replace_range(at..at + 6, "\\ufffd");
    }
    text
}

/// Where the escapes of lone halves begin.
fn lone_halves(json: &[u8]) -> Vec<usize> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(next) = memchr::memchr(b'\\', &json[at..]) {
        let here = at + next;
        at = match escape(json, here) {
            Some(0xD800..=0xDBFF) if matches!(escape(json, here + 6), Some(0xDC00..=0xDFFF)) => {
                here + 12
            }
            Some(0xD800..=0xDFFF) => {
                found.push(here);
                here + 6
            }
            Some(_) => here + 6,
            // The byte after a backslash is part of its escape, be it another backslash.
            None => (here + 2).min(json.len()),
        };
    }
    found
}

/// The code unit of an escape `\uXXXX` at `at`.
fn escape(json: &[u8], at: usize) -> Option<u16> {
    let digits = json.get(at..at + 6)?.strip_prefix(b"\\u")?;
    let digits = digits.iter().all(u8::is_ascii_hexdigit).then_some(digits)?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_halves_without_their_other_half_are_replaced() {
        for (json, expected) in [
            (r#""cut \ud83d""#, r#""cut \ufffd""#),
            (r#""\uDE00 cut""#, r#""\ufffd cut""#),
            (r#""\ud83d\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
            (r#""whole \ud83d\ude00""#, r#""whole \ud83d\ude00""#),
            (r#""a path \\ud83d""#, r#""a path \\ud83d""#),
            (r#""\\\ud83d""#, r#""\\\ufffd""#),
            (r#""\u00e9 é""#, r#""\u00e9 é""#),
            (r#""broken \ud8""#, r#""broken \ud8""#),
            ("\"ends in \\", "\"ends in \\"),
        ] {
            assert_eq!(replaced(json.to_owned()), expected);
        }
    }

    proptest! {
        /// Whatever units a browser writes: a strict reader can read the text afterwards.
        #[test]
        fn any_sequence_of_units_becomes_readable(units in proptest::collection::vec(0xD700_u16..0xE100, 0..12)) {
            let escapes: Vec<String> = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            let escapes = escapes.concat();
            let text = replaced(format!("\"{escapes}\""));
            prop_assert_eq!(serde_json::from_str::<String>(&text).unwrap(), String::from_utf16_lossy(&units));
        }
    }
}
