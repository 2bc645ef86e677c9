//! The private folder where a batch waits between reading and packaging.
//!
//! ```text
//! <spool>/batch-XXXXXX/lock     held while the batch is alive
//! <spool>/batch-XXXXXX/17       one file per pile of lines
//! <spool>/quarantine-<hash>.ndjson
//! ```
//! A batch folder goes away with its [`Batch`]; after a crash, the lock tells that nobody is behind
//! it any more. Quarantine files stay until [`Spool::clear_quarantine`].

use std::{
    ffi::OsStr,
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use tempfile::{NamedTempFile, TempDir};

use super::private_folder::{self, create, gone, is_older};

const BATCH: &str = "batch-";
const EXPORT: &str = ".export-";
const QUARANTINE: &str = "quarantine-";
const LOCK: &str = "lock";
/// Time that a new batch has to get its lock.
const GRACE: Duration = Duration::from_secs(60);

/// A folder for unpacked exports. It needs room for one unpacked export per batch at work.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
}

impl Spool {
    /// Uses `folder`, and makes it if need be. Only the worker may look into it.
    pub fn new(folder: impl Into<PathBuf>) -> io::Result<Self> {
        let folder = folder.into();
        if private_folder::claim(&folder, is_ours)? {
            return Ok(Self { folder });
        }
        Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "the spool folder is open to others and holds other files: expected a folder of its own",
        ))
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Removes the folders of batches whose process is gone. Returns how many.
    pub fn clear_stale(&self) -> io::Result<usize> {
        let mut cleared = 0;
        for path in self.entries(BATCH)? {
            if is_abandoned(&path)? && gone(fs::remove_dir_all(&path))? {
                cleared += 1;
            }
        }
        for path in self.entries(EXPORT)? {
            if is_unlocked(&path)? && gone(fs::remove_file(&path))? {
                cleared += 1;
            }
        }
        Ok(cleared)
    }

    /// An empty file for an export as it comes. It goes away when it is dropped; the lock tells that it is in use.
    pub fn export(&self) -> io::Result<NamedTempFile> {
        let file = tempfile::Builder::new().prefix(EXPORT).tempfile_in(&self.folder)?;
        file.as_file().lock()?;
        Ok(file)
    }

    /// Removes quarantine files older than `age`. Returns how many.
    pub fn clear_quarantine(&self, age: Duration) -> io::Result<usize> {
        let mut cleared = 0;
        for path in self.entries(QUARANTINE)? {
            if is_older(&path, age)? && gone(fs::remove_file(&path))? {
                cleared += 1;
            }
        }
        Ok(cleared)
    }

    fn entries(&self, prefix: &str) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.file_name().as_encoded_bytes().starts_with(prefix.as_bytes()) {
                found.push(entry.path());
            }
        }
        Ok(found)
    }

    /// A folder for one batch.
    pub(super) fn batch(&self) -> io::Result<Batch> {
        let private = fs::Permissions::from_mode(0o700);
        let folder = tempfile::Builder::new()
            .prefix(BATCH)
            .permissions(private.clone())
            .tempdir_in(&self.folder)?;
        fs::set_permissions(folder.path(), private)?;
        let lock = create(&folder.path().join(LOCK))?;
        lock.lock()?;
        Ok(Batch { folder, _lock: lock })
    }

    /// Keeps the quarantined records of a task, under a name that only its project and tracking id lead to.
    pub(super) fn keep_quarantine(
        &self,
        pile: &Path,
        project: &str,
        tracking_id: &str,
    ) -> io::Result<PathBuf> {
        let hash = Sha256::digest([project, "\0", tracking_id].concat());
        let name = HEXLOWER.encode(hash.get(..8).unwrap_or_default());
        let kept = self.folder.join(format!("{QUARANTINE}{name}.ndjson"));
        File::open(pile)?.sync_all()?;
        fs::rename(pile, &kept)?;
        Ok(kept)
    }
}

fn is_ours(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.starts_with(BATCH.as_bytes())
        || name.starts_with(EXPORT.as_bytes())
        || name.starts_with(QUARANTINE.as_bytes())
}

/// A new file has a moment to get its lock.
fn is_unlocked(file: &Path) -> io::Result<bool> {
    match File::open(file) {
        Ok(lock) => match lock.try_lock() {
            Ok(()) => is_older(file, GRACE),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn is_abandoned(batch: &Path) -> io::Result<bool> {
    match File::open(batch.join(LOCK)) {
        Ok(lock) => match lock.try_lock() {
            Ok(()) => is_older(&batch.join(LOCK), GRACE),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => is_older(batch, GRACE),
        Err(error) => Err(error),
    }
}

/// The folder of one batch; dropping it removes everything in it.
#[derive(Debug)]
pub(super) struct Batch {
    folder: TempDir,
    _lock: File,
}

impl Batch {
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Removes the folder and tells if that fails.
    pub(super) fn close(self) -> io::Result<()> {
        self.folder.close()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn folders_and_files_are_the_workers_alone() {
        let home = tempfile::tempdir().unwrap();
        let spool = Spool::new(home.path().join("a/spool")).unwrap();
        let batch = spool.batch().unwrap();
        assert_eq!(mode(&home.path().join("a/spool")), 0o700);
        assert_eq!(mode(batch.folder()), 0o700);
        assert_eq!(mode(&batch.folder().join(LOCK)), 0o600);
    }

    #[test]
    fn only_batches_that_nobody_holds_are_stale() {
        let home = tempfile::tempdir().unwrap();
        let spool = Spool::new(home.path()).unwrap();
        let alive = spool.batch().unwrap();
        let dead = home.path().join("batch-dead");
        fs::create_dir(&dead).unwrap();
        let lock = create(&dead.join(LOCK)).unwrap();
        lock.set_modified(SystemTime::now() - 2 * GRACE).unwrap();
        let new = home.path().join("batch-new");
        fs::create_dir(&new).unwrap();

        assert_eq!(spool.clear_stale().unwrap(), 1);
        assert!(alive.folder().exists() && new.exists() && !dead.exists());
    }

    #[test]
    fn a_dropped_batch_leaves_nothing() {
        let home = tempfile::tempdir().unwrap();
        let spool = Spool::new(home.path()).unwrap();
        let batch = spool.batch().unwrap();
        create(&batch.folder().join("0")).unwrap();
        drop(batch);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    }

    #[test]
    fn quarantine_files_stay_for_their_time() {
        let home = tempfile::tempdir().unwrap();
        let spool = Spool::new(home.path()).unwrap();
        let batch = spool.batch().unwrap();
        let pile = batch.folder().join("9");
        create(&pile).unwrap();
        let kept = spool.keep_quarantine(&pile, "default", "../../etc/77").unwrap();
        assert_eq!(kept.parent(), Some(home.path()));
        assert_eq!(spool.clear_quarantine(Duration::from_secs(3600)).unwrap(), 0);
        assert_eq!(spool.clear_quarantine(Duration::ZERO).unwrap(), 1);
        assert!(!kept.exists());
    }
}
