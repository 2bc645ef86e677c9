//! The members of a JSON object as they stand in its text, so that numbers keep their digits.

use std::borrow::Cow;

use crate::archive::open::json_text::Nesting;

/// A key and its value, both as JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Member<'a> {
    pub(super) key: &'a str,
    pub(super) value: &'a str,
}

/// The members of `object` in their order; `None` if it is no object. It is taken for valid JSON: in other
/// texts the members mean nothing.
pub(super) fn members(object: &str) -> Option<Vec<Member<'_>>> {
    let mut rest = object.trim_ascii().strip_prefix('{')?.strip_suffix('}')?.trim_ascii();
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (key, after) = split_outside(rest, b':')?;
        let (value, next) = split_outside(after, b',').unwrap_or((after, ""));
        found.push(Member { key: key.trim_ascii(), value: value.trim_ascii() });
        rest = next.trim_ascii();
    }
    Some(found)
}

/// Cuts at the first `mark` that is in no string, object or array.
fn split_outside(text: &str, mark: u8) -> Option<(&str, &str)> {
    let mut nesting = Nesting::default();
    let at = text.bytes().position(|byte| {
        let found = byte == mark && !nesting.is_inside();
        nesting.step(byte);
        found
    })?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// The text of a JSON string. One that names half a character cannot be decoded and stays as it stands.
pub(super) fn string(json: &str) -> Option<Cow<'_, str>> {
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    if !inner.contains('\\') {
        return Some(Cow::Borrowed(inner));
    }
    Some(serde_json::from_str(json).map_or(Cow::Borrowed(inner), Cow::Owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(object: &str) -> Option<Vec<(&str, &str)>> {
        members(object).map(|all| all.iter().map(|m| (m.key, m.value)).collect())
    }

    #[test]
    fn members_keep_their_text_whatever_stands_in_it() {
        let object = r#" { "a,:\"}" : [1, {"b":2}] ,"c":"x,:{\\" , "d" : -1.10e+2,"a":null } "#;
        let expected = vec![
            (r#""a,:\"}""#, r#"[1, {"b":2}]"#),
            (r#""c""#, r#""x,:{\\""#),
            (r#""d""#, "-1.10e+2"),
            (r#""a""#, "null"),
        ];
        assert_eq!(pairs(object), Some(expected));
        assert_eq!(pairs("{}"), Some(vec![]));
    }

    #[test]
    fn other_values_have_no_members() {
        for text in ["", "[1]", "3", "\"{}\"", "{\"a\"}", "{"] {
            assert_eq!(pairs(text), None, "{text}");
        }
    }

    #[test]
    fn escapes_are_decoded_and_half_characters_stay() {
        assert_eq!(string(r#""\u00e9\n""#).as_deref(), Some("é\n"));
        assert_eq!(string(r#""\ud800""#).as_deref(), Some(r"\ud800"));
        assert_eq!(string("12"), None);
    }
}
