//! Drafts of one consignment, in a folder of their own beside the archives.
//!
//! A draft gets the archive's name only after its bytes are on the disk, so not even a power cut can
//! leave half an archive under that name. One `syncfs` brings all of them there, which is much
//! faster than an `fsync` for each. A lock tells that somebody is at work in the folder; without it,
//! a crash left it behind.

use std::{
    ffi::OsStr,
    fs::{self, File, Permissions, TryLockError},
    io::{self, BufWriter, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tempfile::{TempDir, TempPath};

use super::{StoreError, location, open_no_link, sync};
use crate::archive::{
    spool::private_folder::{create, gone, is_older},
    store::name::Name,
};

/// Names of drafts begin with this, and do not end as archives do.
pub(super) const PREFIX: &str = ".tmp-";
const LOCK: &str = "lock";
/// Time that a new staging folder has to get its lock.
const GRACE: Duration = Duration::from_secs(5);
/// Up to so many files are synced one by one: `syncfs` writes also what others have not written yet.
const FEW: usize = 8;
const BUFFER: usize = 64 * 1024;

/// The drafts of one consignment.
#[derive(Debug)]
pub(in crate::archive::store) struct Staging {
    folder: PathBuf,
    next: AtomicU64,
    placed: Mutex<Vec<(TempPath, Name)>>,
    /// Opened before anything is written: `syncfs` tells only of failures since then. Closed before
    /// its folder is removed.
    lock: File,
    drafts: TempDir,
}

/// The file of a draft. Dropping it removes it.
#[derive(Debug)]
pub(in crate::archive::store) struct DraftFile {
    // Closed before it is removed.
    content: BufWriter<File>,
    path: TempPath,
}

impl Write for DraftFile {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.content.write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.content.flush()
    }
}

impl Staging {
    /// Also removes what a crash left behind: it may be the reason that the batch comes again.
    pub(super) fn new(folder: &Path) -> Result<Self, StoreError> {
        remove_abandoned(folder)?;
        let private = Permissions::from_mode(0o700);
        let drafts = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(private.clone())
            .tempdir_in(folder)?;
        fs::set_permissions(drafts.path(), private)?;
        let lock = create(&drafts.path().join(LOCK))?;
        lock.lock()?;
        Ok(Self {
            folder: folder.to_owned(),
            next: AtomicU64::new(0),
            placed: Mutex::default(),
            lock,
            drafts,
        })
    }

    pub(in crate::archive::store) fn draft(&self) -> Result<DraftFile, StoreError> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.drafts.path().join(number.to_string());
        let content = BufWriter::with_capacity(BUFFER, create(&path)?);
        Ok(DraftFile { content, path: TempPath::try_from_path(path)? })
    }

    pub(in crate::archive::store) fn place(
        &self,
        name: Name,
        mut draft: DraftFile,
    ) -> Result<String, StoreError> {
        draft.flush()?;
        let location = location(&self.folder, &name);
        self.placed.lock().unwrap_or_else(PoisonError::into_inner).push((draft.path, name));
        Ok(location)
    }

    pub(in crate::archive::store) fn settle(self) -> Result<(), StoreError> {
        let placed = self.placed.into_inner().unwrap_or_else(PoisonError::into_inner);
        if placed.len() <= FEW {
            for (draft, _) in &placed {
                open_no_link(draft)?.sync_all()?;
            }
        } else {
            rustix::fs::syncfs(&self.lock).map_err(io::Error::from)?;
        }
        for (draft, name) in placed {
            draft.persist(self.folder.join(name.to_string())).map_err(|failed| failed.error)?;
            gone(fs::remove_file(self.folder.join(name.other().to_string())))?;
        }
        Ok(sync(&self.folder)?)
    }
}

/// Removes what crashed processes left in `folder`.
pub(super) fn remove_abandoned(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !is_draft(&entry.file_name()) {
            continue;
        }
        let path = entry.path();
        // The mark of a project, before it gets its name.
        if !entry.file_type()?.is_dir() {
            if is_older(&path, GRACE)? {
                gone(fs::remove_file(path))?;
            }
        } else if is_abandoned(&path)? {
            gone(fs::remove_dir_all(path))?;
        }
    }
    Ok(())
}

fn is_abandoned(drafts: &Path) -> io::Result<bool> {
    match File::open(drafts.join(LOCK)) {
        Ok(lock) => match lock.try_lock() {
            Ok(()) => is_older(&drafts.join(LOCK), GRACE),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => is_older(drafts, GRACE),
        Err(error) => Err(error),
    }
}

pub(super) fn is_draft(name: &OsStr) -> bool {
    let text = name.as_encoded_bytes();
    let is_archive = name.to_str().is_some_and(|name| Name::parse(name).is_some());
    text.starts_with(PREFIX.as_bytes()) && !is_archive
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
impl DraftFile {
    /// From here on, the disk is full.
    pub(in crate::archive::store) fn fill_up(&mut self) {
        let full = File::options().write(true).open("/dev/full").unwrap();
        self.content = BufWriter::with_capacity(BUFFER, full);
    }
}
