//! The archive store: every file in it, and what the zips hold.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, BufReader, Read, Write},
    path::Path,
};

use data_encoding::HEXLOWER;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    names,
    read::{HistoryError, failed},
};

/// A file in the store.
#[derive(Debug)]
pub struct Stored {
    /// Its path in the store.
    pub name: String,
    /// If its name is an archive's.
    pub archive: Option<Archive>,
}

/// An archive.
#[derive(Debug)]
pub struct Archive {
    /// The request that it is named after.
    pub request: String,
    /// SHA-256 of the file, in hex.
    pub sha256: String,
    /// Size of the file.
    pub bytes: u64,
    /// What is in it; an error says why it could not be opened; `None` if it is encrypted.
    pub content: Option<Result<Content, String>>,
}

/// What a zip holds.
#[derive(Debug, Default)]
pub struct Content {
    /// The request that its manifest names.
    pub request: String,
    /// The task that its manifest names.
    pub task: String,
    /// Entries whose hash or size is not the manifest's, or that it does not list, or that are missing.
    pub wrong: Vec<String>,
    /// Its records: digest, and whom it names.
    pub records: Vec<(u128, Vec<String>)>,
}

/// Everything in a store, folders included; `None` if there is no store.
pub(super) fn folder(root: &Path) -> Result<Option<Vec<Stored>>, HistoryError> {
    if !root.is_dir() {
        return Ok(None);
    }
    let mut stored = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(failed(&folder))? {
            let path = entry.map_err(failed(&folder))?.path();
            let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else {
                let archive = archive(&path, &name).map_err(failed(&path))?;
                stored.push(Stored { name, archive });
            }
        }
    }
    stored.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Some(stored))
}

fn archive(path: &Path, name: &str) -> io::Result<Option<Archive>> {
    let (request, sealed) = match (name.strip_suffix(".zip.age"), name.strip_suffix(".zip")) {
        (Some(request), _) => (request, true),
        (None, Some(request)) => (request, false),
        (None, None) => return Ok(None),
    };
    if request.is_empty() || request.contains('/') {
        return Ok(None);
    }
    let mut sum = Summed::default();
    io::copy(&mut File::open(path)?, &mut sum)?;
    let (sha256, bytes) = sum.end();
    let content = (!sealed).then(|| open(path));
    Ok(Some(Archive { request: request.to_owned(), sha256, bytes, content }))
}

fn open(path: &Path) -> Result<Content, String> {
    let file = BufReader::new(File::open(path).map_err(|error| error.to_string())?);
    let mut zip = zip::ZipArchive::new(file).map_err(|error| error.to_string())?;
    let (mut content, mut found, mut manifest) = (Content::default(), HashMap::new(), None);
    for place in 0..zip.len() {
        let mut entry = zip.by_index(place).map_err(|error| error.to_string())?;
        let name = entry.name().map_err(|error| error.to_string())?.into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(|error| format!("{name}: {error}"))?;
        match name.as_str() {
            "manifest.json" => {
                let value: Value = serde_json::from_slice(&bytes).map_err(|e| e.to_string())?;
                manifest = Some(value);
                continue;
            }
            "events.ndjson" => {
                for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                    let record: Value =
                        serde_json::from_slice(line).map_err(|_| "events.ndjson: not JSON")?;
                    content.records.push((names::digest(&record), names::of(&record)));
                }
            }
            "profile.json" => {
                let records: Vec<Value> =
                    serde_json::from_slice(&bytes).map_err(|_| "profile.json: not a list")?;
                let all = records.iter().map(|one| (names::digest(one), names::of(one)));
                content.records.extend(all);
            }
            _ => {}
        }
        let mut sum = Summed::default();
        let _ = sum.write_all(&bytes);
        if found.insert(name.clone(), sum.end()).is_some() {
            content.wrong.push(format!("{name} (twice)"));
        }
    }
    let manifest = manifest.ok_or("it has no manifest.json")?;
    let word = |name: &str| manifest[name].as_str().unwrap_or_default().to_owned();
    (content.request, content.task) = (word("request"), word("tracking_id"));
    for entry in manifest["entries"].as_array().into_iter().flatten() {
        let name = entry["name"].as_str().unwrap_or_default();
        let listed = (
            entry["sha256"].as_str().unwrap_or_default().to_owned(),
            entry["bytes"].as_u64().unwrap_or(u64::MAX),
        );
        if found.remove(name) != Some(listed) {
            content.wrong.push(name.to_owned());
        }
    }
    content.wrong.extend(found.into_keys().map(|name| format!("{name} (not listed)")));
    Ok(content)
}

/// SHA-256 and size of what is written to it.
#[derive(Default)]
struct Summed {
    hash: Sha256,
    bytes: u64,
}

impl Summed {
    fn end(self) -> (String, u64) {
        (HEXLOWER.encode(&self.hash.finalize()), self.bytes)
    }
}

impl Write for Summed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
