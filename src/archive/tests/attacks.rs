//! Whole runs with exports that are sealed, broken, hostile or misleading: nobody gets what is not
//! certainly theirs, and nothing half-done is left.

use std::{fs, io::Cursor, os::unix::fs::PermissionsExt, path::PathBuf};

use crate::archive::{
    tests::exports::{Cipher, gzip, zip},
    tests::workbench::{Bench, RECORDS, entry, hashes, lines, ndjson, tree, two},
    *,
};

#[test]
fn a_sealed_export_says_whether_the_password_is_missing_or_wrong() {
    let plain = ndjson();
    for cipher in [Cipher::ZipCrypto, Cipher::Aes] {
        let export = zip(&[("export.json", &plain)], cipher);
        let missing = Bench::new().run(&export, &two());
        assert!(matches!(missing, Err(PackageError::Sealed(Seal::Missing))), "{cipher:?}");
        for password in ["wrong".to_owned(), nearly_right(&export)] {
            let bench = Bench::with_password(&password);
            let wrong = bench.run(&export, &two());
            assert!(
                matches!(wrong, Err(PackageError::Sealed(Seal::Wrong))),
                "{cipher:?}, {password}: {wrong:?}"
            );
            assert!(bench.files("store").is_empty() && bench.files("spool").is_empty());
        }
    }
}

/// A wrong password that passes the first check of ZipCrypto, as one in 256 does; AES has a better
/// check, for which any wrong one will do.
fn nearly_right(export: &[u8]) -> String {
    let mut archive = zip::ZipArchive::new(Cursor::new(export)).unwrap();
    let aes = archive.get_aes_verification_key_and_salt(0).unwrap().is_some();
    let mut guesses = (0..100_000).map(|n| format!("guess {n}"));
    guesses.find(|guess| aes || archive.by_index_decrypt(0, guess.as_bytes()).is_ok()).unwrap()
}

#[test]
fn what_is_not_certainly_somebodys_is_kept_in_quarantine_and_given_to_nobody() {
    let traps = [
        r#"{"event":"nested","x":{"distinct_id":"u1"},"properties":{"y":{"$user_id":"u2"}}}"#,
        r#"{"event":"text","properties":{"note":"\"distinct_id\":\"u1\""}}"#,
        r#"{"event":"twice","properties":{"distinct_id":"u3","distinct_id":"u3"}}"#,
        r#"{"event":"stranger","properties":{"distinct_id":"u3"}}"#,
        r#"{"event":"prefix","properties":{"distinct_id":"u11"}}"#,
        r#"{"event":"missing"}"#,
        r#"{"event":"broken","properties":{"distinct_id":"u3"}"#,
    ];
    let honest = [
        r#"{"x":{"distinct_id":"u2"},"event":"mine","properties":{"distinct\u005fid":"\u00751"}}"#,
        r#"{"event":"other key","properties":{"distinct_id":"gone","$user_id":"u1"}}"#,
    ];
    let export = [traps.as_slice(), &honest].concat().join("\n") + "\n";
    let bench = Bench::new();
    let packaged = bench.run(export.as_bytes(), &two()).unwrap();

    assert_eq!((packaged.read, packaged.given, packaged.quarantined), (9, 2, 7));
    let reasons = Reasons { malformed: 1, ambiguous: 1, several: 0, nobody: 5 };
    assert_eq!(packaged.reasons, reasons);
    assert_eq!(lines(&entry(&packaged.archives[0].location, "events.ndjson")), honest);
    let quarantine = packaged.quarantine.unwrap();
    assert_eq!(lines(&bench.quarantined(&quarantine)), traps);
    assert_eq!(fs::metadata(&quarantine).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(bench.files("spool").len(), 1);
    let manifest = entry(&packaged.archives[0].location, "manifest.json");
    assert!(manifest.contains("\"unattributed_records\": true"), "{manifest}");
}

#[test]
fn a_truncated_export_is_an_error_at_every_length() {
    let plain = ndjson();
    for whole in [gzip(&plain), zip(&[("export.json", &plain)], Cipher::None)] {
        for length in 5..whole.len() {
            let bench = Bench::new();
            let outcome = bench.run(&whole[..length], &two());
            assert!(matches!(outcome, Err(PackageError::Corrupt(_))), "{length}: {outcome:?}");
            assert!(bench.files("store").is_empty() && bench.files("spool").is_empty());
        }
    }
}

#[test]
fn a_flipped_bit_changes_nothing_or_is_an_error() {
    let plain = ndjson();
    let expected = hashes(&Bench::new().run(&plain, &two()).unwrap());
    for whole in [gzip(&plain), zip(&[("export.json", &plain)], Cipher::None)] {
        for position in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[position] ^= 1 << (position % 8);
            if let Ok(packaged) = Bench::new().run(&damaged, &two()) {
                assert_eq!(hashes(&packaged), expected, "{position}");
            }
        }
    }
}

#[test]
fn unknown_contents_are_an_error_and_never_an_archive_without_data() {
    for export in [
        b"event,country\nA,NZ\n".to_vec(),
        b"<html>Sign in</html>".to_vec(),
        zip(&[("a.json", b""), ("b.html", b"<html>Sign in</html>")], Cipher::None),
    ] {
        let bench = Bench::new();
        let outcome = bench.run(&export, &two());
        assert!(matches!(outcome, Err(PackageError::Corrupt(Fault::UnknownFormat))), "{outcome:?}");
        assert!(bench.files("store").is_empty());
    }
}

#[test]
fn an_unknown_entry_beside_data_is_one_record_in_quarantine() {
    let note = b"\x00\x05\x16\x07 Mac OS X";
    let export = zip(&[("__MACOSX/._a", note), ("a.json", &ndjson())], Cipher::None);
    let bench = Bench::new();
    let packaged = bench.run(&export, &two()).unwrap();
    assert_eq!((packaged.read, packaged.given, packaged.reasons.malformed), (5, 4, 1));
    let kept = bench.quarantined(&packaged.quarantine.unwrap());
    assert!(kept.trim_ascii_end().as_bytes() == note, "the quarantine holds something else");
}

fn assert_limit(bench: &Bench, export: &[u8], expected: Limit) {
    match bench.run(export, &two()) {
        Err(PackageError::Limit(limit)) => assert_eq!(limit, expected),
        other => panic!("expected {expected}, got {other:?}"),
    }
    assert!(bench.files("store").is_empty() && bench.files("spool").is_empty());
}

#[test]
fn bombs_are_stopped_by_the_limit_that_they_exceed() {
    let bench = Bench::new();
    let zeros = format!("{{\"event\":\"{}\"}}\n", "0".repeat(9_000_000));
    assert_limit(&bench, &gzip(zeros.as_bytes()), Limit::Ratio(200));
    assert_limit(&bench, &zip(&[("a", zeros.as_bytes())], Cipher::None), Limit::Ratio(200));
    let layers = zip(&[("a", &gzip(zeros.as_bytes()))], Cipher::None);
    assert_limit(&bench, &layers, Limit::Ratio(200));
    let inner = zip(&[("a", &ndjson())], Cipher::None);
    assert_limit(&bench, &zip(&[("a.zip", &inner)], Cipher::None), Limit::Nesting);
    assert_limit(&bench, &gzip(&inner), Limit::Nesting);
    assert_limit(&bench, &gzip(&gzip(&ndjson())), Limit::Nesting);
    let long = format!("{{\"event\":\"{}\"}}", "ab".repeat(8 * 1024 * 1024));
    assert_limit(&bench, long.as_bytes(), Limit::Record(16 * 1024 * 1024));
}

#[test]
fn entries_and_bytes_count_over_the_whole_export() {
    let mut bench = Bench::new();
    bench.limits.entries = 2;
    let plain = ndjson();
    let three: &[(&str, &[u8])] = &[("a", &plain), ("b", &plain), ("c/", b"")];
    assert_limit(&bench, &zip(three, Cipher::None), Limit::Entries(2));
    assert!(bench.run(&zip(&three[..2], Cipher::None), &two()).is_ok());
    let mut bench = Bench::new();
    bench.limits.unpacked_bytes = 2 * plain.len() as u64 - 1;
    assert_limit(&bench, &zip(three, Cipher::None), Limit::Unpacked(2 * plain.len() as u64 - 1));
}

#[test]
fn entry_names_lead_nowhere_and_repeated_names_lose_nothing() {
    let names =
        ["../../up", "/etc/abs", "C:\\x", "nul\u{0}", "\u{202e}txt", "a/../../b", "dup1", "dirX"];
    let parts: Vec<(&str, &[u8])> =
        names.iter().map(|&name| (name, RECORDS[0].as_bytes())).collect();
    let mut parts = parts;
    parts.push(("dup2", RECORDS[1].as_bytes()));
    let mut export = zip(&parts, Cipher::None);
    // No honest writer makes these: a name that stands twice, and a folder with content.
    rename(&mut export, *b"dup2", *b"dup1");
    rename(&mut export, *b"dirX", *b"dir/");
    let bench = Bench::new();
    let before = tree(bench.home.path());
    let packaged = bench.run(&export, &two()).unwrap();
    assert_eq!((packaged.read, packaged.given), (9, 9));
    assert_eq!(packaged.archives[1].events, 1);
    let new: Vec<_> =
        tree(bench.home.path()).into_keys().filter(|p| !before.contains_key(p)).collect();
    let expected = ["store/r1.zip", "store/r2.zip"].map(PathBuf::from);
    assert_eq!(new, expected);
}

fn rename(export: &mut [u8], from: [u8; 4], to: [u8; 4]) {
    for position in 0..export.len() - 4 {
        if export[position..].starts_with(&from) {
            export[position..position + 4].copy_from_slice(&to);
        }
    }
}
