//! Whole runs: an export goes in, archives come out.

use std::{
    fs,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
    process::Command,
};

use sha2::{Digest, Sha256};
use zip::CompressionMethod;

use crate::archive::{
    tests::exports::{self, Cipher, gzip, zip},
    tests::workbench::{Bench, RECORDS, entry, hashes, lines, ndjson, person, tree, two},
    *,
};

#[test]
fn a_record_is_given_as_it_stands_and_a_profile_in_a_list() {
    let bench = Bench::new();
    let packaged = bench.run(&ndjson(), &two()).unwrap();
    assert_eq!((packaged.read, packaged.given, packaged.quarantined), (4, 4, 0));
    let first = &packaged.archives[0];
    assert_eq!((first.events, first.profiles), (2, 1));
    assert_eq!(lines(&entry(&first.location, "events.ndjson")), [RECORDS[0], RECORDS[3]]);
    assert_eq!(entry(&first.location, "profile.json"), format!("[\n{}\n]\n", RECORDS[2]));
    assert_eq!(lines(&entry(&packaged.archives[1].location, "events.ndjson")), [RECORDS[1]]);
    assert_eq!(first.bytes, fs::metadata(&first.location).unwrap().len());
    let sha256 = Sha256::digest(fs::read(&first.location).unwrap());
    assert_eq!(first.sha256, data_encoding::HEXLOWER.encode(&sha256));
    assert_eq!(bench.files("store"), ["r1.zip", "r2.zip"]);
    assert!(bench.files("spool").is_empty());
}

#[test]
fn every_packing_and_layout_gives_the_same_archives() {
    let plain = ndjson();
    let text = String::from_utf8(plain.clone()).unwrap();
    let array = format!("[{}]", RECORDS.join(","));
    let pretty = array.replace(",\"", ",\n  \"").replace("}}", "}\n}").replace("},{", "},\n{");
    let objects = RECORDS.map(|r| r.replacen('{', "{\n  ", 1) + "\n").concat();
    let middle = plain.iter().position(|&b| b == b'B').unwrap();
    let members = [gzip(&plain[..middle]), gzip(&plain[middle..])].concat();
    let halves: &[(&str, &[u8])] = &[
        ("data/", b""),
        ("data/1.json", RECORDS[0].as_bytes()),
        ("data/deep/2.gz", &gzip(format!("[{},{}]", RECORDS[1], RECORDS[2]).as_bytes())),
        ("empty", b""),
        ("3", RECORDS[3].as_bytes()),
    ];
    let whole: &[(&str, &[u8])] = &[("export.json", &plain)];
    let stored = CompressionMethod::Stored;
    let variants: Vec<(&str, Vec<u8>)> = vec![
        ("crlf", text.replace('\n', "\r\n").into_bytes()),
        ("byte order mark", format!("\u{feff}{text}").into_bytes()),
        ("no last line break", text.trim_end().as_bytes().to_vec()),
        ("blank lines", text.replace('\n', "\n\n \n").into_bytes()),
        ("array", array.clone().into_bytes()),
        ("pretty array", pretty.into_bytes()),
        ("pretty objects", objects.into_bytes()),
        ("gzip", gzip(&plain)),
        ("gzip of several members", members),
        ("gzip of an array", gzip(array.as_bytes())),
        ("zip", zip(whole, Cipher::None)),
        ("zip of parts", zip(halves, Cipher::None)),
        ("zip, stored", exports::zip_by(whole, Cipher::None, stored)),
        ("zip, ZipCrypto", zip(whole, Cipher::ZipCrypto)),
        ("zip of parts, ZipCrypto", zip(halves, Cipher::ZipCrypto)),
        ("zip, ZipCrypto, stored", exports::zip_by(whole, Cipher::ZipCrypto, stored)),
        ("zip, AES", zip(whole, Cipher::Aes)),
        ("zip of parts, AES", zip(halves, Cipher::Aes)),
    ];
    let expected = hashes(&Bench::new().run(&plain, &two()).unwrap());
    for (name, export) in variants {
        let packaged = Bench::with_password(exports::PASSWORD).run(&export, &two());
        let packaged = packaged.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(hashes(&packaged), expected, "{name}");
    }
}

#[test]
fn a_person_without_data_gets_an_archive_that_says_so() {
    for export in [
        Vec::new(),
        b"[]".to_vec(),
        zip(&[], Cipher::None),
        zip(&[("export.json", b"")], Cipher::None),
        gzip(b""),
    ] {
        let bench = Bench::new();
        let packaged = bench.run(&export, &two()).unwrap();
        assert_eq!((packaged.read, packaged.archives.len()), (0, 2));
        let location = &packaged.archives[1].location;
        assert!(entry(location, "README.txt").contains("No data was found"));
        assert_eq!(entry(location, "events.ndjson"), "");
        assert_eq!(entry(location, "profile.json"), "[]\n");
    }
}

#[test]
fn a_batch_of_one_person_gets_every_valid_record() {
    let export = br#"{"event":"A","properties":{"distinct_id":"canonical"}}
{"event":"B"}
{"event":"C","event":"D"}
"#;
    let packaged = Bench::new().run(export, &[person("r1", &["u1"])]).unwrap();
    assert_eq!((packaged.given, packaged.quarantined), (3, 0));
}

#[test]
fn a_record_of_two_requests_of_one_person_is_given_to_both_and_counted_once() {
    let people = [person("r1", &["u1"]), person("r2", &["u1", "u9"]), person("r3", &["u3"])];
    let packaged = Bench::new().run(&ndjson(), &people).unwrap();
    assert_eq!((packaged.read, packaged.given, packaged.quarantined), (4, 3, 1));
    assert_eq!(packaged.archives[0].events, 2);
    assert_eq!(packaged.archives[1].events, 2);
}

#[test]
fn an_archive_depends_on_its_own_persons_records_alone() {
    let bench = Bench::new();
    let first = hashes(&bench.run(&ndjson(), &two()).unwrap());
    assert_eq!(hashes(&bench.run(&ndjson(), &two()).unwrap()), first);
    let others = [RECORDS[1], RECORDS[1], RECORDS[0], RECORDS[3], RECORDS[2]].join("\n");
    let second = hashes(&bench.run(others.as_bytes(), &two()).unwrap());
    assert_eq!(second[0], first[0]);
    assert_ne!(second[1], first[1]);
    assert_eq!(bench.files("store"), ["r1.zip", "r2.zip"]);
}

#[test]
fn the_manifest_and_the_readme_name_no_distinct_id() {
    let people = [person("r1", &["ada@example.test"]), person("r2", &["bob@example.test"])];
    let export = r#"{"event":"A","properties":{"distinct_id":"ada@example.test"}}"#;
    let bench = Bench::new();
    let packaged = bench.run(export.as_bytes(), &people).unwrap();
    let location = &packaged.archives[0].location;
    for name in ["manifest.json", "README.txt"] {
        let text = entry(location, name);
        assert!(!text.contains("example.test"), "{text}");
    }
    let manifest: serde_json::Value =
        serde_json::from_str(&entry(location, "manifest.json")).unwrap();
    assert_eq!(manifest["request"], "r1");
    assert_eq!(manifest["tracking_id"], "1234567890");
    assert_eq!(manifest["received_at"], "2024-10-04T00:00:00Z");
    assert_eq!(manifest["counts"], serde_json::json!({"events": 1, "profiles": 0}));
    assert_eq!(manifest["unattributed_records"], false);
}

#[test]
fn a_store_that_fails_keeps_no_draft_and_the_next_attempt_succeeds() {
    let bench = Bench::new();
    let in_the_way = bench.store.location(&"r2".parse().unwrap(), Form::Zip);
    fs::create_dir(&in_the_way).unwrap();
    let outcome = bench.run(&ndjson(), &two());
    assert!(matches!(&outcome, Err(PackageError::Store(_))), "{outcome:?}");
    assert!(outcome.is_err_and(|error| error.may_pass()));
    // Archives are put side by side: the other one may be there already, or not yet. Nothing half done is.
    let store = bench.files("store");
    assert!(store == ["r1.zip", "r2.zip"] || store == ["r2.zip"], "{store:?}");
    assert!(bench.files("spool").is_empty());
    fs::remove_dir(&in_the_way).unwrap();
    assert!(bench.run(&ndjson(), &two()).is_ok());
}

#[test]
fn an_export_file_that_cannot_be_read_may_be_readable_later() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::from_raw_os_error(5))
        }
    }
    impl Seek for Broken {
        fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
            Ok(0)
        }
    }
    let outcome = Bench::new().run_on(Broken, &two());
    assert!(matches!(outcome, Err(PackageError::Export(_))));
}

#[test]
fn a_request_that_stands_twice_in_a_batch_is_refused() {
    let people = [person("r1", &["u1"]), person("r1", &["u2"])];
    let outcome = Bench::new().run(&ndjson(), &people);
    assert!(matches!(outcome, Err(PackageError::RepeatedRequest)));
}

#[test]
#[ignore = "few_files_are_open_at_a_time_however_many_people_there_are runs it"]
fn two_thousand_people_are_split_from_one_export() {
    let people: Vec<Person> =
        (0..2_000).map(|n| person(&format!("r{n}"), &[&format!("user-{n}")])).collect();
    let record = |n: usize| {
        let id = n * 7 % 2_000;
        format!("{{\"event\":\"E\",\"properties\":{{\"distinct_id\":\"user-{id}\",\"n\":{n}}}}}\n")
    };
    let export: String = (0..10_000).map(record).collect();
    let bench = Bench::new();
    let packaged = bench.run(&gzip(export.as_bytes()), &people).unwrap();
    assert_eq!((packaged.read, packaged.given, packaged.archives.len()), (10_000, 10_000, 2_000));
    assert!(packaged.archives.iter().all(|archive| archive.events == 5));
    let texts = [0, 1_999].map(|n| entry(&packaged.archives[n].location, "events.ndjson"));
    let expected = |person: usize| {
        (0..10_000).filter(|n| n * 7 % 2_000 == person).map(record).collect::<String>()
    };
    assert_eq!(texts, [expected(0), expected(1_999)]);
}

/// Runs another test of this file in a process of its own, after a shell command.
fn again(after: &str, test: &str) {
    let module = module_path!().split_once("::").map_or("", |(_, module)| module);
    let output = Command::new("sh")
        .args(["-c", &format!("{after} && exec \"$0\" \"$@\"")])
        .arg(std::env::current_exe().unwrap())
        .args(["--include-ignored", "--exact", &format!("{module}::{test}")])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
}

#[test]
fn few_files_are_open_at_a_time_however_many_people_there_are() {
    again("ulimit -n 32", "two_thousand_people_are_split_from_one_export");
}

#[test]
fn files_and_folders_are_private_whatever_the_umask() {
    again("umask 000", "everything_that_was_written_is_private");
}

#[test]
fn everything_that_was_written_is_private() {
    let bench = Bench::new();
    let export = [ndjson(), b"{}\n".to_vec()].concat();
    let packaged = bench.run(&export, &two()).unwrap();
    assert!(packaged.quarantine.is_some());
    let _ongoing = bench.spool.batch().unwrap();
    for (path, mode) in tree(bench.home.path()) {
        if path != Path::new("export") {
            assert_eq!(mode & 0o077, 0, "{}", path.display());
        }
    }
}
