//! Where finished archives live: a local folder, or a bucket that replicas share.
//!
//! ```text
//! address ─▶ ArchiveStore ─▶ consignment ─▶ draft ─▶ folder/staging │ bucket/upload
//!            claim, list, read, remove, link
//! ```
//! * An archive appears under its name whole or not at all, and replaces an earlier one of its
//!   request. When its [`Consignment`] is settled, it is there to stay.
//! * It is called after the id of its request, and nothing else ([`Form`] gives the ending).
//! * Nobody but the worker may look into it: modes 0700 and 0600 in a folder; a bucket is closed by
//!   its owner. [`ArchiveStore::link`] opens one archive of a bucket to one person for a while.
//! * A store belongs to one project ([`ArchiveStore::claim`]), and touches nothing else.
//!
//! Everything but [`ArchiveStore::open`] and [`ArchiveStore::location`] may wait for a disk or a
//! server: async code calls it on a blocking thread (`spawn_blocking`). On a runtime's own thread, a
//! bucket panics.

mod address;
mod bucket;
mod consignment;
mod draft;
mod error;
mod folder;
mod name;

use std::{fs::File, path::Path, time::Duration};

use chrono::{DateTime, Utc};
use gdpr_jobs::{Project, RequestId};
use url::Url;

use self::{address::Address, bucket::Bucket, consignment::Way, folder::Folder, name::Name};
pub use self::{
    address::Provider,
    consignment::{Consignment, Stored},
    draft::Draft,
    error::{Code, StoreError},
    name::Form,
};

/// What a store holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Where it is: the field `archive` of the request's hash.
    pub location: String,
    /// Whose archive it is.
    pub request: RequestId,
    /// How it is packed.
    pub form: Form,
    /// When it was stored.
    pub modified: DateTime<Utc>,
    /// Its size.
    pub bytes: u64,
}

impl Object {
    fn new(location: String, name: Name, modified: DateTime<Utc>, bytes: u64) -> Self {
        Self { location, request: name.request, form: name.form, modified, bytes }
    }
}

/// Where archives live. Clones are the same store.
#[derive(Clone, Debug)]
pub struct ArchiveStore(Place);

#[derive(Clone, Debug)]
enum Place {
    Folder(Folder),
    Bucket(Bucket),
}

impl ArchiveStore {
    /// Opens the store at `url`: `file:///absolute`, `file://./relative`, a path (taken as it
    /// stands), `s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix`.
    ///
    /// A folder is made if need be, closed to others (mode 0700), and freed of drafts that a crash
    /// left behind. A bucket takes credentials from the providers' own variables, is not spoken to
    /// yet, and needs a Tokio runtime at hand.
    pub fn open(url: &str) -> Result<Self, StoreError> {
        Ok(Self(match Address::parse(url)? {
            Address::Folder(path) => Place::Folder(Folder::open(path)?),
            Address::Bucket(address) => Place::Bucket(Bucket::open(address)?),
        }))
    }

    /// Makes the store this project's; another project's is refused. Of a bucket, this is the first
    /// contact: it tells if credentials and address are right.
    pub fn claim(&self, project: &Project) -> Result<(), StoreError> {
        match &self.0 {
            Place::Folder(folder) => folder.claim(project),
            Place::Bucket(bucket) => bucket.claim(project),
        }
    }

    /// Writes something small and removes it again: whether the store is there and can be used.
    pub fn probe(&self) -> Result<(), StoreError> {
        match &self.0 {
            Place::Folder(folder) => folder.probe(),
            Place::Bucket(bucket) => bucket.probe(),
        }
    }

    /// A place for archives that are stored together.
    pub fn consignment(&self) -> Result<Consignment, StoreError> {
        Ok(Consignment::new(match &self.0 {
            Place::Folder(folder) => Way::Folder(folder.staging()?),
            Place::Bucket(bucket) => Way::Bucket(bucket.shipment()),
        }))
    }

    /// Destroys the archive at `location`. `false` if it was gone already.
    pub fn remove(&self, location: &str) -> Result<bool, StoreError> {
        let name = self.name_at(location)?;
        match &self.0 {
            Place::Folder(folder) => folder.remove(&name),
            Place::Bucket(bucket) => bucket.remove(&name),
        }
    }

    /// All archives, in no order, as they are met. Nothing else that lies there is told.
    pub fn list(
        &self,
    ) -> Result<Box<dyn Iterator<Item = Result<Object, StoreError>> + Send>, StoreError> {
        Ok(match &self.0 {
            Place::Folder(folder) => Box::new(folder.list()?),
            Place::Bucket(bucket) => Box::new(bucket.list()),
        })
    }

    /// Whether an archive is at `location`.
    pub fn holds(&self, location: &str) -> Result<bool, StoreError> {
        let name = self.name_at(location)?;
        match &self.0 {
            Place::Folder(folder) => folder.holds(&name),
            Place::Bucket(bucket) => bucket.holds(&name),
        }
    }

    /// The archive at `location`, to be read. That of a bucket is fetched into a nameless file of
    /// the system's temporary folder (`TMPDIR`), which is gone when it is closed.
    pub fn read(&self, location: &str) -> Result<File, StoreError> {
        let name = self.name_at(location)?;
        match &self.0 {
            Place::Folder(folder) => folder.read(&name),
            Place::Bucket(bucket) => bucket.read(&name),
        }
    }

    /// A link by which anybody who has it can fetch the archive, for a `lifetime` of 1 s to 7 days:
    /// as secret as the archive itself. It does not tell whether the archive is there.
    /// [`StoreError::NoLinks`] for a folder.
    pub fn link(&self, location: &str, lifetime: Duration) -> Result<Url, StoreError> {
        let name = self.name_at(location)?;
        match &self.0 {
            Place::Folder(_) => Err(StoreError::NoLinks),
            Place::Bucket(bucket) => bucket.link(&name, lifetime),
        }
    }

    /// Bytes that may still be stored; `None` if nobody can tell.
    pub fn room(&self) -> Result<Option<u64>, StoreError> {
        match &self.0 {
            Place::Folder(folder) => folder.room().map(Some),
            Place::Bucket(_) => Ok(None),
        }
    }

    /// Where the archive of `request` is or would be: the absolute path of a file, or
    /// `s3://bucket/prefix/ID.zip`.
    pub fn location(&self, request: &RequestId, form: Form) -> String {
        self.location_of(&Name::new(request, form))
    }

    /// Whether `location` is one of this store's, whatever is there. The same folder under another name is not it.
    pub fn is_ours(&self, location: &str) -> bool {
        self.name_at(location).is_ok()
    }

    /// The folder, if the store is one.
    pub fn folder(&self) -> Option<&Path> {
        match &self.0 {
            Place::Folder(folder) => Some(folder.path()),
            Place::Bucket(_) => None,
        }
    }

    fn location_of(&self, name: &Name) -> String {
        match &self.0 {
            Place::Folder(folder) => folder.location(name),
            Place::Bucket(bucket) => bucket.location(name),
        }
    }

    /// The name of the archive at `location`, if it is one of this store's.
    fn name_at(&self, location: &str) -> Result<Name, StoreError> {
        let last = match &self.0 {
            Place::Folder(folder) => folder.last_part(location),
            Place::Bucket(bucket) => bucket.last_part(location),
        };
        let name = last.and_then(Name::parse).ok_or(StoreError::Elsewhere)?;
        // Such as `folder/./ID.zip`: spelled differently, so not ours.
        if self.location_of(&name) == location { Ok(name) } else { Err(StoreError::Elsewhere) }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
