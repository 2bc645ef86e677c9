//! An export, whatever it is packed in.
//!
//! The bytes are opened as they are. A plain text is also packed in every way that is known, and must give the same
//! records each time.
//!
//! Dictionary: zip
#![no_main]

use std::{
    io::{Cursor, Write},
    sync::LazyLock,
};

use flate2::{Compression, write::GzEncoder};
use gdpr_worker::archive::{
    Limits, PackageError,
    fuzzing::{each_record, events_as_they_stand},
};
use libfuzzer_sys::fuzz_target;
use secrecy::SecretString;
use zip::{
    AesMode, CompressionMethod, ZipWriter,
    write::{FileOptionExtension, FileOptions, SimpleFileOptions},
};

const PASSWORD: &str = "open sesame";
static SECRET: LazyLock<SecretString> = LazyLock::new(|| PASSWORD.into());
/// What small exports can exceed.
static LIMITS: LazyLock<Limits> = LazyLock::new(|| Limits {
    entries: 20,
    unpacked_bytes: 2 * 1024 * 1024,
    text_bytes: 3 * 512 * 1024,
    record_bytes: 2 * 1024,
    ..Limits::default()
});

fuzz_target!(|data: &[u8]| {
    let plain = opened(data);
    as_it_stands(data, &plain);
    if may_be_packed(data) {
        let packed = packed(data);
        let again = opened(&packed);
        assert_eq!(outcome(&plain), outcome(&again), "the packing makes a difference");
        as_it_stands(&packed, &again);
    }
});

/// Records that came, and how it ended.
struct Opened {
    records: Vec<Vec<u8>>,
    end: Result<(), PackageError>,
}

/// Opens an export. What comes of it stays within its limits, whatever it claims.
fn opened(export: &[u8]) -> Opened {
    let mut records: Vec<Vec<u8>> = Vec::new();
    let mut bytes = 0;
    let end = each_record(Cursor::new(export), Some(&SECRET), &LIMITS, &mut |record| {
        bytes += record.len() as u64;
        assert!(record.len() as u64 <= LIMITS.record_bytes, "a record of {}", record.len());
        assert!(bytes <= LIMITS.unpacked_bytes, "{bytes} bytes of records");
        assert_eq!(record.trim_ascii(), record, "white space around a record");
        assert!(!record.is_empty(), "an empty record");
        records.push(record.to_vec());
    });
    if let Err(error) = &end {
        // Nothing here is a disk, so nothing may pass.
        assert!(!error.may_pass(), "{error}");
    }
    Opened { records, end }
}

/// The short way may only be taken where the long one leads to the same place.
fn as_it_stands(export: &[u8], opened: &Opened) {
    let events =
        events_as_they_stand(&mut Cursor::new(export), &LIMITS).expect("no disk, no fault");
    let Some(events) = events else { return };
    assert!(opened.end.is_ok(), "taken as it stands, and yet: {:?}", opened.end);
    assert_eq!(events, opened.records.len() as u64, "events were lost");
    assert!(opened.records.iter().all(|record| record.starts_with(b"{\"event\"")));
}

/// What to compare. How far reading came before an error depends on where bytes are cut.
fn outcome(opened: &Opened) -> Result<&[Vec<u8>], String> {
    match &opened.end {
        Ok(()) => Ok(&opened.records),
        Err(error) => Err(error.to_string()),
    }
}

/// A text without a packing of its own; one that is empty or has a limit of packed texts has other faults.
fn may_be_packed(data: &[u8]) -> bool {
    let known: [&[u8]; 9] = [
        b"PK",
        b"\x1f\x8b",
        b"\x28\xb5\x2f\xfd",
        b"BZh",
        b"\xfd7zXZ",
        b"7z\xbc\xaf",
        b"Rar!",
        b"\x04\x22\x4d\x18",
        b"\x2a\x4d\x18",
    ];
    let head = &data[..data.len().min(8)];
    !known.iter().any(|magic| head.windows(magic.len()).any(|bytes| bytes == *magic))
}

/// One packing, chosen by the text.
fn packed(text: &[u8]) -> Vec<u8> {
    let plain = SimpleFileOptions::default();
    let sum: usize = text.iter().map(|&byte| usize::from(byte)).sum();
    match sum % 8 {
        0 | 1 => gzip(text),
        2 => {
            // Two members, cut anywhere.
            let (head, tail) = text.split_at(sum % (text.len() + 1));
            [gzip(head), gzip(tail), vec![0; sum % 3]].concat()
        }
        3 => zstd::bulk::compress(text, 1).expect("a text"),
        4 => zipped(text, plain.compression_method(CompressionMethod::Stored)),
        5 => zipped(text, plain.compression_method(CompressionMethod::Deflated)),
        6 => zipped(&gzip(text), plain.compression_method(CompressionMethod::Stored)),
        _ => zipped(text, plain.with_aes_encryption(AesMode::Aes256, PASSWORD)),
    }
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(text).expect("memory");
    gzip.finish().expect("memory")
}

fn zipped<E: FileOptionExtension>(text: &[u8], options: FileOptions<'_, '_, E>) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("export", options).expect("a name");
    zip.write_all(text).expect("memory");
    zip.finish().expect("memory").into_inner()
}
