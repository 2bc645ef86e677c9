//! Archives in a local folder, for the worker alone.
//!
//! ```text
//! <folder>/ID.zip            an archive
//! <folder>/.project          whose folder it is
//! <folder>/.tmp-XXXXXX/      drafts of one consignment
//! ```
//! The folder has mode 0700 and files have 0600, whatever the umask. Symbolic links within it are
//! replaced or removed, never followed.

mod mark;
mod staging;

use std::{
    ffi::OsStr,
    fs::{self, File},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use gdpr_jobs::Project;
use rustix::fs::{OFlags, statvfs};

pub(super) use self::staging::{DraftFile, Staging};
use super::{Object, StoreError, name::Name};
use crate::archive::spool::private_folder::{self, gone};

/// A folder of archives.
#[derive(Clone, Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes the folder if need be, closes it to others, and removes what a crash left behind.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        if !private_folder::claim(path, is_ours)? {
            return Err(StoreError::Shared);
        }
        let folder = fs::canonicalize(path)?;
        if folder.to_str().is_none() {
            return Err(StoreError::Address);
        }
        staging::remove_abandoned(&folder)?;
        Ok(Self(folder))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn claim(&self, project: &Project) -> Result<(), StoreError> {
        mark::claim(&self.0, project)
    }

    pub(super) fn probe(&self) -> Result<(), StoreError> {
        self.staging()?.draft().map(drop)
    }

    pub(super) fn staging(&self) -> Result<Staging, StoreError> {
        Staging::new(&self.0)
    }

    pub(super) fn location(&self, name: &Name) -> String {
        location(&self.0, name)
    }

    /// The last part of a location of this folder's, as text.
    pub(super) fn last_part<'a>(&self, location: &'a str) -> Option<&'a str> {
        Path::new(location).strip_prefix(&self.0).ok()?.to_str()
    }

    pub(super) fn remove(&self, name: &Name) -> Result<bool, StoreError> {
        let removed = gone(fs::remove_file(self.0.join(name.to_string())))?;
        if removed {
            sync(&self.0)?;
        }
        Ok(removed)
    }

    pub(super) fn list(
        &self,
    ) -> Result<impl Iterator<Item = Result<Object, StoreError>> + use<>, StoreError> {
        let folder = self.0.clone();
        let entries = fs::read_dir(&folder)?;
        Ok(entries.filter_map(move |entry| object(&folder, entry).map_err(Into::into).transpose()))
    }

    pub(super) fn holds(&self, name: &Name) -> Result<bool, StoreError> {
        match self.read(name) {
            Ok(_) => Ok(true),
            Err(StoreError::Missing | StoreError::Elsewhere) => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(super) fn read(&self, name: &Name) -> Result<File, StoreError> {
        let file = open_no_link(&self.0.join(name.to_string())).map_err(|error| {
            if error.kind() == io::ErrorKind::NotFound { StoreError::Missing } else { error.into() }
        })?;
        if file.metadata()?.is_file() { Ok(file) } else { Err(StoreError::Elsewhere) }
    }

    /// Bytes that this user may still write.
    pub(super) fn room(&self) -> Result<u64, StoreError> {
        let space = statvfs(&self.0).map_err(io::Error::from)?;
        Ok(space.f_bavail.saturating_mul(space.f_frsize))
    }
}

fn location(folder: &Path, name: &Name) -> String {
    folder.join(name.to_string()).to_string_lossy().into_owned()
}

/// `None` for what is not an archive, or is gone by now.
fn object(folder: &Path, entry: io::Result<fs::DirEntry>) -> io::Result<Option<Object>> {
    let entry = entry?;
    let Some(name) = entry.file_name().to_str().and_then(Name::parse) else { return Ok(None) };
    // Does not follow a symbolic link.
    let facts = match entry.metadata() {
        Ok(facts) if facts.is_file() => facts,
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let modified = facts.modified()?.into();
    Ok(Some(Object::new(location(folder, &name), name, modified, facts.len())))
}

fn open_no_link(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    File::options().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

/// Makes renames and removals in `folder` survive a power cut.
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn is_ours(name: &OsStr) -> bool {
    staging::is_draft(name)
        || name == mark::FILE
        || name.to_str().is_some_and(|name| Name::parse(name).is_some())
}
