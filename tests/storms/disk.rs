//! The disk of archives and spool runs full while exports are packaged.

use std::{path::PathBuf, process::Command};

use crate::{
    field::{Field, Plan, scaled},
    load::Mix,
};

/// A small file system, unmounted at the end.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where nobody may mount one.
    fn mount() -> Option<(Self, tempfile::TempDir)> {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("disk");
        std::fs::create_dir(&at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=24m,mode=0700", "archives"])
            .arg(&at)
            .output();
        mounted.is_ok_and(|output| output.status.success()).then(|| (Self(at), folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_disk() {
    let Some((disk, _folder)) = SmallDisk::mount() else {
        println!("full-disk: NOT RUN: a file system can be mounted by root only");
        return;
    };
    let archives = disk.0.join("archives");
    let plan = Plan { mix: Mix::BATCHES, ..Plan::new("full-disk", scaled(200, 2000)) }
        .with("GDPR_ARCHIVE_URL", format!("file://{}", archives.display()))
        .with("GDPR_SPOOL_RESERVE", "64KiB")
        .with("GDPR_SPOOL_MAX", "16MiB");
    let mut field = Field::new(plan).await;
    field.keep_archives_in(archives);
    let ballast = disk.0.join("ballast");
    field
        .storm(scaled(3, 20), async |field| {
            // Somebody else takes what room there is, then gives it back.
            let _ = Command::new("dd")
                .args(["if=/dev/zero", "bs=64k", &format!("of={}", ballast.display())])
                .output();
            field.pause(500..2500).await;
            std::fs::remove_file(&ballast).unwrap();
            field.note("disk full");
        })
        .await;
    field.verdict().await;
}
