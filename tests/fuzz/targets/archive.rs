//! An archive that somebody says is ours.
//!
//! What begins like a zip or an encrypted file is checked as it is. Anything else is three texts, separated by zeros
//! (events, profiles, the rest), of which an archive is made whose manifest agrees with them: then the texts alone decide.
//!
//! Dictionary: zip
#![no_main]

use std::{
    fmt::Write as _,
    io::{self, Cursor, Read, Write as _},
    sync::LazyLock,
};

use gdpr_worker::archive::{Identity, Report, VerifyError, verify};
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;
use sha2::{Digest, Sha256};
use zip::ZipArchive;

/// No secret: 32 bytes of 7. The encrypted seed is for it.
const IDENTITY: &str = "AGE-SECRET-KEY-1QURSWPC8QURSWPC8QURSWPC8QURSWPC8QURSWPC8QURSWPC8QURSKMP32K";
static OWN: LazyLock<Identity> = LazyLock::new(|| IDENTITY.parse().expect("an identity"));

fuzz_target!(|data: &[u8]| {
    if data.starts_with(b"PK") || data.starts_with(b"age") {
        let outcome = verify(Cursor::new(data), Some(&OWN));
        match outcome {
            Ok(report) => verified(data, &report),
            Err(error) => assert!(!matches!(error, VerifyError::Io(_)), "{error}"),
        }
        return;
    }
    let mut texts = data.splitn(3, |&byte| byte == 0);
    let mut text = || texts.next().unwrap_or_default();
    made(text(), text(), text());
});

/// What is taken for whole says the same to another reader of zips.
fn verified(data: &[u8], report: &Report) {
    assert_eq!(report.bytes, data.len() as u64);
    if report.encrypted {
        return;
    }
    let mut zip = ZipArchive::new(Cursor::new(data)).expect("a zip");
    let mut read = |name: &str| {
        let mut text = Vec::new();
        zip.by_name(name).expect("an entry").read_to_end(&mut text).expect("a whole entry");
        text
    };
    assert_eq!(events(&read("events.ndjson")), Some(report.events));
    assert_eq!(profiles(&read("profile.json")), Some(report.profiles));
    let _ = read("README.txt");
    let manifest: serde_json::Value =
        serde_json::from_slice(&read("manifest.json")).expect("a manifest");
    let listed = manifest["entries"].as_array().expect("a list").len();
    assert_eq!(zip.len(), listed + 1, "something else is in it");
}

/// An archive of these texts is whole if the texts have the form that is told, and otherwise not.
fn made(events_text: &[u8], profiles_text: &[u8], readme: &[u8]) {
    let counts = (events(events_text), profiles(profiles_text));
    let texts =
        [("README.txt", readme), ("events.ndjson", events_text), ("profile.json", profiles_text)];
    let manifest = manifest(&texts, counts.0.unwrap_or(0), counts.1.unwrap_or(0));
    let zip = zipped(texts.into_iter().chain([("manifest.json", manifest.as_bytes())]));
    let outcome = verify(Cursor::new(&zip), None);
    if let (Some(events), Some(profiles)) = counts {
        let report = outcome.expect("an archive in order");
        assert_eq!((report.events, report.profiles), (events, profiles));
        verified(&zip, &report);
    } else {
        assert!(matches!(outcome, Err(VerifyError::Record { .. })), "{outcome:?}");
    }
}

fn manifest(texts: &[(&str, &[u8])], events: u64, profiles: u64) -> String {
    let entries: Vec<String> = texts
        .iter()
        .map(|(name, text)| {
            let sha256 = Sha256::digest(text).iter().fold(String::new(), |mut hex, byte| {
                write!(hex, "{byte:02x}").expect("memory");
                hex
            });
            format!(r#"{{"name":"{name}","bytes":{},"sha256":"{sha256}"}}"#, text.len())
        })
        .collect();
    format!(
        r#"{{"format":1,"request":"r1","project":"default","tracking_id":"1","exported_at":"2026-01-31T09:30:00Z","counts":{{"events":{events},"profiles":{profiles}}},"entries":[{}]}}"#,
        entries.join(",")
    )
}

/// A zip as the worker writes it, but for the compression, which would take most of the time.
fn zipped<'a>(entries: impl Iterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let mut out = rawzip::ZipArchiveWriter::new(Vec::new());
    for (name, text) in entries {
        let start = out.new_file(name).compression_method(rawzip::CompressionMethod::DEFLATE);
        let (entry, config) = start.start().expect("a name");
        let mut data = config.wrap(Blocks(entry));
        data.write_all(text).expect("memory");
        let (Blocks(mut entry), sums) = data.finish().expect("memory");
        entry.write_all(&[1, 0, 0, 0xff, 0xff]).expect("memory");
        entry.finish(sums).expect("memory");
    }
    out.finish().expect("memory")
}

/// Writes blocks of a deflate stream that are not compressed (RFC 1951, 3.2.4).
struct Blocks<W>(W);

impl<W: io::Write> io::Write for Blocks<W> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
        let [low, high] = length.to_le_bytes();
        self.0.write_all(&[0, low, high, !low, !high])?;
        self.0.write_all(&text[..usize::from(length)])?;
        Ok(length.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// How many events a text of one JSON object a line has; `None` if it is another text.
fn events(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    let Some(lines) = text.strip_suffix('\n') else { return text.is_empty().then_some(0) };
    let objects = lines.split('\n').map(is_object).collect::<Option<Vec<()>>>()?;
    Some(objects.len() as u64)
}

/// How many profiles a text has that is an array with one object a line; `None` if it is another text.
fn profiles(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    if text == "[]\n" {
        return Some(0);
    }
    let lines = text.strip_prefix("[\n")?.strip_suffix("\n]\n")?;
    let objects = lines.split(",\n").map(is_object).collect::<Option<Vec<()>>>()?;
    Some(objects.len() as u64)
}

fn is_object(line: &str) -> Option<()> {
    let one = line.starts_with('{') && !line.contains('\n');
    (one && serde_json::from_str::<IgnoredAny>(line).is_ok()).then_some(())
}
