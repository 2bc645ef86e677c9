//! JSON as text: where a value ends, and the same value on one line. No value is interpreted here,
//! so numbers, escapes and the order of keys stay byte for byte what they were.

use std::borrow::Cow;

use memchr::memchr2;

/// Follows JSON byte by byte and knows whether it is inside a string, an object or an array.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::archive) struct Nesting {
    depth: u64,
    in_string: bool,
    escaped: bool,
}

impl Nesting {
    /// Takes in the next byte.
    pub(in crate::archive) fn step(&mut self, byte: u8) {
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

    /// Takes in `bytes` up to the one that ends the outermost value, and tells how many those are.
    /// `None`: all were taken in and the value goes on. To be called inside a value.
    pub(in crate::archive) fn close(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut taken = 0;
        while self.is_inside() {
            let rest = bytes.get(taken..).unwrap_or_default();
            taken += if self.in_string && !self.escaped {
                memchr2(b'"', b'\\', rest)?
            } else {
                rest.iter().position(|&byte| self.escaped || is_structure(byte))?
            };
            self.step(*bytes.get(taken)?);
            taken += 1;
        }
        Some(taken)
    }

    /// Inside a string.
    pub(in crate::archive) fn in_string(self) -> bool {
        self.in_string
    }

    /// Inside an object, an array or a string.
    pub(in crate::archive) fn is_inside(self) -> bool {
        self.in_string || self.depth > 0
    }
}

/// Whether `byte` changes the nesting outside strings.
fn is_structure(byte: u8) -> bool {
    matches!(byte, b'"' | b'{' | b'[' | b'}' | b']')
}

/// Valid JSON without line breaks. What has none is returned as it is; otherwise the white space
/// between its tokens is taken out and nothing else.
pub(in crate::archive) fn on_one_line(json: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'\n', b'\r', json).is_none() {
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

    #[test]
    fn a_value_closes_where_a_walk_byte_by_byte_says_however_it_is_cut() {
        let text = br#"{"a\\\"}":[{"b":"]\u0041\\"},"x",{}],"c":1.5}, {"next":1}"#;
        let mut nesting = Nesting::default();
        let mut expected = 0;
        while expected == 0 || nesting.is_inside() {
            nesting.step(text[expected]);
            expected += 1;
        }
        for cut in 1..text.len() {
            let mut nesting = Nesting::default();
            nesting.step(text[0]);
            let closed = match nesting.close(&text[1..cut]) {
                Some(taken) => 1 + taken,
                None => cut + nesting.close(&text[cut..]).unwrap_or(usize::MAX - cut),
            };
            assert_eq!(closed, expected, "{cut}");
        }
    }
}
