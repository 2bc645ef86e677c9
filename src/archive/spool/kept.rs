//! What is kept in the spool: listed, and destroyed.

use std::{
    fs::{self, File},
    io,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use super::{
    Spool,
    name::{ExportName, KeptKind},
};

/// A kept file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What it is.
    pub kind: KeptKind,
    /// The project whose it is.
    pub project: String,
    /// The batch whose export it is, or was left out of.
    pub batch: String,
    /// How long it has been there.
    pub age: Duration,
    /// Its size on disk.
    pub bytes: u64,
    /// Where it is.
    pub path: PathBuf,
}

impl Spool {
    /// All kept files, oldest first.
    pub fn kept(&self) -> io::Result<Vec<Kept>> {
        let now = SystemTime::now();
        let mut kept = Vec::new();
        for path in self.entries()? {
            let Some((kind, name)) = path.file_name().and_then(ExportName::parse) else { continue };
            let facts = match fs::symlink_metadata(&path) {
                Ok(facts) => facts,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let age = now.duration_since(facts.modified()?).unwrap_or_default();
            let (project, batch, bytes) = (name.project, name.batch, facts.len());
            kept.push(Kept { kind, project, batch, age, bytes, path });
        }
        kept.sort_by_key(|file| std::cmp::Reverse(file.age));
        Ok(kept)
    }

    /// Destroys one kept file. Returns whether it was still there.
    pub fn destroy(&self, file: &Kept) -> io::Result<bool> {
        Ok(self.remove_kept(std::iter::once(file.path.clone()))? > 0)
    }

    /// Destroys one export, so that it is fetched anew. Returns whether there was one.
    pub fn remove_export(&self, name: &ExportName) -> io::Result<bool> {
        let path = self.path(name, KeptKind::Export);
        Ok(self.remove_kept(std::iter::once(path))? > 0)
    }

    /// Removes finished files; what is gone already counts as removed by somebody else.
    pub(super) fn remove_kept(&self, files: impl Iterator<Item = PathBuf>) -> io::Result<usize> {
        let mut removed = 0;
        for path in files {
            self.room.forget(|| {
                let removal = fs::symlink_metadata(&path)
                    .and_then(|facts| fs::remove_file(&path).map(|()| facts.len()));
                match removal {
                    Ok(bytes) => {
                        removed += 1;
                        Ok(bytes)
                    }
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
                    Err(error) => Err(error),
                }
            })?;
        }
        if removed > 0 {
            File::open(&self.folder)?.sync_all()?;
        }
        Ok(removed)
    }

    /// Counts kept files anew: other processes and people may have removed some.
    pub(super) fn recount(&self) -> io::Result<()> {
        self.room.recount(|| Ok(self.kept()?.iter().map(|file| file.bytes).sum()))
    }
}
