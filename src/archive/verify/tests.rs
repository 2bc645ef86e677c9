//! Archives that hold what they claim, and others.

use std::io::{Cursor, Read, Write};

use proptest::{prelude::*, sample::Index};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use crate::archive::{
    bundle::tests::{EVENTS, PROFILES, archive, full, keys},
    package::ArchiveOptions,
    verify::{Report, VerifyError, verify},
};

fn check(archive: &[u8]) -> Result<Report, VerifyError> {
    verify(Cursor::new(archive), None)
}

fn message(archive: &[u8]) -> String {
    check(archive).unwrap_err().to_string()
}

/// The entries of an archive, to be changed.
fn entries() -> Vec<(String, Vec<u8>)> {
    let mut zip =
        zip::ZipArchive::new(Cursor::new(archive(&ArchiveOptions::default(), ""))).unwrap();
    (0..zip.len())
        .map(|n| {
            let mut entry = zip.by_index(n).unwrap();
            let mut text = Vec::new();
            entry.read_to_end(&mut text).unwrap();
            (entry.name().unwrap().into_owned(), text)
        })
        .collect()
}

/// Zips entries as the bundle does: sizes and checksums behind the data.
fn zipped(entries: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut out = rawzip::ZipArchiveWriter::new(Vec::new());
    for (name, text) in entries {
        let start = out.new_file(name).compression_method(rawzip::CompressionMethod::DEFLATE);
        let (entry, config) = start.start().unwrap();
        let packer = flate2::write::DeflateEncoder::new(entry, flate2::Compression::new(6));
        let mut data = config.wrap(packer);
        data.write_all(text).unwrap();
        let (packer, sums) = data.finish().unwrap();
        packer.finish().unwrap().finish(sums).unwrap();
    }
    out.finish().unwrap()
}

fn changed(change: impl FnOnce(&mut Vec<(String, Vec<u8>)>)) -> Vec<u8> {
    let mut entries = entries();
    change(&mut entries);
    zipped(&entries)
}

/// An archive in which a text stands for another in one entry.
fn replaced(entry: usize, from: &str, to: &str) -> Vec<u8> {
    changed(|entries| {
        let text = String::from_utf8(entries[entry].1.clone()).unwrap();
        assert!(text.contains(from), "{text}");
        entries[entry].1 = text.replace(from, to).into_bytes();
    })
}

/// An archive with another text in place of an entry, whose manifest knows the other text.
fn consistent(entry: usize, text: &str) -> Vec<u8> {
    changed(|entries| {
        entries[entry].1 = text.as_bytes().to_vec();
        let mut manifest: serde_json::Value = serde_json::from_slice(&entries[3].1).unwrap();
        let sha256 = <sha2::Sha256 as sha2::Digest>::digest(text);
        manifest["entries"][entry]["bytes"] = text.len().into();
        manifest["entries"][entry]["sha256"] = data_encoding::HEXLOWER.encode(&sha256).into();
        entries[3].1 = manifest.to_string().into_bytes();
    })
}

#[test]
fn an_archive_is_reported_with_what_the_ledger_knows_of_it() {
    for archive in [full(), archive(&ArchiveOptions::default(), ""), zipped(&entries())] {
        let report = check(&archive).unwrap();
        assert_eq!(report.request.to_string(), "r1");
        assert_eq!(report.project.to_string(), "default");
        assert_eq!(report.tracking_id, "1234567890");
        assert_eq!(report.exported_at, crate::archive::tests::workbench::facts().exported_at);
        assert_eq!((report.events, report.profiles), (2, 1));
        assert_eq!(report.bytes, archive.len() as u64);
        let sha256 = <sha2::Sha256 as sha2::Digest>::digest(&archive);
        assert_eq!(report.sha256, data_encoding::HEXLOWER.encode(&sha256));
        assert!(!report.encrypted);
    }
}

#[test]
fn an_encrypted_archive_is_verified_with_its_identity_alone() {
    let (recipient, identity) = keys();
    let options = ArchiveOptions { recipient: Some(recipient), csv: true };
    let sealed = archive(&options, "");
    let with = |archive: &[u8], identity: &str| {
        verify(Cursor::new(archive), Some(&identity.parse().unwrap()))
    };
    let report = with(&sealed, &identity).unwrap();
    assert!(report.encrypted && report.events == 2);
    assert!(matches!(check(&sealed), Err(VerifyError::IdentityMissing)));
    assert!(matches!(with(&sealed, &keys().1), Err(VerifyError::IdentityWrong)));
    for cut in [30, 100, sealed.len() / 2, sealed.len() - 1] {
        assert!(with(&sealed[..cut], &identity).is_err(), "{cut}");
    }
    let mut flipped = sealed.clone();
    *flipped.last_mut().unwrap() ^= 1;
    assert!(with(&flipped, &identity).is_err());
}

#[test]
fn entries_are_exactly_those_that_the_manifest_lists() {
    let foreign = changed(|entries| entries.insert(1, ("../x".into(), b"hidden".to_vec())));
    assert_eq!(
        message(&foreign),
        "entry 2 of the archive has a name that no archive of this worker has"
    );
    let extra = changed(|entries| entries.insert(3, ("events.csv".into(), b"a".to_vec())));
    assert!(matches!(check(&extra), Err(VerifyError::Unlisted("events.csv"))));
    let missing = changed(|entries| drop(entries.remove(1)));
    assert!(matches!(check(&missing), Err(VerifyError::Missing("events.ndjson"))));
    let twice = changed(|entries| {
        let events = entries[1].clone();
        entries.insert(1, events);
    });
    assert!(matches!(check(&twice), Err(VerifyError::Repeated("events.ndjson"))));
    let order = changed(|entries| entries.swap(2, 3));
    assert!(matches!(check(&order), Err(VerifyError::ManifestNotLast)));
    let none = changed(|entries| drop(entries.pop()));
    assert!(matches!(check(&none), Err(VerifyError::ManifestNotLast)));
    let unlisted = replaced(3, "\"README.txt\"", "\"events.csv\"");
    assert!(matches!(check(&unlisted), Err(VerifyError::Manifest(_))));
}

#[test]
fn another_content_is_told_with_what_was_found_and_expected() {
    let longer = replaced(0, "Your data", "Your dataset");
    assert!(matches!(check(&longer), Err(VerifyError::Size { entry: "README.txt", .. })));
    let other = replaced(0, "Your data", "His  data");
    let told = message(&other);
    assert!(
        told.starts_with("README.txt has the SHA-256 ") && told.contains("manifest says"),
        "{told}"
    );
    let miscounted = replaced(3, "\"events\": 2", "\"events\": 3");
    assert_eq!(message(&miscounted), "events.ndjson holds 2 records: the manifest says 3");
    let format = replaced(3, "\"format\": 1", "\"format\": 9");
    assert!(matches!(check(&format), Err(VerifyError::Manifest(_))));
}

#[test]
fn records_must_be_json_even_if_the_manifest_knows_their_hash() {
    assert!(check(&consistent(1, EVENTS)).is_ok());
    for events in ["{}\n{]\n", "{}\n3\n", "{}\n\n", "{}\n{}", "{}\n{\"a\":\"\u{0}\"}\n"] {
        let told = message(&consistent(1, events));
        assert!(told.starts_with("line 2 of events.ndjson"), "{told}");
    }
    assert!(check(&consistent(2, PROFILES)).is_ok());
    for profiles in
        ["", "[]", "[\n]\n", "[\n{},\n]\n", "[\n{}\n{}\n]\n", "[\n{}\n]\n{}\n", "[]\n[]\n"]
    {
        let told = message(&consistent(2, profiles));
        assert!(told.contains(" of profile.json"), "{profiles:?}: {told}");
    }
}

#[test]
fn nothing_hides_before_between_or_behind_the_entries() {
    let whole = full();
    let with = |at: usize, what: &[u8]| {
        let mut bytes = whole.clone();
        bytes.splice(at..at, what.iter().copied());
        bytes
    };
    let list = whole.windows(4).position(|bytes| bytes == b"PK\x01\x02").unwrap();
    let second = 1 + whole[1..].windows(4).position(|bytes| bytes == b"PK\x03\x04").unwrap();
    for at in [0, second, list, whole.len() - 22, whole.len()] {
        let outcome = check(&with(at, b"hidden"));
        assert!(matches!(outcome, Err(VerifyError::Zip(_))), "{at}: {outcome:?}");
    }
    // The name in a header, and not in the list.
    let name = whole.windows(10).position(|bytes| bytes == b"README.txt").unwrap();
    let mut renamed = whole.clone();
    renamed[name] = b'r';
    assert!(matches!(check(&renamed), Err(VerifyError::Zip(_))));
}

#[test]
fn zips_of_other_writers_and_other_files_are_no_archives() {
    let mut other = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    other.start_file("manifest.json", stored).unwrap();
    let other = other.finish().unwrap().into_inner();
    for bytes in [b"".as_slice(), b"PK", &[0; 4_000], b"age-encryption.org/v1", &other] {
        assert!(matches!(check(bytes), Err(VerifyError::Zip(_))));
    }
}

/// How an archive is spoilt.
#[derive(Clone, Debug)]
enum Mutation {
    Flip(Index, u8),
    Cut(Index),
    Insert(Index, Vec<u8>),
    Copy(Index, Index, usize),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        (any::<Index>(), 1u8..).prop_map(|(at, bits)| Mutation::Flip(at, bits)),
        any::<Index>().prop_map(Mutation::Cut),
        (any::<Index>(), prop::collection::vec(any::<u8>(), 1..40))
            .prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        (any::<Index>(), any::<Index>(), 1usize..60)
            .prop_map(|(from, to, length)| Mutation::Copy(from, to, length)),
    ]
}

fn spoil(archive: &mut Vec<u8>, mutation: &Mutation) {
    if archive.is_empty() {
        return;
    }
    match mutation {
        Mutation::Flip(at, bits) => *at.get_mut(archive) ^= bits,
        Mutation::Cut(at) => archive.truncate(at.index(archive.len())),
        Mutation::Insert(at, bytes) => {
            let at = at.index(archive.len());
            archive.splice(at..at, bytes.iter().copied());
        }
        Mutation::Copy(from, to, length) => {
            let from = from.index(archive.len());
            let bytes: Vec<u8> = archive[from..].iter().copied().take(*length).collect();
            let to = to.index(archive.len());
            for (place, byte) in archive[to..].iter_mut().zip(bytes) {
                *place = byte;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn a_spoilt_archive_is_never_taken_for_the_whole_one(
        mutations in prop::collection::vec(mutation(), 1..4), last in any::<bool>()
    ) {
        let whole = full();
        let mut spoilt = whole.clone();
        // Half of the cases spoil the end, where the structure of a zip is.
        let mut tail = if last { spoilt.split_off(spoilt.len() - 600) } else { spoilt.split_off(0) };
        for mutation in &mutations {
            spoil(&mut tail, mutation);
        }
        spoilt.extend(tail);
        if let Ok(report) = check(&spoilt) {
            // Bits that mean nothing to a reader, such as a time, may differ: the hash tells.
            prop_assert!(spoilt == whole || report.sha256 != check(&whole).unwrap().sha256);
            prop_assert_eq!((report.events, report.profiles), (2, 1));
        }
    }

    #[test]
    fn a_spoilt_encrypted_archive_is_refused(mutations in prop::collection::vec(mutation(), 1..3)) {
        let (recipient, identity) = keys();
        let options = ArchiveOptions { recipient: Some(recipient), csv: false };
        let whole = archive(&options, "");
        let mut spoilt = whole.clone();
        for mutation in &mutations {
            spoil(&mut spoilt, mutation);
        }
        let outcome = verify(Cursor::new(&spoilt), Some(&identity.parse().unwrap()));
        prop_assert!(spoilt == whole || outcome.is_err());
    }
}
