//! Rows of a CSV under a header, each as a JSON object on one line.
//!
//! Profiles become `{"$distinct_id":…,"$properties":{…}}` and rows with an event
//! `{"event":…,"properties":{…}}`, which is how they look in JSON exports. Values are strings, and
//! empty cells are left out: CSV tells no more. The id column keeps its name. A row that does not
//! fit the header becomes a JSON array with its text, which is no record of anybody.

use std::borrow::Cow;

use crate::archive::{
    error::{Fault, PackageError},
    open::records::{Cut, RecordSink},
};

/// Columns that name a person.
const IDS: [&[u8]; 2] = [b"$distinct_id", b"distinct_id"];
const EVENT: &[u8] = b"event";

/// How cells are separated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::archive) struct Dialect(u8);

impl Dialect {
    /// The dialect of a text whose first line is a header with several columns, one of them an id.
    /// `None` for any other text.
    pub(in crate::archive) fn of(head: &[u8]) -> Option<Self> {
        [b',', b';', b'\t'].into_iter().map(Self).find(|dialect| {
            let mut scan = Scan::default();
            let (Some(end), _) = scan.end_of_row(*dialect, head) else { return false };
            let header = head.get(..end).and_then(|row| dialect.cells(row));
            header.is_some_and(|cells| cells.len() > 1 && cells.iter().any(|cell| is_id(cell)))
        })
    }

    /// The cells of a row without its line break. `None`: a quoted cell goes on behind its quotes.
    fn cells(self, row: &[u8]) -> Option<Vec<Cow<'_, [u8]>>> {
        let mut cells = Vec::new();
        let mut rest = row;
        loop {
            let (cell, behind) = if let Some(quoted) = rest.strip_prefix(b"\"") {
                unquote(quoted)?
            } else {
                let end = memchr::memchr(self.0, rest).unwrap_or(rest.len());
                let (cell, behind) = rest.split_at(end);
                (Cow::Borrowed(cell), behind)
            };
            cells.push(cell);
            match behind.split_first() {
                None => return Some(cells),
                Some((&separator, next)) if separator == self.0 => rest = next,
                Some(_) => return None,
            }
        }
    }
}

/// The cell that begins behind an opening quote, and what comes behind its closing one.
fn unquote(quoted: &[u8]) -> Option<(Cow<'_, [u8]>, &[u8])> {
    let mut cell: Cow<'_, [u8]> = Cow::default();
    let mut rest = quoted;
    loop {
        let (piece, behind) = rest.split_at_checked(memchr::memchr(b'"', rest)?)?;
        if cell.is_empty() {
            cell = Cow::Borrowed(piece);
        } else {
            cell.to_mut().extend_from_slice(piece);
        }
        let behind = behind.get(1..).unwrap_or_default();
        let Some(next) = behind.strip_prefix(b"\"") else { return Some((cell, behind)) };
        cell.to_mut().push(b'"');
        rest = next;
    }
}

/// Where in a row a search for its end is.
#[derive(Clone, Copy, Default)]
struct Scan {
    quoted: bool,
    /// Inside a cell, where a quote is a character like any other.
    inside: bool,
    /// Behind a quote in a quoted cell: the cell's end, or one half of an escaped quote.
    after_quote: bool,
}

impl Scan {
    /// The position of the line break that ends the row, and how many bytes were looked at.
    fn end_of_row(&mut self, dialect: Dialect, bytes: &[u8]) -> (Option<usize>, usize) {
        for (at, &byte) in bytes.iter().enumerate() {
            if self.quoted {
                (self.quoted, self.after_quote) = (byte != b'"', byte == b'"');
                continue;
            }
            match byte {
                b'\n' => return (Some(at), at + 1),
                b'"' if !self.inside || self.after_quote => {
                    (self.quoted, self.inside) = (true, true);
                }
                _ => self.inside = byte != dialect.0,
            }
            self.after_quote = false;
        }
        (None, bytes.len())
    }
}

/// Hands over each row below the header.
pub(super) fn each_row(
    cut: &mut Cut<'_>,
    dialect: Dialect,
    sink: &mut RecordSink<'_>,
) -> Result<(), PackageError> {
    let mut header: Option<Header> = None;
    let mut record = Vec::new();
    while let Some((length, whole)) = row(cut, dialect)? {
        let text = cut.text.held().get(..length).unwrap_or_default();
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        cut.allow(text.len())?;
        if !text.trim_ascii().is_empty() {
            let cells = dialect.cells(text);
            if let Some(header) = &header {
                record.clear();
                header.write(&mut record, text, cells.as_deref());
                // Names are repeated in every record, and escapes are longer than what they stand for.
                cut.allow(record.len())?;
                sink(&record)?;
            } else {
                let cells = cells.ok_or(PackageError::Corrupt(Fault::UnknownFormat))?;
                header = Some(Header::new(&cells));
            }
        }
        cut.text.skip(whole);
    }
    Ok(())
}

/// The length of the row that begins here, without and with its line break. `None`: no more rows.
fn row(cut: &mut Cut<'_>, dialect: Dialect) -> Result<Option<(usize, usize)>, PackageError> {
    let mut scan = Scan::default();
    let mut searched = 0;
    loop {
        let (end, looked_at) = scan.end_of_row(dialect, cut.text.from(searched));
        if let Some(end) = end {
            return Ok(Some((searched + end, searched + end + 1)));
        }
        searched += looked_at;
        cut.allow(searched.saturating_sub(1))?;
        if !cut.more()? {
            return match (scan.quoted, searched) {
                (true, _) => Err(PackageError::Corrupt(Fault::Truncated)),
                (false, 0) => Ok(None),
                (false, _) => Ok(Some((searched, searched))),
            };
        }
    }
}

fn is_id(name: &[u8]) -> bool {
    IDS.contains(&name)
}

/// What the columns are.
struct Header {
    columns: Vec<Column>,
    /// The key of the object with the other columns.
    properties: &'static [u8],
}

struct Column {
    /// The name as a JSON string.
    key: Vec<u8>,
    /// Beside the properties, not among them. Two columns of one name both stand there, so that a
    /// row with two ids is recognised as one.
    on_top: bool,
}

impl Header {
    fn new(names: &[Cow<'_, [u8]>]) -> Self {
        let events = names.iter().any(|name| &**name == EVENT);
        let on_top = |name: &[u8]| if events { name == EVENT } else { is_id(name) };
        let columns = names
            .iter()
            .map(|name| {
                let mut key = Vec::new();
                quote(&mut key, name);
                Column { key, on_top: on_top(name) }
            })
            .collect();
        Self {
            columns,
            properties: if events { b"\"properties\":{" } else { b"\"$properties\":{" },
        }
    }

    /// Writes a row as a record; one that does not fit the header as what is none.
    fn write(&self, record: &mut Vec<u8>, row: &[u8], cells: Option<&[Cow<'_, [u8]>]>) {
        let Some(cells) = cells.filter(|cells| cells.len() == self.columns.len()) else {
            record.push(b'[');
            quote(record, row);
            record.push(b']');
            return;
        };
        record.push(b'{');
        self.members(record, cells, true);
        record.extend_from_slice(self.properties);
        self.members(record, cells, false);
        if record.last() == Some(&b',') {
            record.pop();
        }
        record.extend_from_slice(b"}}");
    }

    /// The members on top or not, each with a comma behind it.
    fn members(&self, record: &mut Vec<u8>, cells: &[Cow<'_, [u8]>], on_top: bool) {
        for (column, cell) in self.columns.iter().zip(cells) {
            if column.on_top == on_top && !cell.is_empty() {
                record.extend_from_slice(&column.key);
                record.push(b':');
                quote(record, cell);
                record.push(b',');
            }
        }
    }
}

/// Writes `text` as a JSON string. What is not UTF-8 stays as it is, and the record with it is
/// found to be malformed.
fn quote(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    let mut rest = text;
    while let Some(at) = rest.iter().position(|&byte| byte < b' ' || byte == b'"' || byte == b'\\')
    {
        let (plain, behind) = rest.split_at(at);
        out.extend_from_slice(plain);
        match behind.first() {
            Some(&byte @ (b'"' | b'\\')) => out.extend([b'\\', byte]),
            Some(b'\n') => out.extend(b"\\n"),
            Some(b'\r') => out.extend(b"\\r"),
            Some(b'\t') => out.extend(b"\\t"),
            other => {
                out.extend(other.map(|byte| format!("\\u{byte:04x}")).unwrap_or_default().bytes());
            }
        }
        rest = behind.get(1..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}
