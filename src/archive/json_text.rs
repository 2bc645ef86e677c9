//! JSON as text: where a value ends, and the same value on one line. No value is interpreted here,
//! so numbers, escapes and the order of keys stay byte for byte what they were.

use std::borrow::Cow;

/// Follows JSON byte by byte and knows whether it is inside a string, an object or an array.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Nesting {
    depth: u64,
    in_string: bool,
    escaped: bool,
}

impl Nesting {
    /// Takes in the next byte.
    pub(super) fn step(&mut self, byte: u8) {
        if self.in_string {
            self.step_in_string(byte);
            return;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }

    fn step_in_string(&mut self, byte: u8) {
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' => self.escaped = true,
            b'"' => self.in_string = false,
            _ => {}
        }
    }

    /// Inside a string.
    pub(super) fn in_string(self) -> bool {
        self.in_string
    }

    /// Inside an object, an array or a string.
    pub(super) fn is_inside(self) -> bool {
        self.in_string || self.depth > 0
    }
}

/// Valid JSON without line breaks. What has none is returned as it is; otherwise the white space
/// between its tokens is taken out and nothing else.
pub(super) fn on_one_line(json: &[u8]) -> Cow<'_, [u8]> {
    if !json.iter().any(|b| matches!(b, b'\n' | b'\r')) {
        return Cow::Borrowed(json);
    }
    let mut line = Vec::with_capacity(json.len());
    let mut nesting = Nesting::default();
    for &byte in json {
        if nesting.in_string() || !byte.is_ascii_whitespace() {
            line.push(byte);
        }
        nesting.step(byte);
    }
    Cow::Owned(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_without_line_breaks_is_not_touched() {
        let json = br#"{ "a" : 1.00 , "b": "x  y" }"#;
        assert!(matches!(on_one_line(json), Cow::Borrowed(same) if same == json));
    }

    #[test]
    fn only_white_space_between_tokens_goes_away() {
        let json = b"{\r\n  \"a b\": [1.10,\n 2e+03],\n\t\"q\": \"x \\\" { \\\\\",\n \"n\": 12345678901234567890.0\n}";
        let line = on_one_line(json);
        let expected: &[u8] = br#"{"a b":[1.10,2e+03],"q":"x \" { \\","n":12345678901234567890.0}"#;
        assert_eq!(&*line, expected);
    }

    #[test]
    fn brackets_and_escapes_inside_strings_do_not_count() {
        let mut nesting = Nesting::default();
        for &byte in br#"{"a":"}]\"{"#.as_slice() {
            nesting.step(byte);
        }
        assert!(nesting.in_string());
        for &byte in br#""}"#.as_slice() {
            nesting.step(byte);
        }
        assert!(!nesting.is_inside());
    }
}
