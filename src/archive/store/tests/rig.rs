//! A store of each kind, to be tested by one suite.

use std::{
    fs,
    io::{Read, Write},
    path::PathBuf,
};

use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::s3_server::S3Server;
use crate::archive::store::{ArchiveStore, Form, Place, StoreError, Stored, folder::Folder};

/// A store with what it stands on. Dropped from the top.
pub(super) struct Rig {
    pub(super) store: ArchiveStore,
    pub(super) server: Option<S3Server>,
    home: Option<TempDir>,
    _runtime: Option<Runtime>,
}

impl Rig {
    pub(super) fn folder() -> Self {
        let home = tempfile::tempdir().unwrap();
        let store = ArchiveStore::open(home.path().join("archives").to_str().unwrap()).unwrap();
        Self { store, server: None, home: Some(home), _runtime: None }
    }

    pub(super) fn memory() -> Self {
        let runtime = runtime();
        let store = {
            let _at_hand = runtime.enter();
            ArchiveStore::open("memory://bucket/prefix").unwrap()
        };
        Self { store, server: None, home: None, _runtime: Some(runtime) }
    }

    pub(super) fn s3() -> Self {
        let (server, runtime) = (S3Server::start(), runtime());
        let store = server.store(&runtime, "prefix").unwrap();
        Self { store, server: Some(server), home: None, _runtime: Some(runtime) }
    }

    /// The store of another prefix, below this one's.
    pub(super) fn below(&self) -> ArchiveStore {
        ArchiveStore(match &self.store.0 {
            Place::Folder(folder) => {
                Place::Folder(Folder::open(&folder.path().join("below")).unwrap())
            }
            Place::Bucket(bucket) => Place::Bucket(bucket.beside("prefix/below")),
        })
    }

    /// Everything that lies in the store, by name.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = match &self.store.0 {
            Place::Folder(folder) => fs::read_dir(folder.path())
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect(),
            Place::Bucket(bucket) => {
                let keys = bucket.keys();
                keys.iter().map(|key| key.strip_prefix("prefix/").unwrap().to_owned()).collect()
            }
        };
        names.sort();
        names
    }

    /// Puts something there that is not an archive.
    pub(super) fn drop_in(&self, name: &str) {
        match &self.store.0 {
            Place::Folder(folder) => fs::write(folder.path().join(name), b"x").unwrap(),
            Place::Bucket(bucket) => bucket.drop_in(&format!("prefix/{name}")),
        }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.store.folder().unwrap().to_owned()
    }

    pub(super) fn home(&self) -> PathBuf {
        self.home.as_ref().unwrap().path().to_owned()
    }
}

pub(super) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Stores one archive by itself.
pub(super) fn put(store: &ArchiveStore, request: &str, form: Form, content: &[u8]) -> Stored {
    try_put(store, request, form, content).unwrap()
}

pub(super) fn try_put(
    store: &ArchiveStore,
    request: &str,
    form: Form,
    content: &[u8],
) -> Result<Stored, StoreError> {
    let consignment = store.consignment()?;
    let mut draft = consignment.draft(&request.parse().unwrap(), form)?;
    draft.write_all(content)?;
    let stored = consignment.place(draft)?;
    consignment.settle()?;
    Ok(stored)
}

pub(super) fn content(store: &ArchiveStore, location: &str) -> Vec<u8> {
    let mut content = Vec::new();
    store.read(location).unwrap().read_to_end(&mut content).unwrap();
    content
}

/// Bytes without a pattern of the parts' size.
pub(super) fn bytes(count: usize) -> Vec<u8> {
    (0_u32..).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).take(count).collect()
}
