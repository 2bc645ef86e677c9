//! From token to token of one object. `None`, wherever it is returned, means: not plain.

use super::Look;

/// What is asked of the value of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::archive) enum Ask {
    /// Nothing.
    Nothing,
    /// Its text. A null is none; any other value is for a closer look.
    Text,
    /// This record is for a closer look.
    Stop,
}

/// Objects and arrays in each other, at most: as many as there are bits, less one.
const DEEPEST: u32 = 63;
/// Keys are shown down to here.
const SHOWN: u32 = 2;

pub(super) struct Walk<'t, 'm> {
    text: &'t str,
    bytes: &'t [u8],
    /// The marks that were not met yet. Outside of strings the next one is the quote that opens a string.
    marks: std::slice::Iter<'m, u32>,
    /// The objects and arrays that are open, the innermost as the lowest bit: 1 is an object.
    open: u64,
    depth: u32,
}

/// Where a string ends: at the quote.
struct End {
    at: usize,
    escapes: bool,
}

impl<'t, 'm> Walk<'t, 'm> {
    pub(super) fn new(text: &'t str, marks: &'m [u32]) -> Self {
        Self { text, bytes: text.as_bytes(), marks: marks.iter(), open: 0, depth: 0 }
    }

    /// The whole text is an object.
    pub(super) fn object(mut self, look: &mut impl Look<'t>) -> Option<()> {
        if self.bytes.first() != Some(&b'{') {
            return None;
        }
        let mut at = 0;
        loop {
            at = self.value(at, look)?;
            // Values end, and so may what they stand in.
            loop {
                if self.depth == 0 {
                    return (at == self.bytes.len()).then_some(());
                }
                match (*self.bytes.get(at)?, self.open & 1) {
                    (b',', 1) => {
                        at = self.key(at + 1, look)?;
                        break;
                    }
                    (b',', _) => {
                        at += 1;
                        break;
                    }
                    (b'}', 1) | (b']', 0) => {
                        at += 1;
                        self.open >>= 1;
                        self.depth -= 1;
                    }
                    _ => return None,
                }
            }
        }
    }

    /// Goes behind the value at `at`, or to the first value that ends inside of it.
    #[inline]
    fn value(&mut self, mut at: usize, look: &mut impl Look<'t>) -> Option<usize> {
        loop {
            return match *self.bytes.get(at)? {
                b'"' => Some(self.string()?.at + 1),
                b'{' => {
                    self.enter(1)?;
                    at += 1;
                    if self.bytes.get(at) == Some(&b'}') {
                        return Some(at);
                    }
                    at = self.key(at, look)?;
                    continue;
                }
                b'[' => {
                    self.enter(0)?;
                    at += 1;
                    if self.bytes.get(at) == Some(&b']') {
                        return Some(at);
                    }
                    continue;
                }
                b'n' => self.word(at, b"null"),
                b't' => self.word(at, b"true"),
                b'f' => self.word(at, b"false"),
                _ => self.number(at),
            };
        }
    }

    fn enter(&mut self, object: u64) -> Option<()> {
        self.depth += 1;
        self.open = self.open << 1 | object;
        (self.depth <= DEEPEST).then_some(())
    }

    /// Goes behind the key at `at`, to its value, or behind that if it is asked for.
    #[inline]
    fn key(&mut self, at: usize, look: &mut impl Look<'t>) -> Option<usize> {
        if self.bytes.get(at) != Some(&b'"') {
            return None;
        }
        let end = self.string()?;
        if end.escapes || self.bytes.get(end.at + 1) != Some(&b':') {
            return None;
        }
        let value = end.at + 2;
        if self.depth <= SHOWN {
            match look.key(self.depth, self.text.get(at + 1..end.at)?) {
                Ask::Nothing => {}
                Ask::Text => self.show(value, look)?,
                Ask::Stop => return None,
            }
        }
        Some(value)
    }

    /// Shows the text at `at`, which stays to be read.
    fn show(&mut self, at: usize, look: &mut impl Look<'t>) -> Option<()> {
        match *self.bytes.get(at)? {
            b'"' => {
                let end = Walk { marks: self.marks.clone(), ..*self }.string()?;
                if end.escapes {
                    return None;
                }
                look.text(self.text.get(at + 1..end.at)?);
                Some(())
            }
            b'n' => Some(()),
            _ => None,
        }
    }

    /// The string that the next mark opens.
    #[inline]
    fn string(&mut self) -> Option<End> {
        self.marks.next()?;
        let at = *self.marks.next()? as usize;
        match *self.bytes.get(at)? {
            b'"' => Some(End { at, escapes: false }),
            b'\\' => self.behind_escapes(at),
            _ => None,
        }
    }

    /// The end of a string whose first backslash is at `at`.
    #[cold]
    fn behind_escapes(&mut self, mut at: usize) -> Option<End> {
        loop {
            match *self.bytes.get(at)? {
                b'"' => return Some(End { at, escapes: true }),
                b'\\' => {}
                _ => return None,
            }
            match *self.bytes.get(at + 1)? {
                // It is a mark itself.
                b'"' | b'\\' => _ = self.marks.next()?,
                b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                b'u' if self.bytes.get(at + 2..at + 6)?.iter().all(u8::is_ascii_hexdigit) => {}
                _ => return None,
            }
            at = *self.marks.next()? as usize;
        }
    }

    fn word(&self, at: usize, word: &[u8]) -> Option<usize> {
        self.bytes.get(at..)?.starts_with(word).then_some(at + word.len())
    }

    /// A number without an exponent.
    fn number(&self, at: usize) -> Option<usize> {
        let first = at + usize::from(self.bytes.get(at) == Some(&b'-'));
        let end = self.digits(first)?;
        if end > first + 1 && self.bytes.get(first) == Some(&b'0') {
            return None;
        }
        if self.bytes.get(end) == Some(&b'.') { self.digits(end + 1) } else { Some(end) }
    }

    /// At least one digit.
    #[inline]
    fn digits(&self, at: usize) -> Option<usize> {
        const ONES: u64 = u64::MAX / 0xff;
        const HIGHEST: u64 = ONES << 7;
        let mut end = at;
        while let Some(eight) = self.bytes.get(end..).and_then(<[u8]>::first_chunk) {
            // 0 to 9 for digits; what is more gets its highest bit from the sum, or has it.
            let values = u64::from_le_bytes(*eight) ^ (ONES * u64::from(b'0'));
            let others = (((values & !HIGHEST) + ONES * (0x80 - 10)) | values) & HIGHEST;
            end += others.trailing_zeros() as usize / 8;
            if others != 0 {
                return (end > at).then_some(end);
            }
        }
        while self.bytes.get(end).is_some_and(u8::is_ascii_digit) {
            end += 1;
        }
        (end > at).then_some(end)
    }
}
