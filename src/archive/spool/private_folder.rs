//! Folders and files that the worker alone may look into, whatever the umask.

use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
    time::{Duration, SystemTime},
};

/// Makes the folder if need be and closes it to others. `false` if it cannot be had: others can
/// look into it and it holds things that are not `ours`; closing a folder that is shared, such as
/// /tmp, would break them.
pub(in crate::archive) fn claim(folder: &Path, ours: impl Fn(&OsStr) -> bool) -> io::Result<bool> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let for_others = fs::metadata(folder)?.permissions().mode() & 0o077;
    if for_others == 0 {
        return Ok(true);
    }
    for entry in fs::read_dir(folder)? {
        if !ours(&entry?.file_name()) {
            return Ok(false);
        }
    }
    fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    Ok(true)
}

/// Makes a new file for appending.
pub(in crate::archive) fn create(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}

/// Makes what was removed by somebody else count as removed: `false` if it was gone already.
pub(in crate::archive) fn gone(removal: io::Result<()>) -> io::Result<bool> {
    match removal {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether what is at `path` was last changed at least `age` ago; `false` if nothing is there.
pub(in crate::archive) fn is_older(path: &Path, age: Duration) -> io::Result<bool> {
    let modified = match fs::symlink_metadata(path) {
        Ok(facts) => facts.modified()?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    Ok(SystemTime::now().duration_since(modified).is_ok_and(|passed| passed >= age))
}
