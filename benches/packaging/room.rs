//! Where the data lies while it is measured: in memory if it fits, so that no disk is measured.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;

const SHARED_MEMORY: &str = "/dev/shm";

/// A folder that goes, with all that is in it, when it is dropped.
pub(crate) struct Room(tempfile::TempDir);

impl Room {
    /// In `asked` if given. `bytes` is what the run needs.
    pub(crate) fn new(asked: Option<&Path>, bytes: u64) -> anyhow::Result<Self> {
        let temporary = std::env::temp_dir();
        let shared = Path::new(SHARED_MEMORY);
        let parent = match asked {
            Some(folder) => folder,
            None if has_room(shared, bytes) && memory_is_free(bytes) => shared,
            None => &temporary,
        };
        anyhow::ensure!(
            has_room(parent, bytes),
            "{} MB are needed in {} and are not free: name another folder with --folder, or use --quick",
            bytes / 1_000_000,
            parent.display()
        );
        eprintln!("data lies in {}", parent.display());
        let folder = tempfile::Builder::new().prefix("packaging-bench-").tempdir_in(parent);
        let folder = folder.with_context(|| format!("making a folder in {}", parent.display()))?;
        remove_when_interrupted(folder.path().to_owned())?;
        Ok(Self(folder))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// An empty folder for one side, without what the one before left.
    pub(crate) fn fresh(&self, name: &str) -> anyhow::Result<PathBuf> {
        let folder = self.path().join(name);
        clear(&folder)?;
        std::fs::create_dir(&folder).context("making a folder for a side")?;
        Ok(folder)
    }
}

/// Gigabytes must not stay in memory because somebody pressed Ctrl-C.
fn remove_when_interrupted(folder: PathBuf) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    std::thread::spawn(move || {
        if runtime.block_on(interruption()).is_err() {
            return;
        }
        // A side may still be making files; it fails as soon as its folder is gone.
        for _ in 0..20 {
            if clear(&folder).is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        std::process::exit(130);
    });
    Ok(())
}

async fn interruption() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        pressed = tokio::signal::ctrl_c() => pressed,
    }
}

/// Removes a folder, if it is there.
pub(crate) fn clear(folder: &Path) -> anyhow::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).context("clearing a side's folder")
        }
        _ => Ok(()),
    }
}

fn has_room(folder: &Path, bytes: u64) -> bool {
    rustix::fs::statvfs(folder).is_ok_and(|facts| facts.f_bavail * facts.f_frsize > bytes)
}

/// Files in shared memory take memory from the sides, so twice as much must be free.
fn memory_is_free(bytes: u64) -> bool {
    let facts = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = facts.lines().find_map(|line| {
        line.strip_prefix("MemAvailable:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok()
    });
    kib.is_some_and(|kib| kib * 1024 > 2 * bytes)
}
