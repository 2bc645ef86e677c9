//! Whether text is one event a line.

use memchr::{memchr, memrchr};
use serde::de::IgnoredAny;

use super::check::Refused;
use crate::archive::open::plain_json::Reader;

/// How every line begins.
const EVENT: &str = "{\"event\"";
/// Longer lines are left to the ordinary path, so that little of the text is held.
const LONGEST: u64 = 1024 * 1024;

/// Counts the events of a text that comes in parts.
pub(super) struct Counter {
    plain: Reader,
    /// Bytes that a line may have.
    longest: u64,
    events: u64,
    /// A line whose end is still to come.
    begun: Vec<u8>,
}

impl Counter {
    /// `longest` is how many bytes a record may have.
    pub(super) fn new(longest: u64) -> Self {
        let longest = longest.min(LONGEST);
        Self { plain: Reader::default(), longest, events: 0, begun: Vec::new() }
    }

    /// Takes in the next part. Refused if a line is something else than an event: a JSON object from its first
    /// byte to its last, in UTF-8, and one LF.
    pub(super) fn take(&mut self, mut text: &[u8]) -> Result<(), Refused> {
        if !self.begun.is_empty() {
            let end = memchr(b'\n', text).map_or(text.len(), |at| at + 1);
            let (end, rest) = text.split_at(end);
            self.begun.extend_from_slice(end);
            if self.begun.last() == Some(&b'\n') {
                let mut line = std::mem::take(&mut self.begun);
                self.count(&line)?;
                line.clear();
                self.begun = line;
            }
            text = rest;
        }
        let (whole, rest) = text.split_at(memrchr(b'\n', text).map_or(0, |at| at + 1));
        self.count(whole)?;
        self.begun.extend_from_slice(rest);
        if self.begun.len() as u64 > self.longest { Err(Refused::Content) } else { Ok(()) }
    }

    /// The events of the whole text; at least one.
    pub(super) fn finish(self) -> Result<u64, Refused> {
        if self.events > 0 && self.begun.is_empty() {
            Ok(self.events)
        } else {
            Err(Refused::Content)
        }
    }

    /// Counts whole lines.
    fn count(&mut self, lines: &[u8]) -> Result<(), Refused> {
        let mut rest = std::str::from_utf8(lines).map_err(|_| Refused::Content)?;
        while let Some(end) = memchr(b'\n', rest.as_bytes()) {
            let (line, others) = rest.split_at(end);
            if line.len() as u64 > self.longest || !self.is_event(line) {
                return Err(Refused::Content);
            }
            self.events += 1;
            rest = others.get(1..).unwrap_or_default();
        }
        Ok(())
    }

    fn is_event(&mut self, line: &str) -> bool {
        line.starts_with(EVENT)
            && line.ends_with('}')
            && (self.plain.read(line, &mut ()) || serde_json::from_str::<IgnoredAny>(line).is_ok())
    }
}
