//! Whole runs: an export goes in, archives come out, and what must not happen does not.

use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use chrono::{DateTime, TimeDelta, Utc};
use gdpr_jobs::{Disclosure, DistinctId, Regulation};
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use zip::CompressionMethod;

use super::{
    exports::{self, Cipher, gzip, zip},
    *,
};

struct Bench {
    home: tempfile::TempDir,
    spool: Spool,
    store: ArchiveStore,
    limits: Limits,
    password: Option<SecretString>,
}

impl Bench {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let spool = Spool::new(home.path().join("spool")).unwrap();
        let store = ArchiveStore::open(home.path().join("store").to_str().unwrap()).unwrap();
        Self { home, spool, store, limits: Limits::default(), password: None }
    }

    fn with_password(password: &str) -> Self {
        Self { password: Some(SecretString::from(password)), ..Self::new() }
    }

    fn run(&self, export: &[u8], people: &[Person]) -> Result<Packaged, PackageError> {
        let path = self.home.path().join("export");
        fs::write(&path, export).unwrap();
        let password = self.password.as_ref();
        package(&path, &facts(), people, password, &self.limits, &self.spool, &self.store)
    }

    fn files(&self, folder: &str) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.home.path().join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn asked() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

fn facts() -> BatchFacts {
    BatchFacts {
        project: "default".parse().unwrap(),
        tracking_id: "1234567890".to_owned(),
        regulation: Regulation::Gdpr,
        disclosure: Disclosure::Data,
        exported_at: asked() + TimeDelta::days(3),
    }
}

fn person(request: &str, ids: &[&str]) -> Person {
    Person {
        request: request.parse().unwrap(),
        ids: ids.iter().map(|&id| DistinctId::new(id)).collect(),
        received_at: asked(),
    }
}

fn two() -> Vec<Person> {
    vec![person("r1", &["u1"]), person("r2", &["u2"])]
}

/// Checks an archive against its manifest, and returns its entries in order.
fn entries(location: &str) -> Vec<(String, String)> {
    let file = fs::File::open(location).unwrap();
    let mut archive = zip::ZipArchive::new(file).unwrap();
    let mut found = Vec::new();
    for n in 0..archive.len() {
        let mut entry = archive.by_index(n).unwrap();
        assert_eq!(entry.unix_mode().unwrap() & 0o777, 0o600);
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        found.push((entry.name().unwrap().into_owned(), text));
    }
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["README.txt", "events.ndjson", "profile.json", "manifest.json"]);
    let manifest: serde_json::Value = serde_json::from_str(&found[3].1).unwrap();
    for (n, (name, text)) in found.iter().take(3).enumerate() {
        let facts = &manifest["entries"][n];
        let sha256 = data_encoding::HEXLOWER.encode(&Sha256::digest(text.as_bytes()));
        assert_eq!(facts["name"], name.as_str());
        assert_eq!(facts["bytes"], text.len());
        assert_eq!(facts["sha256"], sha256.as_str());
    }
    found
}

fn entry(location: &str, name: &str) -> String {
    let (_, text) = entries(location).into_iter().find(|(found, _)| found == name).unwrap();
    text
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

const RECORDS: [&str; 4] = [
    r#"{"event":"A","properties":{"distinct_id":"u1","price":1.10,"s":"\u00e9 }]"}}"#,
    r#"{"event":"B","properties":{"distinct_id":"u2"}}"#,
    r#"{"$distinct_id":"u1","$properties":{"$email":"u1@example.test"}}"#,
    r#"{"event":"C","properties":{"distinct_id":"u1","n":12345678901234567890123}}"#,
];

fn ndjson() -> Vec<u8> {
    RECORDS.map(|record| format!("{record}\n")).concat().into_bytes()
}

fn hashes(packaged: &Packaged) -> Vec<String> {
    packaged.archives.iter().map(|archive| archive.sha256.clone()).collect()
}

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
fn a_sealed_export_says_whether_the_password_is_missing_or_wrong() {
    let plain = ndjson();
    for cipher in [Cipher::ZipCrypto, Cipher::Aes] {
        let export = zip(&[("export.json", &plain)], cipher);
        let missing = Bench::new().run(&export, &two());
        assert!(matches!(missing, Err(PackageError::Sealed(Seal::Missing))), "{cipher:?}");
        // ZipCrypto takes one wrong password in 256 for right at first: try more than that.
        for n in 0..600 {
            let bench = Bench::with_password(&format!("wrong {n}"));
            let wrong = bench.run(&export, &two());
            assert!(
                matches!(wrong, Err(PackageError::Sealed(Seal::Wrong))),
                "{cipher:?}, {n}: {wrong:?}"
            );
            assert!(bench.files("store").is_empty() && bench.files("spool").is_empty());
            if matches!(cipher, Cipher::Aes) && n == 10 {
                break;
            }
        }
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
fn what_is_not_certainly_somebodys_is_kept_in_quarantine_and_given_to_nobody() {
    let traps = [
        r#"{"event":"nested","x":{"distinct_id":"u1"},"properties":{"y":{"$user_id":"u2"}}}"#,
        r#"{"event":"text","properties":{"note":"\"distinct_id\":\"u1\""}}"#,
        r#"{"event":"twice","properties":{"distinct_id":"u1","distinct_id":"u1"}}"#,
        r#"{"event":"two people","properties":{"distinct_id":"u1","$user_id":"u2"}}"#,
        r#"{"event":"stranger","properties":{"distinct_id":"u3"}}"#,
        r#"{"event":"prefix","properties":{"distinct_id":"u11"}}"#,
        r#"{"event":"missing"}"#,
        r#"{"event":"broken","properties":{"distinct_id":"u1"}"#,
    ];
    let honest = [
        r#"{"x":{"distinct_id":"u2"},"event":"mine","properties":{"distinct\u005fid":"\u00751"}}"#,
        r#"{"event":"other key","properties":{"distinct_id":"gone","$user_id":"u1"}}"#,
    ];
    let export = [traps.as_slice(), &honest].concat().join("\n") + "\n";
    let bench = Bench::new();
    let packaged = bench.run(export.as_bytes(), &two()).unwrap();

    assert_eq!((packaged.read, packaged.given, packaged.quarantined), (10, 2, 8));
    let reasons = Reasons { malformed: 1, ambiguous: 1, several: 1, nobody: 5 };
    assert_eq!(packaged.reasons, reasons);
    assert_eq!(lines(&entry(&packaged.archives[0].location, "events.ndjson")), honest);
    assert_eq!(entry(&packaged.archives[1].location, "events.ndjson"), "");
    let quarantine = packaged.quarantine.unwrap();
    assert_eq!(lines(&fs::read_to_string(&quarantine).unwrap()), traps);
    assert_eq!(fs::metadata(&quarantine).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(bench.files("spool").len(), 1);
    let manifest = entry(&packaged.archives[0].location, "manifest.json");
    assert!(manifest.contains("\"unattributed_records\": true"), "{manifest}");
}

#[test]
fn a_batch_of_one_person_gets_every_valid_record() {
    let export = br#"{"event":"A","properties":{"distinct_id":"canonical"}}
{"event":"B"}
{"event":"C","event":"D"}
"#;
    let packaged = Bench::new().run(export, &[person("r1", &["u1"])]).unwrap();
    assert_eq!((packaged.given, packaged.quarantined), (2, 1));
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
        b"event,distinct_id\nA,u1\n".to_vec(),
        b"<html>Sign in</html>".to_vec(),
        zip(&[("a.json", &ndjson()), ("b.csv", b"event,distinct_id\n")], Cipher::None),
    ] {
        let bench = Bench::new();
        let outcome = bench.run(&export, &two());
        assert!(matches!(outcome, Err(PackageError::Corrupt(Fault::UnknownFormat))), "{outcome:?}");
        assert!(bench.files("store").is_empty());
    }
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
    let names = ["../../up", "/etc/abs", "C:\\x", "nul\u{0}", "\u{202e}txt", "a/../../b", "dup1"];
    let parts: Vec<(&str, &[u8])> =
        names.iter().map(|&name| (name, RECORDS[0].as_bytes())).collect();
    let mut parts = parts;
    parts.push(("dup2", RECORDS[1].as_bytes()));
    let mut export = zip(&parts, Cipher::None);
    for position in 0..export.len() - 4 {
        if &export[position..position + 4] == b"dup2" {
            export[position + 3] = b'1';
        }
    }
    let bench = Bench::new();
    let before = tree(bench.home.path());
    let packaged = bench.run(&export, &two()).unwrap();
    assert_eq!((packaged.read, packaged.given), (8, 8));
    assert_eq!(packaged.archives[1].events, 1);
    let new: Vec<_> =
        tree(bench.home.path()).into_keys().filter(|p| !before.contains_key(p)).collect();
    let expected = ["export", "store/r1.zip", "store/r2.zip"].map(PathBuf::from);
    assert_eq!(new, expected);
}

/// Every path under `root` with its mode.
fn tree(root: &Path) -> BTreeMap<PathBuf, u32> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let facts = fs::symlink_metadata(&path).unwrap();
            found.insert(path.strip_prefix(root).unwrap().to_owned(), facts.permissions().mode());
            if facts.is_dir() {
                folders.push(path);
            }
        }
    }
    found
}

#[test]
fn a_store_that_fails_keeps_no_draft_and_the_next_attempt_succeeds() {
    let bench = Bench::new();
    let in_the_way = bench.store.location(&"r2".parse().unwrap());
    fs::create_dir(&in_the_way).unwrap();
    let outcome = bench.run(&ndjson(), &two());
    assert!(matches!(&outcome, Err(PackageError::Store(_))), "{outcome:?}");
    assert!(outcome.is_err_and(|error| error.may_pass()));
    assert_eq!(bench.files("store"), ["r1.zip", "r2.zip"]);
    assert!(bench.files("spool").is_empty());
    fs::remove_dir(&in_the_way).unwrap();
    assert!(bench.run(&ndjson(), &two()).is_ok());
}

#[test]
fn a_missing_export_is_the_machines_fault() {
    let bench = Bench::new();
    let nowhere = bench.home.path().join("nowhere");
    let outcome =
        package(&nowhere, &facts(), &two(), None, &bench.limits, &bench.spool, &bench.store);
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
