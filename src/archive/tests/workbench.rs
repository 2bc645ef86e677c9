//! A store, a spool and an export of two people, for tests of whole runs.

use std::{
    collections::BTreeMap,
    fs,
    io::{Cursor, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use chrono::{DateTime, TimeDelta, Utc};
use flate2::read::GzDecoder;
use gdpr_jobs::{Disclosure, DistinctId, Regulation};
use secrecy::SecretString;
use sha2::{Digest, Sha256};

use crate::archive::*;

pub(in crate::archive) struct Bench {
    pub(in crate::archive) home: tempfile::TempDir,
    pub(in crate::archive) spool: Spool,
    pub(in crate::archive) store: ArchiveStore,
    pub(in crate::archive) limits: Limits,
    pub(in crate::archive) password: Option<SecretString>,
    pub(in crate::archive) means: Means,
}

impl Bench {
    pub(in crate::archive) fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let key = SpoolKey::derive(&[7; 32]);
        let spool = Spool::new(home.path().join("spool"), key, Quota::default()).unwrap();
        let store = ArchiveStore::open(home.path().join("store").to_str().unwrap()).unwrap();
        Self {
            home,
            spool,
            store,
            limits: Limits::default(),
            password: None,
            means: Means::default(),
        }
    }

    pub(in crate::archive) fn with_password(password: &str) -> Self {
        Self { password: Some(SecretString::from(password)), ..Self::new() }
    }

    pub(in crate::archive) fn run(
        &self,
        export: &[u8],
        people: &[Person],
    ) -> Result<Packaged, PackageError> {
        self.run_on(Cursor::new(export.to_vec()), people)
    }

    pub(in crate::archive) fn run_on(
        &self,
        export: impl Export,
        people: &[Person],
    ) -> Result<Packaged, PackageError> {
        package(
            export,
            &Packaging {
                batch: &facts(),
                people,
                password: self.password.as_ref(),
                limits: &self.limits,
                means: self.means,
                options: &ArchiveOptions::default(),
                spool: &self.spool,
                store: &self.store,
            },
        )
    }

    pub(in crate::archive) fn files(&self, folder: &str) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.home.path().join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

pub(in crate::archive) fn asked() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

pub(in crate::archive) fn facts() -> BatchFacts {
    BatchFacts {
        project: "default".parse().unwrap(),
        batch: "b1".to_owned(),
        tracking_id: "1234567890".to_owned(),
        regulation: Regulation::Gdpr,
        disclosure: Disclosure::Data,
        exported_at: asked() + TimeDelta::days(3),
    }
}

pub(in crate::archive) fn person(request: &str, ids: &[&str]) -> Person {
    Person {
        request: request.parse().unwrap(),
        ids: ids.iter().map(|&id| DistinctId::new(id)).collect(),
        received_at: asked(),
    }
}

pub(in crate::archive) fn two() -> Vec<Person> {
    vec![person("r1", &["u1"]), person("r2", &["u2"])]
}

/// Checks an archive against its manifest, and returns its entries in order.
pub(in crate::archive) fn entries(location: &str) -> Vec<(String, String)> {
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
    let mut expected = vec!["README.txt", "events.ndjson", "profile.json", "manifest.json"];
    if names.len() == 5 {
        expected.insert(3, "unparsed.txt");
    }
    assert_eq!(names, expected);
    let manifest: serde_json::Value = serde_json::from_str(&found[found.len() - 1].1).unwrap();
    for (n, (name, text)) in found.iter().take(found.len() - 1).enumerate() {
        let facts = &manifest["entries"][n];
        let sha256 = data_encoding::HEXLOWER.encode(&Sha256::digest(text.as_bytes()));
        assert_eq!(facts["name"], name.as_str());
        assert_eq!(facts["bytes"], text.len());
        assert_eq!(facts["sha256"], sha256.as_str());
    }
    found
}

pub(in crate::archive) fn entry(location: &str, name: &str) -> String {
    let (_, text) = entries(location).into_iter().find(|(found, _)| found == name).unwrap();
    text
}

impl Bench {
    /// The text of a quarantine file.
    pub(in crate::archive) fn quarantined(&self, path: &Path) -> String {
        let mut text = String::new();
        GzDecoder::new(self.spool.open_kept(path).unwrap()).read_to_string(&mut text).unwrap();
        text
    }
}

pub(in crate::archive) fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

pub(in crate::archive) const RECORDS: [&str; 4] = [
    r#"{"event":"A","properties":{"distinct_id":"u1","price":1.10,"s":"\u00e9 }]"}}"#,
    r#"{"event":"B","properties":{"distinct_id":"u2"}}"#,
    r#"{"$distinct_id":"u1","$properties":{"$email":"u1@example.test"}}"#,
    r#"{"event":"C","properties":{"distinct_id":"u1","n":12345678901234567890123}}"#,
];

pub(in crate::archive) fn ndjson() -> Vec<u8> {
    RECORDS.map(|record| format!("{record}\n")).concat().into_bytes()
}

pub(in crate::archive) fn hashes(packaged: &Packaged) -> Vec<String> {
    packaged.archives.iter().map(|archive| archive.sha256.clone()).collect()
}

/// Every path under `root` with its mode.
pub(in crate::archive) fn tree(root: &Path) -> BTreeMap<PathBuf, u32> {
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
