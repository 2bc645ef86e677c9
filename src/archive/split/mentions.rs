//! Ids in a record that cannot be read: broken JSON, or an id that is none.
//!
//! Such a record is given to nobody, so it is enough to know whose it may be. Every piece of text in it that may be
//! an id counts, wherever it stands; one too many costs a retrieval, one too few a record.

use std::borrow::Cow;

/// What stands around ids outside of quotes, and between the cells of a row.
const AROUND: &[char] = &['{', '}', '[', ']', ':', ',', ';', '"', '\t', '\r', '\n'];

/// Hands everything in `record` that may be an id to `named`. A text that is no record at all has none.
pub(in crate::archive) fn each(record: &[u8], named: &mut dyn FnMut(&str)) {
    if !matches!(record.first(), Some(b'{' | b'[')) {
        return;
    }
    // Also what is outside of quotes counts: one quote too many turns inside out whatever follows.
    for text in between_quotes(record) {
        let text = unescaped(text);
        named(&text);
        if text.contains(AROUND) {
            text.split(AROUND).map(str::trim).for_each(&mut *named);
        }
    }
}

/// What stands between two quotes, of those that are not escaped.
fn between_quotes(record: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut escaped = false;
    record.split(move |&byte| {
        let quote = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        quote
    })
}

/// `text` as a JSON string; as it stands if it is none.
fn unescaped(text: &[u8]) -> Cow<'_, str> {
    if text.contains(&b'\\') {
        let quoted = [b"\"", text, b"\""].concat();
        if let Ok(text) = serde_json::from_slice(&quoted) {
            return Cow::Owned(text);
        }
    }
    String::from_utf8_lossy(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mentions(record: &[u8], id: &str) -> bool {
        let mut found = false;
        each(record, &mut |text| found |= text == id);
        found
    }

    #[test]
    fn an_id_is_found_wherever_the_record_breaks() {
        for record in [
            &b"{\"event\":\"\xff\",\"properties\":{\"distinct_id\":\"u 1\"}}"[..],
            br#"{"x":01,"properties":{"distinct_id":"u 1"}}"#,
            br#"{"event":"a"b","distinct_id":"u 1"}"#,
            br#"{"event":"a","distinct_id":"\u0075 1"#,
            br#"{"distinct_id":["u 1"]}"#,
            br#"["u 1,Name,"]"#,
        ] {
            assert!(mentions(record, "u 1"), "{}", String::from_utf8_lossy(record));
            assert!(!mentions(record, "u"), "{}", String::from_utf8_lossy(record));
        }
        assert!(mentions(br#"{"distinct_id":12345678901234567890123}"#, "12345678901234567890123"));
    }

    #[test]
    fn a_text_that_is_no_record_mentions_nobody() {
        assert!(!mentions(b"# ids: \"u1\" u1", "u1"));
    }
}
