//! Exports that are damaged, forged, or merely strange, and what comes of each.
//!
//! All are made here, byte by byte where no writer makes them. What is strange and harmless must be
//! read; of the rest, the reason must be the right one. None may panic or leave anything behind.

mod packings;
mod raw_zip;
mod sealed;
mod streams;
mod texts;
mod zips;

use std::io::{self, Cursor, Read, Seek, SeekFrom};

use secrecy::SecretString;

use crate::archive::{
    error::{Fault, PackageError, Seal},
    limits::{Limit, Limits},
    open,
    tests::exports::PASSWORD,
    tests::workbench::{Bench, two},
};

const MIB: u64 = 1024 * 1024;

const A: &str = r#"{"event":"A","properties":{"distinct_id":"u1"}}"#;
const B: &str = r#"{"event":"B","properties":{"distinct_id":"u2"}}"#;

/// What must come of an export.
#[derive(Clone)]
enum Expected {
    /// These records.
    Records(Vec<Vec<u8>>),
    Fault(Fault),
    Seal(Seal),
    Limit(Limit),
}

use Expected::Records;

/// One export, by its name.
#[derive(Clone)]
struct Case {
    name: &'static str,
    export: Vec<u8>,
    expected: Expected,
    password: Option<&'static str>,
}

fn case(name: &'static str, export: impl Into<Vec<u8>>, expected: Expected) -> Case {
    Case { name, export: export.into(), expected, password: None }
}

impl Case {
    fn with_password(self, password: &'static str) -> Self {
        Self { password: Some(password), ..self }
    }
}

fn fault(fault: Fault) -> Expected {
    Expected::Fault(fault)
}

fn reads(records: &[&str]) -> Expected {
    Records(records.iter().map(|record| record.as_bytes().to_vec()).collect())
}

fn corpus() -> Vec<Case> {
    [zips::cases(), sealed::cases(), streams::cases(), texts::cases()]
        .into_iter()
        .flatten()
        .collect()
}

/// Limits that small exports exceed.
fn limits() -> Limits {
    Limits {
        entries: 20,
        unpacked_bytes: 8 * MIB,
        text_bytes: 6 * MIB,
        record_bytes: MIB,
        ..Limits::default()
    }
}

fn read(export: &[u8], password: Option<&str>) -> Result<Vec<Vec<u8>>, PackageError> {
    let mut records = Vec::new();
    let password = password.map(SecretString::from);
    open::each_record(Cursor::new(export), password.as_ref(), &limits(), &mut |record| {
        records.push(record.to_vec());
        Ok(())
    })?;
    Ok(records)
}

fn comes_of(case: &Case) -> Result<Vec<Vec<u8>>, PackageError> {
    read(&case.export, case.password)
}

#[test]
fn of_every_hostile_export_comes_what_is_expected() {
    let mut wrong = Vec::new();
    for case in corpus() {
        let outcome = comes_of(&case);
        let right = match (&case.expected, &outcome) {
            (Records(expected), Ok(found)) => expected == found,
            (Expected::Fault(expected), Err(PackageError::Corrupt(found))) => expected == found,
            (Expected::Seal(expected), Err(PackageError::Sealed(found))) => expected == found,
            (Expected::Limit(expected), Err(PackageError::Limit(found))) => expected == found,
            _ => false,
        };
        if !right {
            let outcome = outcome.map(|records| records.len());
            wrong.push(format!("{}: {outcome:?}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_hostile_export_leaves_a_file_behind() {
    for case in corpus() {
        let mut bench = case.password.map_or_else(Bench::new, Bench::with_password);
        bench.limits = limits();
        let outcome = bench.run(&case.export, &two());
        let archives = bench.files("store");
        if let Ok(packaged) = outcome {
            let doubtful =
                |name: &str| packaged.in_doubt.iter().any(|id| name == format!("{id}.zip"));
            let certain: Vec<_> =
                ["r1.zip", "r2.zip"].into_iter().filter(|name| !doubtful(name)).collect();
            assert_eq!(archives, certain, "{}", case.name);
        } else {
            assert!(archives.is_empty() && bench.files("spool").is_empty(), "{}", case.name);
        }
    }
}

#[test]
fn the_corpus_is_large_and_its_names_are_distinct() {
    let mut names: Vec<_> = corpus().iter().map(|case| case.name).collect();
    assert!(names.len() >= 45, "{}", names.len());
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), corpus().len());
}

/// An export that is as long as it says and never held: `{"a":"aaaa…`.
struct Long {
    bytes: u64,
    at: u64,
    taken: u64,
}

impl Read for Long {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = Read::take(io::repeat(b'a'), self.bytes - self.at).read(buf)?;
        for (byte, start) in
            buf.iter_mut().zip(br#"{"a":""#.iter().skip(usize::try_from(self.at).unwrap()))
        {
            *byte = *start;
        }
        self.at += n as u64;
        self.taken += n as u64;
        Ok(n)
    }
}

impl Seek for Long {
    fn seek(&mut self, pos: SeekFrom) -> io::Result<u64> {
        self.at = match pos {
            SeekFrom::Start(at) => at,
            SeekFrom::End(back) => self.bytes.saturating_add_signed(back),
            SeekFrom::Current(by) => self.at.saturating_add_signed(by),
        };
        Ok(self.at)
    }
}

#[test]
fn a_line_of_a_hundred_megabytes_is_left_once_it_is_too_long() {
    let mut export = Long { bytes: 100_000_000, at: 0, taken: 0 };
    let outcome = open::each_record(&mut export, None, &limits(), &mut |_| Ok(()));
    assert!(matches!(outcome, Err(PackageError::Limit(Limit::Record(MIB)))), "{outcome:?}");
    assert!(export.taken <= 3 * MIB, "{}", export.taken);
}

#[test]
fn reading_that_takes_too_long_is_stopped_in_the_middle() {
    let limits = limits();
    let ticks = std::cell::Cell::new(0);
    let clock = || {
        ticks.set(ticks.get() + 1);
        limits.time * ticks.get() / 8
    };
    let lines = format!("{A}\n").repeat(100_000);
    let mut records = 0;
    let outcome = open::each_record_by(&clock, Cursor::new(lines), None, &limits, &mut |_| {
        records += 1;
        Ok(())
    });
    let time = limits.time;
    assert!(
        matches!(outcome, Err(PackageError::Limit(Limit::Time(t))) if t == time),
        "{outcome:?}"
    );
    assert!((1..100_000).contains(&records), "{records}");
}

#[test]
fn errors_tell_nothing_of_names_and_content() {
    for case in corpus() {
        if let Err(error) = comes_of(&case) {
            let said = format!("{error} {error:?}");
            for secret in ["u1", "u2", "distinct", "secret", PASSWORD] {
                assert!(!said.contains(secret), "{}: {said}", case.name);
            }
        }
    }
}
