//! `events.csv`: the events as a table, for people with a spreadsheet program.
//!
//! The events are read twice, once for the columns and once for the rows, so memory holds one line and the
//! names of the columns, whatever the size. RFC 4180 with a byte order mark, by which spreadsheet programs
//! know UTF-8. Nothing is lost: what has no column stands as JSON in `other_properties`.

mod cell;
mod columns;
mod members;
mod row;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
mod time;

use std::{
    borrow::Cow,
    io::{self, BufRead, BufReader, Write},
};

use flate2::read::DeflateDecoder;

use crate::archive::{
    bundle::csv::{columns::Columns, row::Row},
    deflated::Deflated,
    error::PackageError,
};

const CHUNK: usize = 64 * 1024;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// The columns before those of the properties.
const FIRST: [&str; 3] = ["event", "time", "distinct_id"];
/// The column after them.
const OTHERS: &str = "other_properties";

/// Writes `events`, one JSON object a line, as a table.
pub(super) fn write(events: &dyn Deflated, out: &mut dyn Write) -> Result<(), PackageError> {
    let mut columns = Columns::default();
    each_line(events, |line| {
        columns.see(&Row::of(line));
        Ok(())
    })?;
    out.write_all(BYTE_ORDER_MARK).map_err(PackageError::Store)?;
    let names = FIRST.into_iter().chain(columns.names()).chain([OTHERS]);
    let mut text = Vec::new();
    cell::push_row(&mut text, names.map(|name| cell::guarded(Cow::Borrowed(name))));
    each_line(events, |line| {
        out.write_all(&text).map_err(PackageError::Store)?;
        text.clear();
        cell::push_row(&mut text, Row::of(line).cells(&columns));
        Ok(())
    })?;
    out.write_all(&text).map_err(PackageError::Store)
}

/// Hands every line of `text` to `sink`, without its line break.
fn each_line(
    text: &dyn Deflated,
    mut sink: impl FnMut(&str) -> Result<(), PackageError>,
) -> Result<(), PackageError> {
    let packed = text.open().map_err(PackageError::Spool)?;
    let mut lines = BufReader::with_capacity(CHUNK, DeflateDecoder::new(packed));
    let mut line = Vec::new();
    let mut read = 0;
    loop {
        line.clear();
        let n = lines.read_until(b'\n', &mut line).map_err(PackageError::Spool)?;
        read += n as u64;
        if n == 0 {
            break;
        }
        sink(&String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(&line)))?;
    }
    // A stream that is cut off ends without an error.
    if read == text.facts().bytes {
        Ok(())
    } else {
        Err(PackageError::Spool(io::Error::from(io::ErrorKind::UnexpectedEof)))
    }
}
