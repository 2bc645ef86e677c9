//! Archives through the front door, opened by other programs.

use std::{
    fs,
    io::{self, Cursor, Read},
    path::Path,
    process::Command,
};

use age::secrecy::ExposeSecret;
use chrono::{DateTime, TimeDelta};
use flate2::{Compress, Compression, FlushCompress};
use sha2::{Digest, Sha256};

use crate::archive::{
    bundle::{Contents, write_archive},
    deflated::{Deflated, DeflatedFacts, Held},
    deflater::Deflater,
    error::PackageError,
    package::{ArchiveOptions, BatchFacts, Outcome},
    recipient::Recipient,
    split::Share,
    tests::workbench::{facts, person},
};

pub(in crate::archive) const EVENTS: &str = concat!(
    r#"{"event":"A","properties":{"time":1728000000,"distinct_id":"u1","price":1.10}}"#,
    "\n",
    r#"{"event":"B","properties":{"time":1728000001,"distinct_id":"u1","s":"é, \"x\""}}"#,
    "\n"
);
pub(in crate::archive) const PROFILES: &str =
    "[\n{\"$distinct_id\":\"u1\",\"$properties\":{\"$email\":\"u1@example.test\"}}\n]\n";
const UNPARSED: &str = "{\"event\":\n";

/// The archive of one person with two events and one profile.
pub(in crate::archive) fn archive(options: &ArchiveOptions, unparsed: &str) -> Vec<u8> {
    let share = Share { events: 2, profiles: 1, unparsed: 0 };
    let texts = [EVENTS, PROFILES, unparsed].map(|text| Held::new(text.as_bytes()).unwrap());
    let contents = Contents { events: &texts[0], profiles: &texts[1], unparsed: Some(&texts[2]) };
    let mut out = Vec::new();
    written(&mut out, options, &facts(), share, &contents).unwrap();
    out
}

fn written(
    out: &mut dyn io::Write,
    options: &ArchiveOptions,
    batch: &BatchFacts,
    share: Share,
    contents: &Contents<'_>,
) -> Result<(), PackageError> {
    let outcome = Outcome { share, unattributed: false };
    let person = person("r1", &["u1"]);
    write_archive(&mut Deflater::new(), out, options, batch, &person, outcome, contents)
}

/// Everything that an archive may have.
pub(in crate::archive) fn full() -> Vec<u8> {
    archive(&ArchiveOptions { csv: true, ..ArchiveOptions::default() }, UNPARSED)
}

fn names(zip: &[u8]) -> Vec<String> {
    let mut zip = zip::ZipArchive::new(Cursor::new(zip)).unwrap();
    (0..zip.len()).map(|n| zip.by_index(n).unwrap().name().unwrap().into_owned()).collect()
}

fn entry(zip: &[u8], name: &str) -> String {
    let mut zip = zip::ZipArchive::new(Cursor::new(zip)).unwrap();
    let mut text = String::new();
    zip.by_name(name).unwrap().read_to_string(&mut text).unwrap();
    text
}

/// The output of a program, which must be there and succeed.
pub(in crate::archive) fn run(program: &str, arguments: &[&str], folder: &Path) -> Vec<u8> {
    let output = Command::new(program).args(arguments).current_dir(folder).output();
    let output = output.unwrap_or_else(|error| {
        panic!("{program} is needed by this test and does not start ({error}): install it")
    });
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {told}");
    output.stdout
}

#[test]
fn entries_stand_in_their_order_and_only_where_they_have_something_to_say() {
    let plain = archive(&ArchiveOptions::default(), "");
    assert_eq!(names(&plain), ["README.txt", "events.ndjson", "profile.json", "manifest.json"]);
    let readme = entry(&plain, "README.txt");
    assert!(!readme.contains("unparsed.txt") && !readme.contains("events.csv"));
    let all = [
        "README.txt",
        "events.ndjson",
        "profile.json",
        "unparsed.txt",
        "events.csv",
        "manifest.json",
    ];
    assert_eq!(names(&full()), all);
    assert_eq!(entry(&full(), "events.ndjson"), EVENTS);
    assert_eq!(entry(&full(), "profile.json"), PROFILES);
    assert_eq!(entry(&full(), "unparsed.txt"), UNPARSED);
    let readme = entry(&full(), "README.txt");
    assert!(readme.contains("unparsed.txt") && readme.contains("events.csv"));
}

#[test]
fn the_manifest_lists_every_other_entry_with_its_size_and_hash() {
    let zip = full();
    let manifest: serde_json::Value = serde_json::from_str(&entry(&zip, "manifest.json")).unwrap();
    let listed = manifest["entries"].as_array().unwrap();
    assert_eq!(listed.len(), 5);
    for facts in listed {
        let text = entry(&zip, facts["name"].as_str().unwrap());
        assert_eq!(facts["bytes"], text.len());
        let sha256 = data_encoding::HEXLOWER.encode(&Sha256::digest(text.as_bytes()));
        assert_eq!(facts["sha256"], sha256.as_str());
    }
    assert_eq!(manifest["counts"], serde_json::json!({"events": 2, "profiles": 1}));
}

#[test]
fn the_same_facts_give_the_same_bytes_and_private_entries_of_the_exports_time() {
    assert_eq!(full(), full());
    let zip = full();
    let mut zip = zip::ZipArchive::new(Cursor::new(zip)).unwrap();
    for n in 0..zip.len() {
        let entry = zip.by_index(n).unwrap();
        assert_eq!(entry.unix_mode(), Some(0o100_600));
        let time = entry.last_modified().unwrap();
        assert_eq!((time.year(), time.month(), time.day()), (2024, 10, 7));
    }
}

#[test]
fn a_time_that_no_zip_can_hold_does_not_stop_it() {
    let text = Held::new(b"").unwrap();
    let contents = Contents { events: &text, profiles: &text, unparsed: None };
    for days in [0, -900_000, 900_000, 90_000_000] {
        let exported_at = DateTime::UNIX_EPOCH + TimeDelta::days(days);
        let batch = BatchFacts { exported_at, ..facts() };
        let mut zip = Vec::new();
        written(&mut zip, &ArchiveOptions::default(), &batch, Share::default(), &contents).unwrap();
        assert_eq!(names(&zip).len(), 4);
    }
}

/// Each of these programs reads a zip in a way of its own.
#[test]
fn other_programs_test_an_archive_and_give_back_what_is_in_it() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("a.zip"), full()).unwrap();
    let python = "import sys, zipfile\n\
                  zip = zipfile.ZipFile('a.zip')\n\
                  assert zip.testzip() is None\n\
                  sys.stdout.buffer.write(zip.read('events.ndjson'))";
    for (program, arguments) in [
        ("unzip", &["-tq", "a.zip"] as &[_]),
        ("7z", &["t", "a.zip"]),
        ("bsdtar", &["-tf", "a.zip"]),
    ] {
        run(program, arguments, home.path());
    }
    for (program, arguments) in [
        ("unzip", &["-p", "a.zip", "events.ndjson"] as &[_]),
        ("7z", &["x", "-so", "a.zip", "events.ndjson"]),
        ("bsdtar", &["-xOf", "a.zip", "events.ndjson"]),
        ("python3", &["-c", python]),
    ] {
        let text = run(program, arguments, home.path());
        assert!(text == EVENTS.as_bytes(), "{program}");
    }
}

/// A deflated text that was not made from its bytes.
struct Made {
    packed: Vec<u8>,
    facts: DeflatedFacts,
}

impl Deflated for Made {
    fn facts(&self) -> DeflatedFacts {
        self.facts
    }

    fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(self.packed.as_slice()))
    }
}

/// Zeros of more than 4 GiB: one piece, over and over.
fn zeros() -> Made {
    const PIECE: usize = 1 << 20;
    const TIMES: usize = 4_100;
    let mut encoder = Compress::new(Compression::new(6), false);
    let mut piece = Vec::with_capacity(PIECE);
    encoder.compress_vec(&vec![0; PIECE], &mut piece, FlushCompress::Sync).unwrap();
    let mut packed = piece.repeat(TIMES);
    let (mut crc, mut one) = (crc32fast::Hasher::new(), crc32fast::Hasher::new());
    one.update(&vec![0; PIECE]);
    (0..TIMES).for_each(|_| crc.combine(&one));
    // An empty last block.
    packed.extend_from_slice(&[3, 0]);
    let facts = DeflatedFacts {
        bytes: (PIECE * TIMES) as u64,
        packed_bytes: packed.len() as u64,
        crc32: crc.finalize(),
        sha256: [0; 32],
    };
    Made { packed, facts }
}

fn large() -> Vec<u8> {
    let (zeros, none) = (zeros(), Held::new(b"[]\n").unwrap());
    let contents = Contents { events: &zeros, profiles: &none, unparsed: None };
    let mut zip = Vec::new();
    let options = ArchiveOptions::default();
    written(&mut zip, &options, &facts(), Share::default(), &contents).unwrap();
    zip
}

#[test]
fn an_entry_of_more_than_4_gib_is_listed_with_its_true_size_by_every_program() {
    let zip = large();
    let size = zeros().facts.bytes;
    let mut archive = zip::ZipArchive::new(Cursor::new(&zip)).unwrap();
    assert_eq!(archive.by_name("events.ndjson").unwrap().size(), size);
    assert!(entry(&zip, "manifest.json").contains(&size.to_string()));
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("a.zip"), zip).unwrap();
    let python =
        "import zipfile; print([e.file_size for e in zipfile.ZipFile('a.zip').infolist()])";
    for (program, arguments) in [
        ("unzip", &["-l", "a.zip"] as &[_]),
        ("7z", &["l", "a.zip"]),
        ("bsdtar", &["-tvf", "a.zip"]),
        ("python3", &["-c", python]),
    ] {
        let listed = String::from_utf8(run(program, arguments, home.path())).unwrap();
        assert!(listed.contains(&size.to_string()), "{program}: {listed}");
    }
}

#[test]
#[ignore = "inflates 4 GiB four times: some minutes without optimization"]
fn an_entry_of_more_than_4_gib_is_unpacked_by_every_program() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("a.zip"), large()).unwrap();
    let python = "import zipfile; assert zipfile.ZipFile('a.zip').testzip() is None";
    for (program, arguments) in [
        ("unzip", &["-tq", "a.zip"] as &[_]),
        ("7z", &["t", "a.zip"]),
        ("python3", &["-c", python]),
        ("sh", &["-c", "bsdtar -xOf a.zip events.ndjson | wc -c | grep -qx 4299161600"]),
    ] {
        run(program, arguments, home.path());
    }
}

#[test]
fn a_payload_of_another_length_than_it_says_is_a_failure_of_the_spool() {
    let text = Held::new(b"").unwrap();
    let mut short = Made { packed: vec![3], facts: text.facts() };
    for bytes in [1, 3] {
        short.packed = vec![3; bytes];
        let contents = Contents { events: &short, profiles: &text, unparsed: None };
        let mut out = Vec::new();
        let options = ArchiveOptions::default();
        let outcome = written(&mut out, &options, &facts(), Share::default(), &contents);
        assert!(matches!(outcome, Err(PackageError::Spool(_))), "{bytes}");
    }
}

/// A store that is full after so many bytes.
struct Full(usize);

impl io::Write for Full {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(buf.len()).ok_or(io::ErrorKind::StorageFull)?;
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_store_is_named_as_such_with_and_without_a_recipient() {
    let text = Held::new(EVENTS.as_bytes()).unwrap();
    let contents = Contents { events: &text, profiles: &text, unparsed: None };
    for recipient in [None, Some(keys().0)] {
        let options = ArchiveOptions { recipient, csv: true };
        for room in [0, 10, 500] {
            let outcome = written(&mut Full(room), &options, &facts(), Share::default(), &contents);
            let Err(PackageError::Store(error)) = outcome else { panic!("{outcome:?}") };
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        }
    }
}

/// A recipient and the text of its identity file.
pub(in crate::archive) fn keys() -> (Recipient, String) {
    let key = age::x25519::Identity::generate();
    let secret = key.to_string().expose_secret().to_owned();
    (key.to_public().to_string().parse().unwrap(), format!("# a key\n{secret}\n"))
}

#[test]
fn an_encrypted_archive_is_the_same_zip_once_it_is_opened_and_shows_nothing_before() {
    let (recipient, identity) = keys();
    let sealed = archive(&ArchiveOptions { recipient: Some(recipient), csv: true }, UNPARSED);
    for part in [b"events.ndjson".as_slice(), b"PK\x01\x02", b"PK\x03\x04"] {
        assert!(!sealed.windows(part.len()).any(|window| window == part));
    }
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("key"), identity).unwrap();
    fs::write(home.path().join("a.age"), sealed).unwrap();
    assert!(run("age", &["-d", "-i", "key", "a.age"], home.path()) == full());
}
