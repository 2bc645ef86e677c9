//! The private folder where exports lie until they are destroyed, and where batches are packaged.
//!
//! ```text
//! <spool>/export-PROJECT.BATCH.TASK.age                     an export that is whole
//! <spool>/quarantine-PROJECT.BATCH.TASK.ndjson.gz.age       records of it that nobody got
//! <spool>/….part                                            one of these on its way, locked while it is written
//! <spool>/batch-XXXXXX/                                     the work folder of a packaging run
//! <spool>/batch-XXXXXX/lock                                 held while the run is alive
//! ```
//! Invariants: a kept file is sealed ([`sealed`]) from its first byte on, and appears under its name only when it
//! is whole and safe on disk; a process that is killed at any moment leaves nothing that [`Spool::clear_stale`]
//! does not remove, and a whole export is found again; nothing is written that [`Quota`] does not allow.

mod batch;
mod kept;
mod name;
mod part;
pub(in crate::archive) mod private_folder;
mod receiving;
mod room;
mod sealed;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;

use std::{
    ffi::OsStr,
    fs::{self, File, TryLockError},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use age::{Recipient, x25519};

pub(in crate::archive) use batch::Batch;
pub use kept::Kept;
pub use name::{ExportName, KeptKind};
pub use receiving::Receiving;
pub use room::{NoRoom, Quota};
pub use sealed::{Opened, SpoolKey, UnsealError, unseal};

use self::{part::Part, private_folder::gone, room::Room};

/// A folder for exports: sealed while they are kept, and taken apart in it. It needs room for the exports that are
/// waiting, and for the packed texts of each batch at work.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    key: SpoolKey,
    room: Arc<Room>,
    quarantine_for: Option<x25519::Recipient>,
}

impl Spool {
    /// Uses `folder`, and makes it if need be. Only the worker may look into it.
    pub fn new(folder: impl Into<PathBuf>, key: SpoolKey, quota: Quota) -> io::Result<Self> {
        let folder = folder.into();
        if !private_folder::claim(&folder, is_ours)? {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "the spool folder is open to others and holds other files: expected a folder of its own",
            ));
        }
        let room = Arc::new(Room::new(&folder, quota));
        let spool = Self { folder, key, room, quarantine_for: None };
        spool.recount()?;
        Ok(spool)
    }

    /// Seals quarantined records for `recipient` from now on: only they can read them, the worker cannot.
    #[must_use]
    pub fn with_quarantine_for(self, recipient: &crate::archive::Recipient) -> Self {
        Self { quarantine_for: Some(recipient.key().clone()), ..self }
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Opens the export of that name if it was received before. A damaged one is removed and counts as none; one
    /// that is sealed with another key is an error ([`io::ErrorKind::PermissionDenied`]) and stays.
    pub fn existing(&self, name: &ExportName) -> io::Result<Option<Opened>> {
        let path = self.path(name, KeptKind::Export);
        match self.open_kept(&path) {
            Ok(opened) => Ok(Some(opened)),
            Err(UnsealError::Damaged) => {
                self.remove_kept(std::iter::once(path))?;
                Ok(None)
            }
            Err(UnsealError::Io(error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Begins to take an export in. [`io::ErrorKind::ResourceBusy`] if somebody else is receiving the same.
    pub fn receive(&self, name: &ExportName) -> io::Result<Receiving<'_>> {
        Receiving::new(self, name)
    }

    /// Keeps the records of an export that nobody got; `content` is gzip, as the file's name says. Returns where
    /// they are.
    pub fn keep_quarantine(
        &self,
        name: &ExportName,
        content: &mut dyn Read,
    ) -> io::Result<PathBuf> {
        let path = self.path(name, KeptKind::Quarantine);
        let own = self.key.recipient();
        let recipient: &dyn Recipient =
            self.quarantine_for.as_ref().map_or(&own as &dyn Recipient, |other| other);
        let mut sealed = sealed::seal(recipient, Part::create(path.clone(), &self.room)?)?;
        io::copy(content, &mut sealed)?;
        sealed.finish()?.finish()?;
        Ok(path)
    }

    /// Opens a kept file for an operator.
    pub fn open_kept(&self, file: &Path) -> Result<Opened, UnsealError> {
        // Not `From<io::Error>`: only what is in the file can make it a damaged one.
        unseal(&self.key, File::open(file).map_err(UnsealError::Io)?)
    }

    /// Removes what dead processes left: work folders, and files that never became whole. Returns how many.
    pub fn clear_stale(&self) -> io::Result<usize> {
        let mut cleared = 0;
        for path in self.entries()? {
            let name = path.file_name().map_or(&[][..], OsStr::as_encoded_bytes);
            if name.starts_with(batch::BATCH.as_bytes()) {
                if batch::is_abandoned(&path)? && gone(fs::remove_dir_all(&path))? {
                    cleared += 1;
                }
            } else if name.ends_with(name::PART.as_bytes()) && clear_part(&path)? {
                cleared += 1;
            }
        }
        self.recount()?;
        Ok(cleared)
    }

    fn entries(&self) -> io::Result<Vec<PathBuf>> {
        fs::read_dir(&self.folder)?.map(|entry| Ok(entry?.path())).collect()
    }

    fn path(&self, name: &ExportName, kind: KeptKind) -> PathBuf {
        self.folder.join(name.file(kind))
    }

    /// A folder for one batch.
    pub(in crate::archive) fn batch(&self) -> io::Result<Batch> {
        Batch::new(&self.folder, &self.room)
    }
}

fn is_ours(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    [batch::BATCH, name::EXPORT, name::QUARANTINE]
        .iter()
        .any(|start| name.starts_with(start.as_bytes()))
}

/// Removes a file that never became whole unless somebody is writing it. Whoever opened it a moment ago finds that
/// it is no longer at its name, and makes another one.
fn clear_part(file: &Path) -> io::Result<bool> {
    match File::open(file) {
        Ok(lock) => match lock.try_lock() {
            Ok(()) => gone(fs::remove_file(file)),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
