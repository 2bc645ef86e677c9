//! Reads the entries of an archive: sizes, hashes and records.

use std::io::{self, BufRead, BufReader, Read};

use serde::de::IgnoredAny;
use sha2::{Digest, Sha256};

use crate::archive::{
    bundle::names,
    verify::{CHUNK, VerifyError},
};

/// Bytes of the longest line that is read; records are shorter.
const LONGEST_LINE: u64 = 64 * 1024 * 1024;

/// What an entry holds.
pub(super) struct Found {
    pub(super) name: &'static str,
    pub(super) bytes: u64,
    pub(super) sha256: [u8; 32],
    /// Records, in the entries that have them.
    pub(super) records: u64,
}

/// Reads an entry to its end.
pub(super) fn read(name: &'static str, entry: impl Read) -> Result<Found, VerifyError> {
    let mut text =
        BufReader::with_capacity(CHUNK, Hashed { inner: entry, hash: Sha256::new(), bytes: 0 });
    let records = match name {
        names::EVENTS => events(&mut text)?,
        names::PROFILES => profiles(&mut text)?,
        _ => 0,
    };
    io::copy(&mut text, &mut io::sink()).map_err(|error| reading(name, error))?;
    let Hashed { hash, bytes, .. } = text.into_inner();
    Ok(Found { name, bytes, sha256: hash.finalize().into(), records })
}

/// An error of the decoders, or of the file under them.
pub(super) fn reading(name: &'static str, error: io::Error) -> VerifyError {
    if error.raw_os_error().is_some() { VerifyError::Io(error) } else { VerifyError::Damaged(name) }
}

fn events(text: &mut impl BufRead) -> Result<u64, VerifyError> {
    let mut lines = Lines::new(names::EVENTS, text);
    while let Some(line) = lines.next()? {
        if !is_json(line) {
            return Err(lines.unexpected("one JSON object"));
        }
    }
    Ok(lines.number)
}

/// The shape of `bundle::shape::ARRAY`: one element a line.
fn profiles(text: &mut impl BufRead) -> Result<u64, VerifyError> {
    let mut lines = Lines::new(names::PROFILES, text);
    match lines.next()? {
        Some(b"[]") => {
            return if lines.next()?.is_none() { Ok(0) } else { Err(lines.unexpected("nothing")) };
        }
        Some(b"[") => {}
        _ => return Err(lines.unexpected("[ or []")),
    }
    let mut records = 0;
    loop {
        let Some(line) = lines.next()? else { return Err(lines.unexpected("a JSON object")) };
        let (record, more) = match line.strip_suffix(b",") {
            Some(record) => (record, true),
            None => (line, false),
        };
        if !is_json(record) {
            return Err(lines.unexpected("one JSON object"));
        }
        records += 1;
        if !more {
            break;
        }
    }
    if lines.next()? != Some(b"]") {
        return Err(lines.unexpected("]"));
    }
    if lines.next()?.is_some() {
        return Err(lines.unexpected("nothing"));
    }
    Ok(records)
}

/// Whether it is one JSON object.
fn is_json(record: &[u8]) -> bool {
    record.starts_with(b"{")
        && std::str::from_utf8(record)
            .is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok())
}

/// Lines of an entry, one at a time.
struct Lines<'a, R> {
    entry: &'static str,
    text: &'a mut R,
    line: Vec<u8>,
    number: u64,
}

impl<'a, R: BufRead> Lines<'a, R> {
    fn new(entry: &'static str, text: &'a mut R) -> Self {
        Self { entry, text, line: Vec::new(), number: 0 }
    }

    /// The next line without its line break, which every line must have.
    fn next(&mut self) -> Result<Option<&[u8]>, VerifyError> {
        self.line.clear();
        let read = (&mut *self.text)
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut self.line)
            .map_err(|error| reading(self.entry, error))?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        if self.line.pop() != Some(b'\n') {
            return Err(
                self.unexpected("a line break at its end, at most 64 MiB after its beginning")
            );
        }
        Ok(Some(&self.line))
    }

    fn unexpected(&self, expected: &'static str) -> VerifyError {
        VerifyError::Record { entry: self.entry, line: self.number, expected }
    }
}

/// Sums up what is read.
struct Hashed<R> {
    inner: R,
    hash: Sha256,
    bytes: u64,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.hash.update(buf.get(..n).unwrap_or_default());
        self.bytes += n as u64;
        Ok(n)
    }
}
