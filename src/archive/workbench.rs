//! A store, a spool and an export of two people, for tests of whole runs.

use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use chrono::{DateTime, TimeDelta, Utc};
use gdpr_jobs::{Disclosure, DistinctId, Regulation};
use secrecy::SecretString;
use sha2::{Digest, Sha256};

use super::*;

pub(super) struct Bench {
    pub(super) home: tempfile::TempDir,
    pub(super) spool: Spool,
    pub(super) store: ArchiveStore,
    pub(super) limits: Limits,
    pub(super) password: Option<SecretString>,
}

impl Bench {
    pub(super) fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let spool = Spool::new(home.path().join("spool")).unwrap();
        let store = ArchiveStore::open(home.path().join("store").to_str().unwrap()).unwrap();
        Self { home, spool, store, limits: Limits::default(), password: None }
    }

    pub(super) fn with_password(password: &str) -> Self {
        Self { password: Some(SecretString::from(password)), ..Self::new() }
    }

    pub(super) fn run(&self, export: &[u8], people: &[Person]) -> Result<Packaged, PackageError> {
        let path = self.home.path().join("export");
        fs::write(&path, export).unwrap();
        let password = self.password.as_ref();
        package(&path, &facts(), people, password, &self.limits, &self.spool, &self.store)
    }

    pub(super) fn files(&self, folder: &str) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.home.path().join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

pub(super) fn asked() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

pub(super) fn facts() -> BatchFacts {
    BatchFacts {
        project: "default".parse().unwrap(),
        tracking_id: "1234567890".to_owned(),
        regulation: Regulation::Gdpr,
        disclosure: Disclosure::Data,
        exported_at: asked() + TimeDelta::days(3),
    }
}

pub(super) fn person(request: &str, ids: &[&str]) -> Person {
    Person {
        request: request.parse().unwrap(),
        ids: ids.iter().map(|&id| DistinctId::new(id)).collect(),
        received_at: asked(),
    }
}

pub(super) fn two() -> Vec<Person> {
    vec![person("r1", &["u1"]), person("r2", &["u2"])]
}

/// Checks an archive against its manifest, and returns its entries in order.
pub(super) fn entries(location: &str) -> Vec<(String, String)> {
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

pub(super) fn entry(location: &str, name: &str) -> String {
    let (_, text) = entries(location).into_iter().find(|(found, _)| found == name).unwrap();
    text
}

pub(super) fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

pub(super) const RECORDS: [&str; 4] = [
    r#"{"event":"A","properties":{"distinct_id":"u1","price":1.10,"s":"\u00e9 }]"}}"#,
    r#"{"event":"B","properties":{"distinct_id":"u2"}}"#,
    r#"{"$distinct_id":"u1","$properties":{"$email":"u1@example.test"}}"#,
    r#"{"event":"C","properties":{"distinct_id":"u1","n":12345678901234567890123}}"#,
];

pub(super) fn ndjson() -> Vec<u8> {
    RECORDS.map(|record| format!("{record}\n")).concat().into_bytes()
}

pub(super) fn hashes(packaged: &Packaged) -> Vec<String> {
    packaged.archives.iter().map(|archive| archive.sha256.clone()).collect()
}

/// Every path under `root` with its mode.
pub(super) fn tree(root: &Path) -> BTreeMap<PathBuf, u32> {
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
