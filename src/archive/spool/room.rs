//! How much the spool may take, and the books of what it has taken.
//!
//! Invariants: bytes are booked before they are written, and given back after they are removed, so the disk never
//! holds more than the books say; what does not fit is not begun. Exact to the byte for [`Quota::most`]; the file
//! system's free space is shared with others and looked up now and then.
//!
//! Processes that share a folder do not see each other's books, but [`Quota::reserve`] holds for all of them.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Bytes that may be written before the file system is asked again for what is free.
const LOOK_EVERY: u64 = 16 * 1024 * 1024;

/// Bounds on the spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Bytes of all files in the spool together.
    pub most: u64,
    /// Bytes of the file system that stay free; 0 does not look.
    pub reserve: u64,
}

impl Default for Quota {
    /// As much as the disk gives, but for a quarter of a GiB.
    fn default() -> Self {
        Self { most: u64::MAX, reserve: 256 * 1024 * 1024 }
    }
}

/// Why nothing more may be written now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRoom {
    /// The spool's own bound ([`io::ErrorKind::QuotaExceeded`]).
    #[error(
        "the spool has {used} of {most} bytes in use and {wanted} more are needed: wait until exports are packaged, \
         destroy kept files, or allow more"
    )]
    Quota {
        /// Bytes in use.
        used: u64,
        /// Bytes allowed.
        most: u64,
        /// Bytes asked for.
        wanted: u64,
    },
    /// The file system's ([`io::ErrorKind::StorageFull`]).
    #[error(
        "the spool's file system has {free} bytes free and {reserve} must stay so: free some, or give the spool a \
         larger disk"
    )]
    Disk {
        /// Bytes free.
        free: u64,
        /// Bytes that stay free.
        reserve: u64,
    },
}

impl From<NoRoom> for io::Error {
    fn from(why: NoRoom) -> Self {
        let kind = match why {
            NoRoom::Quota { .. } => io::ErrorKind::QuotaExceeded,
            NoRoom::Disk { .. } => io::ErrorKind::StorageFull,
        };
        Self::new(kind, why)
    }
}

/// The books of one spool.
#[derive(Debug)]
pub(super) struct Room {
    quota: Quota,
    folder: PathBuf,
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    /// Bytes of finished files.
    kept: u64,
    /// Bytes of what is being written, and of work folders.
    working: u64,
    /// Bytes that may still be written by the last look at the file system.
    seen_free: u64,
}

impl Room {
    pub(super) fn new(folder: &Path, quota: Quota) -> Self {
        Self { quota, folder: folder.to_owned(), books: Mutex::default() }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Books `bytes` that are about to be written.
    pub(super) fn take(&self, bytes: u64) -> io::Result<()> {
        let mut books = self.books();
        let used = books.kept.saturating_add(books.working);
        if used.saturating_add(bytes) > self.quota.most {
            return Err(NoRoom::Quota { used, most: self.quota.most, wanted: bytes }.into());
        }
        if self.quota.reserve > 0 {
            if books.seen_free < bytes {
                books.seen_free = self.look(bytes)?;
            }
            books.seen_free -= bytes;
        }
        books.working = books.working.saturating_add(bytes);
        Ok(())
    }

    /// How much may be written before the next look; at least `bytes`.
    fn look(&self, bytes: u64) -> io::Result<u64> {
        let facts = rustix::fs::statvfs(&self.folder)?;
        let free = facts.f_bavail.saturating_mul(facts.f_frsize);
        let spare = free.saturating_sub(self.quota.reserve);
        if spare < bytes {
            return Err(NoRoom::Disk { free, reserve: self.quota.reserve }.into());
        }
        Ok(spare.min(LOOK_EVERY.max(bytes)))
    }

    /// Books that `bytes` were removed, or never written.
    pub(super) fn give_back(&self, bytes: u64) {
        let mut books = self.books();
        books.working = books.working.saturating_sub(bytes);
    }

    /// Moves a finished file of `bytes` to its place; what it replaces is no longer counted.
    pub(super) fn keep(&self, bytes: u64, from: &Path, to: &Path) -> io::Result<()> {
        let mut books = self.books();
        let replaced = fs::symlink_metadata(to).map_or(0, |facts| facts.len());
        fs::rename(from, to)?;
        books.working = books.working.saturating_sub(bytes);
        books.kept = books.kept.saturating_sub(replaced).saturating_add(bytes);
        Ok(())
    }

    /// Counts what is there: `measure` gives the bytes of finished files. Nothing is finished or removed meanwhile.
    pub(super) fn recount(&self, measure: impl FnOnce() -> io::Result<u64>) -> io::Result<()> {
        let mut books = self.books();
        books.kept = measure()?;
        Ok(())
    }

    /// Removes finished files by `remove`, which tells how many bytes they had.
    pub(super) fn forget(&self, remove: impl FnOnce() -> io::Result<u64>) -> io::Result<()> {
        let mut books = self.books();
        let bytes = remove()?;
        books.kept = books.kept.saturating_sub(bytes);
        Ok(())
    }

    /// Bytes in use.
    #[cfg(test)]
    pub(super) fn used(&self) -> u64 {
        let books = self.books();
        books.kept + books.working
    }
}
