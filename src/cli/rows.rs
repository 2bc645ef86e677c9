//! The rows of a CSV file as request documents.
//!
//! Invariant: an error names a row, a column or a rule, and never quotes the file, which is full of
//! people. A row that cannot be used does not stop the ones after it.

use std::io::{self, Read};

use chrono::Utc;
use csv::{ByteRecord, Reader, ReaderBuilder};
use gdpr_jobs::{Document, Rejection};
use serde_json::{Map, Value};

/// Separates the identifiers in one cell of `distinct_ids`.
const SEPARATOR: char = '|';
const COLUMNS: &str = "kind, distinct_ids, distinct_id, id, request_id, regulation, \
                       disclosure_type, received_at";

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    /// Several identifiers.
    Many,
    /// One identifier; the only column that may be there more than once.
    One,
    /// A field of the document.
    Field(&'static str),
}

/// A file whose rows cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    /// There is no header row.
    #[error("the CSV file is empty: expected a header row with columns of {COLUMNS}")]
    Empty,
    /// A column without a known name; the name itself may be a person's.
    #[error(
        "column {0} of the header row has no known name: \
         expected names, separated by commas, of {COLUMNS}"
    )]
    UnknownColumn(usize),
    /// A column that is there twice.
    #[error("the column {0} is there twice: expected it once")]
    Twice(&'static str),
    /// Nothing says what is asked for.
    #[error("the CSV file has no column kind: expected one")]
    NoKind,
    /// The file cannot be read.
    #[error("the CSV file cannot be read ({})", .0.kind())]
    Io(#[from] io::Error),
}

/// Why a row is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum RowError {
    /// Fewer or more cells than columns.
    #[error("{found} cells, expected {expected}, as in the header row")]
    Length {
        /// Cells in the row.
        found: usize,
        /// Columns.
        expected: usize,
    },
    /// Bytes that are no text.
    #[error("not UTF-8: expected the file in that encoding")]
    NotUtf8,
    /// The request breaks a rule.
    #[error(transparent)]
    Rejected(#[from] Rejection),
}

/// One row.
pub(super) struct Row {
    /// Its number: the header is row 1; empty lines do not count.
    pub(super) number: u64,
    /// The request.
    pub(super) document: Result<Document, RowError>,
}

/// Reads rows one by one.
pub(super) struct Rows<R> {
    reader: Reader<R>,
    columns: Vec<Column>,
    record: ByteRecord,
    number: u64,
}

impl<R: Read> Rows<R> {
    /// Reads the header row.
    pub(super) fn open(file: R) -> Result<Self, FileError> {
        let mut reader = ReaderBuilder::new().flexible(true).from_reader(file);
        let columns = columns(reader.byte_headers().map_err(io_error)?)?;
        Ok(Self { reader, columns, record: ByteRecord::new(), number: 1 })
    }

    /// The next row, if there is one.
    pub(super) fn next(&mut self) -> Result<Option<Row>, FileError> {
        if !self.reader.read_byte_record(&mut self.record).map_err(io_error)? {
            return Ok(None);
        }
        self.number += 1;
        Ok(Some(Row { number: self.number, document: self.document() }))
    }

    fn document(&self) -> Result<Document, RowError> {
        let (found, expected) = (self.record.len(), self.columns.len());
        if found != expected {
            return Err(RowError::Length { found, expected });
        }
        let (mut object, mut ids) = (Map::new(), Vec::new());
        for (column, cell) in self.columns.iter().zip(&self.record) {
            let cell = str::from_utf8(cell).map_err(|_| RowError::NotUtf8)?;
            if cell.trim().is_empty() {
                continue;
            }
            match column {
                // Identifiers are taken byte for byte; a blank may be part of one.
                Column::Many => ids.extend(cell.split(SEPARATOR).map(Value::from)),
                Column::One => ids.push(cell.into()),
                Column::Field(name) => {
                    object.insert((*name).to_owned(), cell.trim().into());
                }
            }
        }
        if !ids.is_empty() {
            object.insert("distinct_ids".to_owned(), ids.into());
        }
        // By the way of JSON, so that a row and a document obey the very same rules.
        Ok(Document::parse(Value::Object(object).to_string().as_bytes(), Utc::now())?)
    }
}

fn columns(header: &ByteRecord) -> Result<Vec<Column>, FileError> {
    if header.is_empty() {
        return Err(FileError::Empty);
    }
    let mut columns = Vec::with_capacity(header.len());
    for (position, name) in header.iter().enumerate() {
        let column = column(name).ok_or(FileError::UnknownColumn(position + 1))?;
        match column {
            Column::Many if columns.contains(&column) => {
                return Err(FileError::Twice("distinct_ids"));
            }
            Column::Field(name) if columns.contains(&column) => return Err(FileError::Twice(name)),
            _ => columns.push(column),
        }
    }
    if columns.contains(&Column::Field("kind")) { Ok(columns) } else { Err(FileError::NoKind) }
}

fn column(name: &[u8]) -> Option<Column> {
    Some(match name.trim_ascii() {
        b"distinct_ids" => Column::Many,
        b"distinct_id" => Column::One,
        b"kind" => Column::Field("kind"),
        b"id" => Column::Field("id"),
        b"request_id" => Column::Field("request_id"),
        b"regulation" => Column::Field("regulation"),
        b"disclosure_type" => Column::Field("disclosure_type"),
        b"received_at" => Column::Field("received_at"),
        _ => return None,
    })
}

/// Byte records of any length can only fail to be read.
fn io_error(error: csv::Error) -> FileError {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => FileError::Io(error),
        _ => FileError::Io(io::ErrorKind::InvalidData.into()),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn rows(text: &[u8]) -> Vec<Row> {
        let mut rows = Rows::open(text).unwrap();
        std::iter::from_fn(|| rows.next().unwrap()).collect()
    }

    fn ids(document: &Document) -> Vec<&str> {
        document.distinct_ids.iter().map(gdpr_jobs::DistinctId::expose).collect()
    }

    #[test]
    fn a_row_becomes_the_same_document_as_the_json_would() {
        let text = "kind,distinct_ids,id,regulation,disclosure_type,received_at,request_id\n\
            retrieval,user-001|$device:77ab,order-17,CCPA,Sources,2026-01-31T09:30:00Z,\n\
            cancellation,,,,,,order-17\n";
        let documents: Vec<_> = rows(text.as_bytes()).into_iter().map(|r| r.document).collect();
        let expected = [
            r#"{"kind":"retrieval","distinct_ids":["user-001","$device:77ab"],"id":"order-17",
                "regulation":"CCPA","disclosure_type":"Sources","received_at":"2026-01-31T09:30:00Z"}"#,
            r#"{"kind":"cancellation","request_id":"order-17"}"#,
        ];
        let expected =
            expected.map(|json| Ok(Document::parse(json.as_bytes(), Utc::now()).unwrap()));
        assert_eq!(documents, expected);
    }

    #[test]
    fn a_repeated_column_and_blanks_and_bars_keep_identifiers_as_they_are() {
        let text = "\u{feff}kind , distinct_id,distinct_id,distinct_ids\r\n\
            deletion, user 1,a|b,\"c, d|e\"\r\n\
            deletion,,user-001,\r\n";
        let rows = rows(text.as_bytes());
        assert_eq!(ids(rows[0].document.as_ref().unwrap()), [" user 1", "a|b", "c, d", "e"]);
        assert_eq!(ids(rows[1].document.as_ref().unwrap()), ["user-001"]);
    }

    #[test]
    fn a_bad_row_is_named_by_its_number_and_keeps_no_other_back() {
        let text = b"kind,distinct_ids\n\
            deletion,user-001\n\
            erase,ada@example.test\n\
            deletion\n\
            deletion,\xff\xfe\n\
            \n\
            deletion,null\n\
            deletion,\"user\n-002\"\n\
            deletion,user-003\n";
        let rows = rows(text);
        let refusal = |row: &Row| Some((row.number, row.document.as_ref().err()?.to_string()));
        let refused: Vec<_> = rows.iter().filter_map(refusal).collect();
        let numbers: Vec<_> = refused.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, [3, 4, 5, 6]);
        assert_eq!(rows.last().map(|row| (row.number, row.document.is_ok())), Some((8, true)));
        assert!(!format!("{refused:?}").contains("ada"));
    }

    #[test]
    fn a_header_that_is_no_header_is_refused_without_quoting_it() {
        for (text, expected) in [
            ("", "is empty"),
            ("kind;distinct_ids\n", "column 1"),
            ("kind,ada@example.test\n", "column 2"),
            ("kind,id,id\n", "id is there twice"),
            ("kind,distinct_ids,distinct_ids\n", "distinct_ids is there twice"),
            ("distinct_ids\n", "no column kind"),
        ] {
            let error = Rows::open(text.as_bytes()).err().unwrap().to_string();
            assert!(error.contains(expected) && !error.contains("ada"), "{error}");
        }
    }
}
