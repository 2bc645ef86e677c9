//! The file that says whose folder it is.
//!
//! Two projects in one folder could have a request of the same id, and one person's archive would
//! replace another's.

use std::{
    fs::Permissions,
    io::{self, Read, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use gdpr_jobs::Project;
use tempfile::NamedTempFile;

use super::{StoreError, open_no_link, staging, sync};

pub(super) const FILE: &str = ".project";
/// Longer than any project's name.
const LONGEST: u64 = 1024;

/// Makes the folder `project`'s, unless it is another's.
pub(super) fn claim(folder: &Path, project: &Project) -> Result<(), StoreError> {
    let path = folder.join(FILE);
    let mark = written(folder, project)?;
    match mark.persist_noclobber(&path) {
        Ok(_) => return Ok(sync(folder)?),
        Err(failed) if failed.error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(failed.error.into());
        }
        Err(_) => {}
    }
    let mut found = String::new();
    open_no_link(&path)?.take(LONGEST).read_to_string(&mut found)?;
    match found.as_str() {
        name if name == project.as_str() => Ok(()),
        // An earlier version made the file before it wrote the name; a crash could come between.
        "" => {
            written(folder, project)?.persist(&path).map_err(|failed| failed.error)?;
            Ok(sync(folder)?)
        }
        _ => Err(StoreError::OtherProject(found)),
    }
}

/// The mark under a passing name: it gets its own when it is whole.
fn written(folder: &Path, project: &Project) -> io::Result<NamedTempFile> {
    let private = Permissions::from_mode(0o600);
    let mut mark = tempfile::Builder::new()
        .prefix(staging::PREFIX)
        .permissions(private.clone())
        .tempfile_in(folder)?;
    mark.as_file().set_permissions(private)?;
    mark.write_all(project.as_str().as_bytes())?;
    mark.as_file().sync_all()?;
    Ok(mark)
}
