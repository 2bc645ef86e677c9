//! Cuts a text into records, one at a time.
//!
//! Only the frame is read here: whether a record is valid JSON is found out where its owner is
//! ([`super::owners`]). A bad line therefore costs one record, but a text that ends inside a record
//! is an error: the rest of somebody's data would be missing.

use std::io::{BufRead, Cursor, Read};

use serde::de::IgnoredAny;

use super::{
    error::{Fault, PackageError},
    json_text::Nesting,
    limits::{Limit, Limits},
    sniff::{self, LAYOUT_BYTES, Layout, Packing},
};

/// Receives each record: the bytes of one JSON value, without white space around it.
pub(super) type RecordSink<'s> = dyn FnMut(&[u8]) -> Result<(), PackageError> + 's;

/// Hands every record of `text` to `sink`, in order.
pub(super) fn each_record(
    text: &mut dyn BufRead,
    limits: &Limits,
    sink: &mut RecordSink<'_>,
) -> Result<(), PackageError> {
    let head = sniff::peek(text, LAYOUT_BYTES).map_err(PackageError::reading)?;
    if sniff::packing(&head) != Packing::Plain {
        return Err(PackageError::Limit(Limit::Nesting));
    }
    let head = sniff::without_mark(&head);
    let layout = sniff::layout(head).map_err(PackageError::Corrupt)?;
    let mut frame = Frame { record: Vec::new(), most: limits.record_bytes, sink };
    let mut text = Cursor::new(head).chain(text);
    match layout {
        Layout::Empty => Ok(()),
        Layout::Lines => lines(&mut text, &mut frame),
        Layout::Array => arrays(&mut text, &mut frame),
        Layout::Objects => objects(&mut text, &mut frame),
    }
}

/// The record that is being collected.
struct Frame<'a, 's> {
    record: Vec<u8>,
    most: u64,
    sink: &'a mut RecordSink<'s>,
}

impl Frame<'_, '_> {
    fn push(&mut self, byte: u8) -> Result<(), PackageError> {
        if self.record.len() as u64 >= self.most {
            return Err(PackageError::Limit(Limit::Record(self.most)));
        }
        self.record.push(byte);
        Ok(())
    }

    fn emit(&mut self) -> Result<(), PackageError> {
        (self.sink)(self.record.trim_ascii_end())?;
        self.record.clear();
        Ok(())
    }
}

fn lines(text: &mut dyn BufRead, frame: &mut Frame<'_, '_>) -> Result<(), PackageError> {
    loop {
        frame.record.clear();
        // Two bytes more than a record may have: the line's end.
        let read = Read::take(&mut *text, frame.most.saturating_add(2))
            .read_until(b'\n', &mut frame.record)
            .map_err(PackageError::reading)?;
        if read == 0 {
            return Ok(());
        }
        let ended = frame.record.ends_with(b"\n");
        let record = frame.record.trim_ascii();
        if record.len() as u64 > frame.most || (!ended && read as u64 > frame.most) {
            return Err(PackageError::Limit(Limit::Record(frame.most)));
        }
        if !ended && is_cut_off(record) {
            return Err(PackageError::Corrupt(Fault::Truncated));
        }
        if !record.is_empty() {
            (frame.sink)(record)?;
        }
    }
}

/// Whether a last line without a line break ends in the middle of a value.
fn is_cut_off(record: &[u8]) -> bool {
    !record.is_empty()
        && serde_json::from_slice::<IgnoredAny>(record).is_err_and(|error| error.is_eof())
}

fn each_byte(
    text: &mut dyn BufRead,
    mut step: impl FnMut(u8) -> Result<(), PackageError>,
) -> Result<(), PackageError> {
    loop {
        let chunk = text.fill_buf().map_err(PackageError::reading)?;
        if chunk.is_empty() {
            return Ok(());
        }
        chunk.iter().try_for_each(|&byte| step(byte))?;
        let used = chunk.len();
        text.consume(used);
    }
}

fn arrays(text: &mut dyn BufRead, frame: &mut Frame<'_, '_>) -> Result<(), PackageError> {
    let mut arrays = Arrays::default();
    each_byte(text, |byte| arrays.step(byte, frame))?;
    if arrays.open { Err(PackageError::Corrupt(Fault::Truncated)) } else { Ok(()) }
}

/// Where in a text of arrays we are.
#[derive(Default)]
struct Arrays {
    /// Between `[` and its `]`.
    open: bool,
    after_comma: bool,
    /// Inside an element.
    nesting: Nesting,
}

impl Arrays {
    fn step(&mut self, byte: u8, frame: &mut Frame<'_, '_>) -> Result<(), PackageError> {
        if self.nesting.is_inside() {
            return self.go_on(byte, frame);
        }
        match byte {
            b'[' if !self.open => self.open = true,
            _ if byte.is_ascii_whitespace() && frame.record.is_empty() => {}
            _ if !self.open => return Err(PackageError::Corrupt(Fault::Malformed)),
            b',' | b']' => return self.end(byte == b',', frame),
            _ => return self.go_on(byte, frame),
        }
        Ok(())
    }

    fn go_on(&mut self, byte: u8, frame: &mut Frame<'_, '_>) -> Result<(), PackageError> {
        self.nesting.step(byte);
        frame.push(byte)
    }

    /// An element ends, with a comma or with the array.
    fn end(&mut self, comma: bool, frame: &mut Frame<'_, '_>) -> Result<(), PackageError> {
        let empty = frame.record.is_empty();
        if empty && (comma || self.after_comma) {
            return Err(PackageError::Corrupt(Fault::Malformed));
        }
        self.after_comma = comma;
        self.open = comma;
        if empty { Ok(()) } else { frame.emit() }
    }
}

fn objects(text: &mut dyn BufRead, frame: &mut Frame<'_, '_>) -> Result<(), PackageError> {
    let mut nesting = Nesting::default();
    each_byte(text, |byte| {
        if !nesting.is_inside() {
            if byte.is_ascii_whitespace() {
                return Ok(());
            }
            if byte != b'{' {
                return Err(PackageError::Corrupt(Fault::Malformed));
            }
        }
        nesting.step(byte);
        frame.push(byte)?;
        if nesting.is_inside() { Ok(()) } else { frame.emit() }
    })?;
    if nesting.is_inside() { Err(PackageError::Corrupt(Fault::Truncated)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &str) -> Result<Vec<String>, PackageError> {
        limited(text, &Limits::default())
    }

    fn limited(text: &str, limits: &Limits) -> Result<Vec<String>, PackageError> {
        let mut found = Vec::new();
        // A reader that gives one byte at a time finds frames that depend on the chunking.
        let mut slow = std::io::BufReader::with_capacity(1, text.as_bytes());
        each_record(&mut slow, limits, &mut |record| {
            found.push(String::from_utf8_lossy(record).into_owned());
            Ok(())
        })?;
        Ok(found)
    }

    fn assert_records(text: &str, expected: &[&str]) {
        assert!(
            matches!(records(text), Ok(found) if found == expected),
            "{text:?}: {:?}",
            records(text)
        );
    }

    #[test]
    fn lines_may_end_in_either_way_and_the_last_need_not() {
        assert_records(
            "{\"a\":1}\r\n\n  {\"b\":2}\n{\"c\":3}",
            &["{\"a\":1}", "{\"b\":2}", "{\"c\":3}"],
        );
        assert_records("\u{feff}{\"a\":1}\n", &["{\"a\":1}"]);
    }

    #[test]
    fn a_bad_line_does_not_take_its_neighbours_along() {
        assert_records("{\"a\":1}\n{\"b\":\n{\"c\":3}\n", &["{\"a\":1}", "{\"b\":", "{\"c\":3}"]);
    }

    #[test]
    fn array_elements_keep_their_own_text() {
        assert_records("[]", &[]);
        assert_records(" [ ] \n", &[]);
        assert_records(
            "[{\"a\":\"],[\"},{ \"b\" : 1.0 } , 3,\"x\"]\n",
            &["{\"a\":\"],[\"}", "{ \"b\" : 1.0 }", "3", "\"x\""],
        );
        assert_records(
            "[\n  {\n    \"a\": [1, 2]\n  },\n  {}\n]\n",
            &["{\n    \"a\": [1, 2]\n  }", "{}"],
        );
        assert_records("[{}]\n[{\"b\":1}]", &["{}", "{\"b\":1}"]);
    }

    #[test]
    fn pretty_printed_objects_are_one_record_each() {
        assert_records("{\n \"a\": \"}\"\n}", &["{\n \"a\": \"}\"\n}"]);
        assert_records("{\n\"a\": 1\n}\n{\n\"b\": 2\n}\n", &["{\n\"a\": 1\n}", "{\n\"b\": 2\n}"]);
    }

    #[test]
    fn a_text_that_stops_inside_a_record_is_truncated() {
        for text in ["{\"a\":1}\n{\"b\":", "[{\"a\":1},", "[{\"a\":1}", "[", "{\n\"a\": 1\n"] {
            let outcome = records(text);
            assert!(
                matches!(outcome, Err(PackageError::Corrupt(Fault::Truncated))),
                "{text:?}: {outcome:?}"
            );
        }
    }

    #[test]
    fn broken_frames_are_malformed() {
        for text in ["[{},]", "[,{}]", "[{}] x", "{\n\"a\":1\n}\nx"] {
            let outcome = records(text);
            assert!(
                matches!(outcome, Err(PackageError::Corrupt(Fault::Malformed))),
                "{text:?}: {outcome:?}"
            );
        }
    }

    #[test]
    fn a_record_over_the_limit_stops_the_run_in_every_layout() {
        let limits = Limits { record_bytes: 8, ..Limits::default() };
        assert!(limited("{\"a\":12}\r\n{\"b\":34}", &limits).is_ok_and(|r| r.len() == 2));
        for text in ["{\"a\":123}\n", "{\"a\":123}", "[{\"a\":123}]", "{\n\"a\":1234}"] {
            let outcome = limited(text, &limits);
            assert!(
                matches!(outcome, Err(PackageError::Limit(Limit::Record(8)))),
                "{text:?}: {outcome:?}"
            );
        }
    }

    #[test]
    fn an_archive_inside_is_not_opened() {
        for text in ["PK\x03\x04....", "PK\x05\x06...."] {
            assert!(matches!(records(text), Err(PackageError::Limit(Limit::Nesting))));
        }
    }
}
