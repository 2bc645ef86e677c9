//! The work folder of one packaging run.

use std::{
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tempfile::TempDir;

use super::{
    private_folder::{create, is_older},
    room::Room,
};

pub(super) const BATCH: &str = "batch-";
const LOCK: &str = "lock";
/// Time that a new batch has to get its lock.
const GRACE: Duration = Duration::from_secs(60);

/// The folder of one batch; dropping it removes everything in it.
#[derive(Debug)]
pub(in crate::archive) struct Batch {
    folder: TempDir,
    _lock: File,
    // Dropped after the folder: its bytes are free once the files are gone.
    taken: Taken,
}

#[derive(Debug)]
struct Taken {
    room: Arc<Room>,
    bytes: AtomicU64,
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.room.give_back(self.bytes.load(Ordering::Relaxed));
    }
}

impl Batch {
    pub(super) fn new(spool: &Path, room: &Arc<Room>) -> io::Result<Self> {
        let private = fs::Permissions::from_mode(0o700);
        let folder = tempfile::Builder::new()
            .prefix(BATCH)
            .permissions(private.clone())
            .tempdir_in(spool)?;
        fs::set_permissions(folder.path(), private)?;
        let lock = create(&folder.path().join(LOCK))?;
        lock.lock()?;
        let taken = Taken { room: Arc::clone(room), bytes: AtomicU64::new(0) };
        Ok(Self { folder, _lock: lock, taken })
    }

    pub(in crate::archive) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// To be called before a file in the folder grows by `bytes`. After an error nothing may be written.
    pub(in crate::archive) fn reserve(&self, bytes: u64) -> io::Result<()> {
        self.taken.room.take(bytes)?;
        self.taken.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    /// Removes the folder and tells if that fails.
    pub(in crate::archive) fn close(self) -> io::Result<()> {
        self.folder.close()
    }
}

/// Whether nobody is behind a batch's folder any more.
pub(super) fn is_abandoned(batch: &Path) -> io::Result<bool> {
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::time::SystemTime;

    use super::super::tests::spool;
    use super::*;

    #[test]
    fn only_batches_that_nobody_holds_are_stale() {
        let (home, spool) = spool();
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
        let (home, spool) = spool();
        let batch = spool.batch().unwrap();
        assert_eq!(
            fs::metadata(batch.folder().join(LOCK)).unwrap().permissions().mode() & 0o777,
            0o600
        );
        create(&batch.folder().join("0")).unwrap();
        drop(batch);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    }
}
