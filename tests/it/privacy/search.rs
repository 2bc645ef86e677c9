//! Looking for secrets in whatever form they may have got somewhere: as they are, escaped, encoded, in any alignment.

use std::fmt::Write as _;

use aho_corasick::{AhoCorasick, MatchKind};
use data_encoding::{BASE64, BASE64URL, Encoding, HEXLOWER, HEXUPPER};

/// What is looked for.
pub(super) struct Search {
    automaton: AhoCorasick,
    /// What each pattern is made of: the secret and the form.
    origins: Vec<(String, &'static str)>,
}

impl Search {
    pub(super) fn for_all<'s>(secrets: impl IntoIterator<Item = &'s str>) -> Self {
        let (mut patterns, mut origins) = (Vec::new(), Vec::new());
        for secret in secrets {
            assert!(secret.len() >= 8, "{secret} would be found by chance");
            for (form, pattern) in forms(secret) {
                patterns.push(pattern);
                origins.push((secret.to_owned(), form));
            }
        }
        let built = AhoCorasick::builder().match_kind(MatchKind::Standard).build(patterns);
        Self { automaton: built.unwrap(), origins }
    }

    /// Every secret that stands in `text`, with its form and what stands around it.
    pub(super) fn found(&self, text: &[u8]) -> Vec<String> {
        let tell = |found: aho_corasick::Match| {
            let (secret, form) = &self.origins[found.pattern().as_usize()];
            let around = found.start().saturating_sub(80)..text.len().min(found.end() + 40);
            format!("{secret} ({form}): …{}…", String::from_utf8_lossy(&text[around]))
        };
        self.automaton.find_iter(text).map(tell).collect()
    }
}

/// A text in every form in which it could have been written down.
fn forms(secret: &str) -> Vec<(&'static str, String)> {
    let quoted = serde_json::Value::from(secret).to_string();
    let mut forms = vec![
        ("raw", secret.to_owned()),
        ("JSON", quoted[1..quoted.len() - 1].to_owned()),
        ("JSON in ASCII", in_ascii(&quoted[1..quoted.len() - 1])),
        ("a string of Rust", secret.escape_debug().to_string()),
        (
            "percent",
            percent(secret, |byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)),
        ),
        ("a form", url::form_urlencoded::byte_serialize(secret.as_bytes()).collect()),
        ("hex", HEXLOWER.encode(secret.as_bytes())),
        ("HEX", HEXUPPER.encode(secret.as_bytes())),
    ];
    for offset in 0..3 {
        forms.push(("base64", in_the_middle(&BASE64, secret, offset)));
        forms.push(("base64url", in_the_middle(&BASE64URL, secret, offset)));
    }
    forms.sort_by(|a, b| a.1.cmp(&b.1));
    forms.dedup_by(|a, b| a.1 == b.1);
    forms
}

/// As Python's `json` writes it.
fn in_ascii(json: &str) -> String {
    json.chars().fold(String::new(), |mut text, char| {
        if char.is_ascii() {
            text.push(char);
        } else {
            for unit in char.encode_utf16(&mut [0; 2]) {
                write!(text, "\\u{unit:04x}").unwrap();
            }
        }
        text
    })
}

fn percent(text: &str, stays: impl Fn(u8) -> bool) -> String {
    text.bytes().fold(String::new(), |mut text, byte| {
        if stays(byte) {
            text.push(byte.into());
        } else {
            write!(text, "%{byte:02X}").unwrap();
        }
        text
    })
}

/// What of a text is the same whatever stands around it, when `offset` bytes more stand before it.
fn in_the_middle(encoding: &Encoding, text: &str, offset: usize) -> String {
    let shifted = [&vec![0; offset][..], text.as_bytes()].concat();
    // Of the first and the last group of three bytes, those that are not all of the text are left out.
    let (first, last) = (offset.div_ceil(3) * 3, shifted.len() / 3 * 3);
    encoding.encode(&shifted[first..last])
}

#[test]
fn what_is_planted_is_found_in_every_form() {
    let secret = "kanarie-0042+\"Zoë\"\\ä:ключ@example.test";
    let search = Search::for_all([secret, "another-secret"]);
    let json = serde_json::json!({ "distinct_id": secret });
    let mut planted = vec![
        secret.to_owned(),
        json.to_string(),
        format!("{:?}", Some(secret)),
        url::form_urlencoded::Serializer::new(String::new()).append_pair("id", secret).finish(),
        "https://host/kanarie-0042%2B%22Zo%C3%AB%22%5C%C3%A4%3A%D0%BA%D0%BB%D1%8E%D1%87%40example.test"
            .to_owned(),
        // Python's json.dumps of the same.
        "kanarie-0042+\\\"Zo\\u00eb\\\"\\\\\\u00e4:\\u043a\\u043b\\u044e\\u0447@example.test"
            .to_owned(),
    ];
    for before in ["", "a", "ab", "abc", "abcd"] {
        for after in ["", "z", "yz", "xyz"] {
            let text = format!("{before}{secret}{after}");
            planted.push(HEXLOWER.encode(text.as_bytes()));
            planted.push(HEXUPPER.encode(text.as_bytes()));
            planted.push(BASE64.encode(text.as_bytes()));
            planted.push(BASE64URL.encode(text.as_bytes()));
            planted.push(data_encoding::BASE64_NOPAD.encode(text.as_bytes()));
        }
    }
    for text in &planted {
        let text = [b"\0\xff...", text.as_bytes(), b"..."].concat();
        assert!(!search.found(&text).is_empty(), "{}", String::from_utf8_lossy(&text));
        assert!(search.found(&text)[0].starts_with(secret));
    }
    let innocent = "kanarie-0043 another secret Zoë example.test".repeat(3);
    assert_eq!(search.found(innocent.as_bytes()), Vec::<String>::new());
}
