//! Where finished archives live: one folder, for the worker alone.
//!
//! An archive appears under its name whole or not at all: it is written to a temporary file in the
//! same folder, synced, renamed, and the folder is synced. Names come from request ids only, and a
//! rename or removal never follows a symbolic link.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, BufReader, Read, Seek, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use data_encoding::HEXLOWER;
use gdpr_jobs::{Project, RequestId};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::private_folder::{self, gone, is_older};

const ENDING: &str = ".zip";
/// The file that says whose folder it is.
const MARK: &str = ".project";
/// Drafts begin with this and do not end as archives do, so no request id can name one.
const DRAFT: &str = ".tmp-";
/// From this age on, a draft belongs to a process that is gone.
const DRAFT_LIFE: Duration = Duration::from_secs(60 * 60);

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A kind of store that this version does not have.
    #[error(
        "GDPR_ARCHIVE_URL has the scheme {0}: this version stores archives in a local folder; \
         expected file:///absolute/path or file://./relative/path"
    )]
    Scheme(String),
    /// Not the address of a folder.
    #[error(
        "GDPR_ARCHIVE_URL is not the address of a local folder: expected \
         file:///absolute/path, file://./relative/path or a path"
    )]
    Address,
    /// Other people can look into the folder, and it holds other things than archives.
    #[error(
        "the archive folder is open to others and holds other files: expected a folder of its own; \
         name an empty one in GDPR_ARCHIVE_URL or run chmod 700 on it"
    )]
    Shared,
    /// Another project keeps its archives there.
    #[error(
        "the archive folder is project {0}'s: expected a folder of its own for each project; \
         set archive_url in the project's table of the file, or GDPR_ARCHIVE_URL"
    )]
    OtherProject(String),
    /// The location is not one of this store's.
    #[error(
        "the archive is not in the folder of GDPR_ARCHIVE_URL: was the setting changed since it \
         was made? Remove the file by hand, or set the folder back"
    )]
    Elsewhere,
    /// The file system failed.
    #[error("the archive folder failed ({kind})", kind = .0.kind())]
    Io(#[from] io::Error),
}

/// A finished archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Absolute path of the file: the field `archive` of the request's hash.
    pub location: String,
    /// SHA-256 of the file, in lower-case hex.
    pub sha256: String,
    /// Size of the file.
    pub bytes: u64,
}

/// An archive that is being written. Dropping it removes it.
#[derive(Debug)]
pub struct Draft(NamedTempFile);

impl Draft {
    /// The file to write to.
    pub fn file(&mut self) -> &mut File {
        self.0.as_file_mut()
    }
}

/// A folder of archives.
#[derive(Clone, Debug)]
pub struct ArchiveStore {
    folder: PathBuf,
}

impl ArchiveStore {
    /// Opens the folder that `url` names: `file:///absolute`, `file://./relative` or a path, taken
    /// as it stands (no percent-encoding). It is made if need be, closed to others (mode 0700), and
    /// drafts that a crash left behind are removed.
    pub fn open(url: &str) -> Result<Self, StoreError> {
        let path = folder_of(url)?;
        if !private_folder::claim(path, is_ours)? {
            return Err(StoreError::Shared);
        }
        let folder = fs::canonicalize(path)?;
        if folder.to_str().is_none() {
            return Err(StoreError::Address);
        }
        let store = Self { folder };
        store.remove_old_drafts()?;
        Ok(store)
    }

    /// The folder that archives are kept in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes the folder this project's. Two projects in one folder could have a request of the same id, and one
    /// person's archive would replace another's.
    pub fn claim(&self, project: &Project) -> Result<(), StoreError> {
        let mark = self.folder.join(MARK);
        let found = match File::options().write(true).create_new(true).open(&mark) {
            Ok(mut file) => return Ok(file.write_all(project.as_str().as_bytes())?),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                fs::read_to_string(&mark)?
            }
            Err(error) => return Err(error.into()),
        };
        // An empty mark: a crash came between making and writing it.
        match found.as_str() {
            "" => Ok(fs::write(&mark, project.as_str())?),
            name if name == project.as_str() => Ok(()),
            _ => Err(StoreError::OtherProject(found)),
        }
    }

    /// A new, empty draft.
    pub fn draft(&self) -> io::Result<Draft> {
        let private = fs::Permissions::from_mode(0o600);
        let file = tempfile::Builder::new()
            .prefix(DRAFT)
            .permissions(private.clone())
            .tempfile_in(&self.folder)?;
        file.as_file().set_permissions(private)?;
        Ok(Draft(file))
    }

    /// Makes `draft` the archive of `request`, in place of an earlier one. It is there to stay when
    /// this returns.
    pub fn put(&self, request: &RequestId, draft: Draft) -> io::Result<Stored> {
        let stored = self.place(request, draft)?;
        self.sync()?;
        Ok(stored)
    }

    /// Like [`ArchiveStore::put`], but the name survives a power cut only after
    /// [`ArchiveStore::sync`]: once for a whole batch is enough, and much faster.
    pub(super) fn place(&self, request: &RequestId, mut draft: Draft) -> io::Result<Stored> {
        let (sha256, bytes) = digest(draft.file())?;
        draft.file().sync_all()?;
        let path = self.path(request);
        draft.0.persist(&path).map_err(|failed| failed.error)?;
        Ok(Stored { location: path.to_string_lossy().into_owned(), sha256, bytes })
    }

    /// Makes every rename and removal so far survive a power cut.
    pub(super) fn sync(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }

    /// Destroys the archive at `location`, as [`ArchiveStore::put`] returned it. `false` if it was
    /// gone already.
    pub fn remove(&self, location: &str) -> Result<bool, StoreError> {
        let path = self.path(&self.request_at(location)?);
        let removed = gone(fs::remove_file(path))?;
        if removed {
            self.sync()?;
        }
        Ok(removed)
    }

    /// Where the archive of `request` is or would be.
    pub fn location(&self, request: &RequestId) -> String {
        self.path(request).to_string_lossy().into_owned()
    }

    fn path(&self, request: &RequestId) -> PathBuf {
        self.folder.join(format!("{request}{ENDING}"))
    }

    fn request_at(&self, location: &str) -> Result<RequestId, StoreError> {
        let path = Path::new(location);
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        let request = name.strip_suffix(ENDING).and_then(|id| id.parse().ok());
        match request {
            Some(request) if self.location(&request) == location => Ok(request),
            _ => Err(StoreError::Elsewhere),
        }
    }

    fn remove_old_drafts(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if is_draft(&entry.file_name()) && is_older(&entry.path(), DRAFT_LIFE)? {
                gone(fs::remove_file(entry.path()))?;
            }
        }
        Ok(())
    }
}

fn folder_of(url: &str) -> Result<&Path, StoreError> {
    let path = match url.split_once("://") {
        Some(("file", path)) if path.starts_with(['/', '.']) => path,
        Some(("file", _)) => return Err(StoreError::Address),
        Some((scheme, _)) => return Err(StoreError::Scheme(presentable(scheme))),
        None => url,
    };
    if path.is_empty() { Err(StoreError::Address) } else { Ok(Path::new(path)) }
}

/// What stands before `://` is shown only if it looks like a scheme: it may be a pasted secret.
fn presentable(scheme: &str) -> String {
    let plain =
        (1..=8).contains(&scheme.len()) && scheme.bytes().all(|b| b.is_ascii_alphanumeric());
    if plain { scheme.to_owned() } else { "(not shown)".to_owned() }
}

fn is_draft(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.starts_with(DRAFT.as_bytes()) && !name.ends_with(ENDING.as_bytes())
}

fn is_ours(name: &OsStr) -> bool {
    is_draft(name) || name.as_encoded_bytes().ends_with(ENDING.as_bytes())
}

fn digest(file: &mut File) -> io::Result<(String, u64)> {
    file.rewind()?;
    let mut reader = BufReader::with_capacity(64 * 1024, file);
    let mut hash = Sha256::new();
    let mut bytes = 0;
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let n = reader.read(&mut chunk)?;
        if n == 0 {
            return Ok((HEXLOWER.encode(&hash.finalize()), bytes));
        }
        hash.update(chunk.get(..n).unwrap_or_default());
        bytes += n as u64;
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
