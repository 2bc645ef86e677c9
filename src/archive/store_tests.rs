use std::{
    io::Write,
    os::unix::fs::{MetadataExt, symlink},
    time::SystemTime,
};

use super::*;

fn store() -> (tempfile::TempDir, ArchiveStore) {
    let home = tempfile::tempdir().unwrap();
    let store = ArchiveStore::open(home.path().join("archives").to_str().unwrap()).unwrap();
    (home, store)
}

fn id(text: &str) -> RequestId {
    text.parse().unwrap()
}

fn put(store: &ArchiveStore, request: &str, content: &[u8]) -> Stored {
    let mut draft = store.draft().unwrap();
    draft.file().write_all(content).unwrap();
    store.put(&id(request), draft).unwrap()
}

fn names(store: &ArchiveStore) -> Vec<String> {
    let entries = fs::read_dir(&store.folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn every_documented_address_opens_a_folder() {
    let home = tempfile::tempdir().unwrap();
    let plain = home.path().join("plain");
    let store = ArchiveStore::open(plain.to_str().unwrap()).unwrap();
    assert_eq!(store.folder, plain.canonicalize().unwrap());
    let url = format!("file://{}", home.path().join("a/b").display());
    assert!(ArchiveStore::open(&url).unwrap().folder.ends_with("a/b"));
    assert_eq!(folder_of("file://./archives").unwrap(), Path::new("./archives"));
    assert_eq!(folder_of("file://../archives").unwrap(), Path::new("../archives"));
}

#[test]
fn other_addresses_are_refused_with_what_is_possible() {
    let error = ArchiveStore::open("s3://bucket/prefix").unwrap_err().to_string();
    assert!(error.contains("s3") && error.contains("file:///absolute/path"), "{error}");
    assert!(!error.contains("bucket"));
    for url in ["", "file://", "file://host/path"] {
        assert!(matches!(ArchiveStore::open(url), Err(StoreError::Address)), "{url}");
    }
    let secret = ArchiveStore::open("user:password://x").unwrap_err().to_string();
    assert!(!secret.contains("password"));
}

#[test]
fn an_archive_is_stored_whole_and_for_the_worker_alone() {
    let (_home, store) = store();
    let stored = put(&store, "r-1", b"abc");
    assert_eq!(stored.bytes, 3);
    assert_eq!(stored.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(stored.location, store.location(&id("r-1")));
    assert_eq!(fs::read(&stored.location).unwrap(), b"abc");
    assert_eq!(fs::metadata(&stored.location).unwrap().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(&store.folder).unwrap().mode() & 0o777, 0o700);
    assert_eq!(names(&store), ["r-1.zip"]);
}

#[test]
fn putting_twice_leaves_one_archive() {
    let (_home, store) = store();
    assert_eq!(put(&store, "r", b"same"), put(&store, "r", b"same"));
    assert_eq!(put(&store, "r", b"newer").bytes, 5);
    assert_eq!(names(&store), ["r.zip"]);
}

#[test]
fn a_draft_that_is_not_put_leaves_nothing() {
    let (_home, store) = store();
    drop(store.draft().unwrap());
    assert!(names(&store).is_empty());
}

#[test]
fn removal_says_whether_there_was_anything() {
    let (_home, store) = store();
    let stored = put(&store, "r", b"x");
    assert!(store.remove(&stored.location).unwrap());
    assert!(!store.remove(&stored.location).unwrap());
}

#[test]
fn nothing_outside_the_folder_can_be_removed() {
    let (home, store) = store();
    let outside = home.path().join("victim.zip");
    fs::write(&outside, b"x").unwrap();
    let folder = store.folder.display();
    for location in [
        outside.to_str().unwrap().to_owned(),
        format!("{folder}/../victim.zip"),
        format!("{folder}/./r.zip"),
        format!("{folder}/r"),
        "r.zip".to_owned(),
        String::new(),
    ] {
        assert!(matches!(store.remove(&location), Err(StoreError::Elsewhere)), "{location}");
    }
    assert!(outside.exists());
}

#[test]
fn a_symbolic_link_in_the_way_is_replaced_and_not_followed() {
    let (home, store) = store();
    let outside = home.path().join("outside");
    fs::write(&outside, b"untouched").unwrap();
    symlink(&outside, store.location(&id("r"))).unwrap();
    put(&store, "r", b"new");
    assert_eq!(fs::read(&outside).unwrap(), b"untouched");
    fs::remove_file(store.location(&id("r"))).unwrap();
    symlink(&outside, store.location(&id("r"))).unwrap();
    assert!(store.remove(&store.location(&id("r"))).unwrap());
    assert!(outside.exists());
}

#[test]
fn only_old_drafts_are_removed_at_opening() {
    let (_home, store) = store();
    put(&store, ".tmp-request", b"an odd but legal id");
    let long_ago = SystemTime::now() - 2 * DRAFT_LIFE;
    for name in [".tmp-old", ".tmp-new", ".tmp-request.zip"] {
        let file = File::options().create(true).append(true).open(store.folder.join(name)).unwrap();
        if name != ".tmp-new" {
            file.set_modified(long_ago).unwrap();
        }
    }
    let again = ArchiveStore::open(store.folder.to_str().unwrap()).unwrap();
    let mut left = names(&again);
    left.sort();
    assert_eq!(left, [".tmp-new", ".tmp-request.zip"]);
}

#[test]
fn an_open_folder_is_closed_if_it_is_ours_and_refused_if_it_is_shared() {
    let (_home, store) = store();
    let url = store.folder.to_str().unwrap();
    put(&store, "r", b"x");
    fs::set_permissions(&store.folder, fs::Permissions::from_mode(0o755)).unwrap();
    ArchiveStore::open(url).unwrap();
    assert_eq!(fs::metadata(&store.folder).unwrap().mode() & 0o777, 0o700);
    fs::write(store.folder.join("notes.txt"), b"x").unwrap();
    fs::set_permissions(&store.folder, fs::Permissions::from_mode(0o755)).unwrap();
    assert!(matches!(ArchiveStore::open(url), Err(StoreError::Shared)));
}

#[test]
fn a_folder_belongs_to_the_project_that_came_first() {
    let folder = tempfile::tempdir().unwrap();
    let store = ArchiveStore::open(folder.path().to_str().unwrap()).unwrap();
    let (web, app) = ("web".parse().unwrap(), "app".parse().unwrap());
    store.claim(&web).unwrap();
    store.claim(&web).unwrap();
    assert!(matches!(store.claim(&app), Err(StoreError::OtherProject(name)) if name == "web"));
}
