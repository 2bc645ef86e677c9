//! What is special about a folder.

use std::{
    fs::{self, File, Permissions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
    process::Command,
    time::{Duration, SystemTime},
};

use super::rig::{Rig, content, put, try_put};
use crate::archive::{ArchiveStore, Form, StoreError};

fn mode(path: impl AsRef<Path>) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o777
}

fn make_old(path: &Path) {
    let long_ago = SystemTime::now() - Duration::from_secs(24 * 60 * 60);
    File::open(path).unwrap().set_modified(long_ago).unwrap();
}

/// A consignment that was cut off: its folder with a draft, whose lock nobody holds any more.
fn leftover(rig: &Rig) -> std::path::PathBuf {
    let folder = rig.path().join(".tmp-crash");
    fs::create_dir(&folder).unwrap();
    for name in ["lock", "0"] {
        fs::write(folder.join(name), b"x").unwrap();
    }
    folder
}

#[test]
fn a_location_is_an_absolute_path() {
    let rig = Rig::folder();
    let stored = put(&rig.store, "r-1", Form::Zip, b"abc");
    assert_eq!(Path::new(&stored.location), rig.path().join("r-1.zip"));
    assert_eq!(fs::read(&stored.location).unwrap(), b"abc");
}

/// The umask belongs to the process, so this test has one of its own.
#[test]
fn nobody_else_can_look_into_it_whatever_the_umask() {
    const CHILD: &str = "GDPR_TEST_UMASK_CHILD";
    if std::env::var_os(CHILD).is_none() {
        for umask in ["000", "777"] {
            let program = std::env::current_exe().unwrap();
            let test =
                "archive::store::tests::folder::nobody_else_can_look_into_it_whatever_the_umask";
            let child = Command::new("sh")
                .args(["-c", r#"umask "$1" && exec "$2" --exact "$3""#, "sh", umask])
                .args([program.as_os_str(), test.as_ref()])
                .env(CHILD, "1")
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&child.stdout).into_owned();
            assert!(child.status.success() && said.contains("1 passed"), "umask {umask}: {said}");
        }
        return;
    }
    let home =
        tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir().unwrap();
    fs::set_permissions(home.path(), Permissions::from_mode(0o700)).unwrap();
    let path = home.path().join("archives");
    fs::create_dir(&path).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    let store = ArchiveStore::open(path.to_str().unwrap()).unwrap();
    store.claim(&"web".parse().unwrap()).unwrap();
    let consignment = store.consignment().unwrap();
    let mut draft = consignment.draft(&"r".parse().unwrap(), Form::Zip).unwrap();
    draft.write_all(b"x").unwrap();
    let staging = fs::read_dir(&path).unwrap().find_map(|entry| {
        let path = entry.unwrap().path();
        path.is_dir().then_some(path)
    });
    assert_eq!(mode(staging.as_ref().unwrap()), 0o700);
    assert_eq!(mode(staging.unwrap().join("0")), 0o600);
    let stored = consignment.place(draft).unwrap();
    consignment.settle().unwrap();
    assert_eq!(mode(&path), 0o700);
    assert_eq!(mode(stored.location), 0o600);
    assert_eq!(mode(path.join(".project")), 0o600);
}

#[test]
fn an_open_folder_is_closed_if_it_is_ours_and_refused_if_it_is_shared() {
    let rig = Rig::folder();
    let url = rig.path().to_str().unwrap().to_owned();
    rig.store.claim(&"web".parse().unwrap()).unwrap();
    put(&rig.store, "r", Form::Age, b"x");
    fs::set_permissions(rig.path(), Permissions::from_mode(0o755)).unwrap();
    ArchiveStore::open(&url).unwrap();
    assert_eq!(mode(rig.path()), 0o700);
    rig.drop_in("notes.txt");
    fs::set_permissions(rig.path(), Permissions::from_mode(0o755)).unwrap();
    assert!(matches!(ArchiveStore::open(&url), Err(StoreError::Shared)));
}

#[test]
fn a_symbolic_link_in_the_way_is_replaced_or_removed_and_not_followed() {
    let rig = Rig::folder();
    let outside = rig.home().join("outside");
    fs::write(&outside, b"untouched").unwrap();
    let location = rig.store.location(&"r".parse().unwrap(), Form::Zip);
    symlink(&outside, &location).unwrap();
    assert_eq!(rig.store.list().unwrap().count(), 0);
    assert!(rig.store.read(&location).is_err());
    put(&rig.store, "r", Form::Zip, b"new");
    assert_eq!(fs::read(&outside).unwrap(), b"untouched");
    assert_eq!(content(&rig.store, &location), b"new");
    fs::remove_file(&location).unwrap();
    symlink(&outside, &location).unwrap();
    assert!(rig.store.remove(&location).unwrap());
    symlink(&outside, rig.path().join(".project")).unwrap();
    assert!(rig.store.claim(&"web".parse().unwrap()).is_err());
    assert_eq!(fs::read(&outside).unwrap(), b"untouched");
}

#[test]
fn a_folder_whose_mark_was_cut_off_can_be_claimed() {
    let rig = Rig::folder();
    rig.drop_in(".project");
    fs::write(rig.path().join(".project"), b"").unwrap();
    rig.store.claim(&"web".parse().unwrap()).unwrap();
    assert!(rig.store.claim(&"app".parse().unwrap()).is_err());
    assert_eq!(rig.names(), [".project"]);
}

#[test]
fn what_a_crash_left_is_removed_when_the_folder_is_opened_and_with_the_next_batch() {
    let rig = Rig::folder();
    for next in [
        |rig: &Rig| drop(ArchiveStore::open(rig.path().to_str().unwrap()).unwrap()),
        |rig: &Rig| drop(rig.store.consignment().unwrap()),
    ] {
        let folder = leftover(&rig);
        next(&rig);
        assert!(folder.exists(), "somebody may just be about to lock it");
        make_old(&folder.join("lock"));
        next(&rig);
        assert!(!folder.exists());
    }
    // A mark that did not get its name.
    let mark = rig.path().join(".tmp-mark");
    fs::write(&mark, b"web").unwrap();
    make_old(&mark);
    put(&rig.store, ".tmp-request", Form::Zip, b"an odd but legal id");
    make_old(&rig.path().join(".tmp-request.zip"));
    ArchiveStore::open(rig.path().to_str().unwrap()).unwrap();
    assert_eq!(rig.names(), [".tmp-request.zip"]);
}

#[test]
fn drafts_that_somebody_works_on_are_left_alone_however_old() {
    let rig = Rig::folder();
    let consignment = rig.store.consignment().unwrap();
    let mut draft = consignment.draft(&"r".parse().unwrap(), Form::Zip).unwrap();
    draft.write_all(b"x").unwrap();
    let folder = rig.path().join(rig.names().first().unwrap());
    make_old(&folder.join("lock"));
    ArchiveStore::open(rig.path().to_str().unwrap()).unwrap();
    let stored = consignment.place(draft).unwrap();
    consignment.settle().unwrap();
    assert_eq!(content(&rig.store, &stored.location), b"x");
}

#[test]
fn archives_get_their_names_only_when_their_bytes_are_safe() {
    let rig = Rig::folder();
    put(&rig.store, "r-0", Form::Zip, b"earlier");
    let consignment = rig.store.consignment().unwrap();
    for n in 0..20 {
        let mut draft = consignment.draft(&format!("r-{n}").parse().unwrap(), Form::Zip).unwrap();
        draft.write_all(b"newer").unwrap();
        consignment.place(draft).unwrap();
    }
    let earlier = rig.store.location(&"r-0".parse().unwrap(), Form::Zip);
    assert_eq!(rig.store.list().unwrap().count(), 1);
    assert_eq!(content(&rig.store, &earlier), b"earlier");
    consignment.settle().unwrap();
    assert_eq!(rig.store.list().unwrap().count(), 20);
    assert_eq!(content(&rig.store, &earlier), b"newer");
}

#[test]
fn a_consignment_that_is_not_settled_leaves_nothing() {
    let rig = Rig::folder();
    let consignment = rig.store.consignment().unwrap();
    let draft = consignment.draft(&"r".parse().unwrap(), Form::Zip).unwrap();
    consignment.place(draft).unwrap();
    drop(consignment);
    assert!(rig.names().is_empty());
}

#[test]
fn what_stands_in_the_way_of_an_archive_is_an_error_and_the_next_attempt_succeeds() {
    let rig = Rig::folder();
    let in_the_way = rig.store.location(&"r".parse().unwrap(), Form::Zip);
    fs::create_dir(&in_the_way).unwrap();
    let error = try_put(&rig.store, "r", Form::Zip, b"x").unwrap_err();
    assert!(matches!(error, StoreError::Folder(_)), "{error}");
    assert!(!error.to_string().contains("archives/"), "{error}");
    assert_eq!(rig.names(), ["r.zip"]);
    fs::remove_dir(&in_the_way).unwrap();
    put(&rig.store, "r", Form::Zip, b"x");
}

#[test]
fn a_folder_has_room_and_gives_no_links() {
    let rig = Rig::folder();
    assert!(rig.store.room().unwrap().unwrap() > 0);
    let stored = put(&rig.store, "r", Form::Zip, b"x");
    let error = rig.store.link(&stored.location, Duration::from_secs(60)).unwrap_err();
    assert!(matches!(error, StoreError::NoLinks));
    assert!(error.to_string().contains("copied"), "{error}");
}

#[test]
fn a_full_disk_is_a_full_store() {
    // ENOSPC and EDQUOT.
    for number in [28, 122] {
        let error = StoreError::from(io::Error::from_raw_os_error(number));
        assert!(matches!(error, StoreError::Full), "{number}");
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::StorageFull);
    }
}

#[test]
fn a_disk_that_fills_up_in_a_draft_is_told_as_such_and_leaves_nothing() {
    let rig = Rig::folder();
    let consignment = rig.store.consignment().unwrap();
    let mut draft = consignment.draft(&"r".parse().unwrap(), Form::Zip).unwrap();
    draft.fill_up();
    let written = draft.write_all(&[0; 100]).and_then(|()| draft.write_all(&vec![0; 200_000]));
    assert_eq!(written.unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert!(matches!(consignment.place(draft), Err(StoreError::Incomplete)));
    let mut small = consignment.draft(&"r".parse().unwrap(), Form::Zip).unwrap();
    small.fill_up();
    small.write_all(&[0; 100]).unwrap();
    assert!(matches!(consignment.place(small), Err(StoreError::Full)));
    assert!(matches!(consignment.settle(), Err(StoreError::Incomplete)));
    assert!(rig.names().is_empty());
}
