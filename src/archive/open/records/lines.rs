//! One record a line.

use memchr::memchr;

use crate::archive::{
    error::{Fault, PackageError},
    open::json_text::Nesting,
    open::records::{Cut, RecordSink},
};

/// Hands over each line that is not blank. Lines end with LF or CRLF; the last need not end.
pub(super) fn each(cut: &mut Cut<'_>, sink: &mut RecordSink<'_>) -> Result<(), PackageError> {
    // Bytes at hand that are known to hold no line break.
    let mut searched = 0;
    loop {
        let mut start = 0;
        while let Some(length) = memchr(b'\n', cut.text.from(start + searched)) {
            let line = cut.text.from(start).get(..searched + length).unwrap_or_default();
            record(cut, line, sink)?;
            start += searched + length + 1;
            searched = 0;
        }
        cut.text.skip(start);
        searched = cut.text.held().len();
        // One byte more than a record may have: the line's CR.
        cut.allow(searched.saturating_sub(1))?;
        if !cut.more()? {
            return last(cut, sink);
        }
    }
}

fn last(cut: &Cut<'_>, sink: &mut RecordSink<'_>) -> Result<(), PackageError> {
    let line = cut.text.held();
    let mut nesting = Nesting::default();
    for &byte in line {
        nesting.step(byte);
    }
    if nesting.is_inside() {
        return Err(PackageError::Corrupt(Fault::Truncated));
    }
    record(cut, line, sink)
}

fn record(cut: &Cut<'_>, line: &[u8], sink: &mut RecordSink<'_>) -> Result<(), PackageError> {
    let record = line.trim_ascii();
    cut.allow(record.len())?;
    if record.is_empty() { Ok(()) } else { sink(record) }
}
