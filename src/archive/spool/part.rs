//! A file that is not whole yet: locked while it is written, booked before it grows, gone unless it is finished.

use std::{
    fs::{self, File, OpenOptions, Permissions, TryLockError},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::fs::OFlags;

use super::{name::PART, room::Room};

/// Attempts to get a file whose name somebody else gives and takes away at the same moment.
const ATTEMPTS: u32 = 8;

/// A file on its way to `to`.
#[derive(Debug)]
pub(super) struct Part {
    file: File,
    path: PathBuf,
    to: PathBuf,
    room: Arc<Room>,
    taken: u64,
    finished: bool,
}

impl Part {
    /// An empty file. [`io::ErrorKind::ResourceBusy`] if somebody is writing the same one; what a dead process
    /// left is taken over.
    pub(super) fn create(to: PathBuf, room: &Arc<Room>) -> io::Result<Self> {
        let mut path = to.clone().into_os_string();
        path.push(PART);
        let path = PathBuf::from(path);
        for _ in 0..ATTEMPTS {
            let file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
                .open(&path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(busy()),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // Between opening and locking it may have been finished or cleared away.
            if is_at(&file, &path)? {
                file.set_permissions(Permissions::from_mode(0o600))?;
                file.set_len(0)?;
                let room = Arc::clone(room);
                return Ok(Self { file, path, to, room, taken: 0, finished: false });
            }
        }
        Err(busy())
    }

    /// Makes the file appear under its name; it survives a power cut from then on.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        self.room.keep(self.taken, &self.path, &self.to)?;
        self.finished = true;
        match self.to.parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    }
}

fn busy() -> io::Error {
    io::Error::new(io::ErrorKind::ResourceBusy, "the file is being written by somebody else")
}

fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let opened = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (opened.dev(), opened.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

impl Write for Part {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let wanted = bytes.len() as u64;
        self.room.take(wanted)?;
        let written = self.file.write(bytes);
        let kept = written.as_ref().map_or(0, |&count| count as u64);
        self.room.give_back(wanted.saturating_sub(kept));
        self.taken += kept;
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.finished {
            // The lock is held until the name is gone; what cannot be removed now is cleared as stale later.
            let _ = fs::remove_file(&self.path);
            self.room.give_back(self.taken);
        }
    }
}
