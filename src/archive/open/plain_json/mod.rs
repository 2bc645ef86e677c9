//! A fast reader of plain JSON, the form that programs write: one object without white space between its tokens.
//!
//! It only ever says yes for certain. A record in any other form, or with something that needs a closer look, is
//! left to serde_json, so a gap in this reader costs time and never a record. What it accepts is valid JSON; the
//! tests compare it with serde_json.
//!
//! * `marks`: where quotes, backslashes and control characters are, found 64 bytes at a time.
//! * `walk`: from token to token. A string ends at the next mark, so its bytes are not looked at.

mod marks;
mod walk;

pub(in crate::archive) use walk::Ask;

use self::{marks::Marks, walk::Walk};

/// What is done with the members of an object.
pub(in crate::archive) trait Look<'t> {
    /// A key, as it is written: of the object itself at a `depth` of 1, of an object that is one of its values at 2.
    fn key(&mut self, depth: u32, key: &'t str) -> Ask;

    /// The value of the last key, which was asked for: a text, without quotes.
    fn text(&mut self, text: &'t str);
}

/// Looks at nothing.
impl Look<'_> for () {
    fn key(&mut self, _: u32, _: &str) -> Ask {
        Ask::Nothing
    }

    fn text(&mut self, _: &str) {}
}

/// Reads one text after the other.
#[derive(Default)]
pub(in crate::archive) struct Reader {
    marks: Marks,
}

impl Reader {
    /// Whether `text` is one object in plain JSON, from its first byte to its last, and `look` met all of it that
    /// it is to meet. If not, it may be JSON all the same.
    pub(in crate::archive) fn read<'t>(&mut self, text: &'t str, look: &mut impl Look<'t>) -> bool {
        self.marks
            .find(text.as_bytes())
            .and_then(|marks| Walk::new(text, marks).object(look))
            .is_some()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::de::IgnoredAny;

    use super::*;

    fn is_plain(text: &str) -> bool {
        Reader::default().read(text, &mut ())
    }

    #[test]
    fn what_programs_write_is_plain() {
        let long = "x".repeat(300);
        for text in [
            "{}",
            r#"{"a":1}"#,
            r#"{"a":"","b":[],"c":{},"d":[[1,-2.50,0],{"e":null}],"f":true,"g":false}"#,
            r#"{"a":"\"\\\/\b\f\n\r\t\u00e9\\","b":"\\\\\"","c":"é"}"#,
            &format!(r#"{{"{long}":"{long}","b":"{long}\"{long}"}}"#),
        ] {
            assert!(is_plain(text), "{text}");
        }
    }

    #[test]
    fn anything_else_is_left_to_others() {
        for text in [
            "",
            "{",
            "[]",
            "1",
            "\"a\"",
            "{}x",
            "{} ",
            " {}",
            "{}{}",
            "{\"a\":1",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{,}",
            "{\"a\":01}",
            "{\"a\":-}",
            "{\"a\":1.}",
            "{\"a\":.5}",
            "{\"a\":1e3}",
            "{\"a\":tru}",
            "{\"a\":nul",
            "{\"a\":[1,]}",
            "{\"a\":[1}",
            "{\"a\":{\"b\":1]}",
            "{\"a\" :1}",
            "{\"a\": 1}",
            "{\"a\":\"\u{1}\"}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\u12g4\"}",
            "{\"a\":\"\\\"}",
            "{\"\\u0061\":1}",
            "{1:1}",
            "{\"a\":\"",
            "{\"",
        ] {
            assert!(!is_plain(text), "{text}");
        }
        assert!(!is_plain(&format!(r#"{{"a":{}{}}}"#, "[".repeat(100), "]".repeat(100))));
    }

    /// JSON, and what looks like it.
    fn texts() -> impl Strategy<Value = String> {
        let token = prop_oneof![
            6 => Just("{\"a\":"), 4 => Just(",\"b\":"), 4 => Just("}"), 2 => Just("["), 2 => Just("]"),
            4 => Just("1"), 1 => Just("-"), 1 => Just("0"), 1 => Just("."), 1 => Just("e"), 2 => Just("null"),
            2 => Just("true"), 2 => Just("false"), 6 => Just("\"x\""), 2 => Just("\""), 2 => Just("\\"),
            1 => Just("\\u12aF"), 1 => Just("é"), 1 => Just("\n"), 1 => Just(" "), 2 => Just(","), 1 => Just(":"),
            1 => Just("0123456789012345678901234567890123456789012345678901234567890123456789"),
        ];
        prop::collection::vec(token, 0..24).prop_map(|tokens| tokens.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

        #[test]
        fn what_is_plain_is_json(text in texts()) {
            for text in [format!("{{\"a\":{text}}}"), format!("{{\"a\":\"{text}\"}}"), text] {
                if is_plain(&text) {
                    let framed = text.starts_with('{') && text.ends_with('}');
                    prop_assert!(framed);
                    prop_assert!(serde_json::from_str::<IgnoredAny>(&text).is_ok(), "{}", text);
                }
            }
        }
    }
}
