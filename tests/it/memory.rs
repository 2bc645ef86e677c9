//! What a process of ours has in memory is for nobody else.

use std::{
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _},
        process::CommandExt as _,
    },
    path::Path,
    process::{Command, Stdio},
};

use crate::world::World;

/// A user that is not root.
const NOBODY: u32 = 65_534;

#[tokio::test]
async fn a_worker_leaves_no_core_dump_and_can_still_be_watched() {
    let world = World::new().await;
    let worker = world.worker().await;
    let process = format!("/proc/{}", worker.pid());
    let limits = std::fs::read_to_string(format!("{process}/limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).collect::<Vec<_>>(), ["0", "0", "bytes"], "{core}");
    let status = std::fs::read_to_string(format!("{process}/status")).unwrap();
    assert!(status.contains("VmRSS:"), "{status}");
}

/// The files of a process in /proc belong to its user, or to root if it is not to be dumped; so it must not be root's.
#[tokio::test]
async fn the_memory_of_a_command_is_closed_to_other_processes_of_its_user() {
    let world = World::new().await;
    // Where everybody can start it.
    let open = tempfile::tempdir().unwrap();
    std::fs::set_permissions(open.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let program = open.path().join("gdpr-worker");
    std::fs::copy(env!("CARGO_BIN_EXE_gdpr-worker"), &program).unwrap();
    let is_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    let as_user = |program: &Path| {
        let mut command = Command::new(program);
        if is_root {
            command.uid(NOBODY).gid(NOBODY);
        }
        command.current_dir("/");
        command
    };
    // It waits for the rows.
    let mut waiting = as_user(&program)
        .env_clear()
        .envs(world.environment())
        .args(["enqueue", "--csv", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let environment = format!("/proc/{}/environ", waiting.id());
    world
        .wait("a process that is root's to look into", async || {
            (std::fs::metadata(&environment).unwrap().uid() == 0).then_some(())
        })
        .await;
    let looked = as_user(Path::new("cat")).arg(&environment).output().unwrap();
    assert!(!looked.status.success() && looked.stdout.is_empty(), "the pepper was read");
    // The same look at a process that does not care.
    let mut careless = as_user(Path::new("cat")).stdin(Stdio::piped()).spawn().unwrap();
    let open = format!("/proc/{}/environ", careless.id());
    assert!(as_user(Path::new("cat")).arg(&open).output().unwrap().status.success());
    for process in [&mut waiting, &mut careless] {
        process.kill().unwrap();
        process.wait().unwrap();
    }
}
