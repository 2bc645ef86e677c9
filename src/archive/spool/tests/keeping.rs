//! What is kept, for how long, and who can read it.

use std::{os::unix::fs::PermissionsExt, time::Duration};

use super::*;

const CANARY: &[u8] = b"canary@example.test";

/// Panics if a file of the spool holds the canary, or its name does.
fn no_canary(spool: &Spool) {
    for file in files(spool) {
        assert!(!file.contains("canary"), "{file}");
        let bytes = fs::read(spool.folder().join(&file)).unwrap();
        assert!(!bytes.windows(CANARY.len()).any(|window| window == CANARY), "{file}");
    }
}

#[test]
fn an_export_is_found_again_by_another_process() {
    let (home, spool) = spool();
    assert!(read(&spool, "b1").is_none());
    receive(&spool, "b1", b"the export").unwrap();
    assert_eq!(read(&again(&home), "b1").unwrap(), b"the export");
    assert!(read(&spool, "b2").is_none());
    // A second one takes its place.
    receive(&spool, "b1", b"").unwrap();
    assert_eq!(read(&spool, "b1").unwrap(), b"");
    assert_eq!(files(&spool).len(), 1);
}

#[test]
fn nothing_of_an_export_lies_on_disk_in_clear_at_any_time() {
    let (_home, spool) = spool();
    let mut receiving = spool.receive(&name("b1")).unwrap();
    for _ in 0..20_000 {
        receiving.write_all(CANARY).unwrap();
    }
    no_canary(&spool);
    assert!(on_disk(&spool) > 300_000, "it is on disk, not in memory");
    receiving.finish().unwrap();
    spool.keep_quarantine(&name("b1"), &mut CANARY.repeat(9000).as_slice()).unwrap();
    assert_eq!(files(&spool).len(), 2);
    no_canary(&spool);
}

#[test]
fn folders_and_files_are_the_workers_alone() {
    let home = tempfile::tempdir().unwrap();
    let spool = Spool::new(home.path().join("a/spool"), key(1), FREE).unwrap();
    let _open = spool.receive(&name("b1")).unwrap();
    receive(&spool, "b2", b"x").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(spool.folder()), 0o700);
    for file in files(&spool) {
        assert_eq!(mode(&spool.folder().join(&file)), 0o600, "{file}");
    }
}

#[test]
fn what_never_became_whole_is_gone() {
    let (home, spool) = spool();
    let mut dropped = spool.receive(&name("b1")).unwrap();
    dropped.write_all(&vec![1; 200_000]).unwrap();
    drop(dropped);
    assert!(files(&spool).is_empty());

    // A killed process drops nothing, but its locks are gone.
    let mut killed = spool.receive(&name("b2")).unwrap();
    killed.write_all(&vec![1; 200_000]).unwrap();
    let left = spool.folder().join(&files(&spool)[0]);
    let bytes = fs::read(&left).unwrap();
    assert_eq!(again(&home).clear_stale().unwrap(), 0, "somebody is writing it");
    drop(killed);
    fs::write(&left, bytes).unwrap();
    receive(&spool, "b3", b"whole").unwrap();
    assert!(read(&spool, "b2").is_none());
    assert_eq!(spool.clear_stale().unwrap(), 1);
    assert_eq!(read(&spool, "b3").unwrap(), b"whole");
    assert_eq!(files(&spool).len(), 1);
}

#[test]
fn what_a_dead_process_left_does_not_get_into_the_next_export() {
    let (_home, spool) = spool();
    let path = spool.folder().join(name("b1").file(KeptKind::Export) + name::PART);
    fs::write(path, vec![7; 100_000]).unwrap();
    receive(&spool, "b1", b"short").unwrap();
    assert_eq!(read(&spool, "b1").unwrap(), b"short");
}

#[test]
fn one_export_is_received_by_one_at_a_time() {
    let (home, spool) = spool();
    let mut first = spool.receive(&name("b1")).unwrap();
    let second = again(&home).receive(&name("b1")).err().unwrap();
    assert_eq!(second.kind(), io::ErrorKind::ResourceBusy);
    first.write_all(b"void").unwrap();
    first.restart().unwrap();
    first.write_all(b"valid").unwrap();
    first.finish().unwrap();
    assert_eq!(read(&spool, "b1").unwrap(), b"valid");
}

#[test]
fn a_damaged_export_counts_as_none_and_one_of_another_key_stays() {
    let (home, spool) = spool();
    receive(&spool, "b1", &vec![5; 100_000]).unwrap();
    let path = spool.folder().join(&files(&spool)[0]);
    let other = Spool::new(home.path(), key(2), FREE).unwrap();
    let error = other.existing(&name("b1")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    assert!(error.to_string().contains("GDPR_PEPPER"), "{error}");
    assert!(matches!(other.open_kept(&path), Err(UnsealError::WrongKey)));

    let whole = fs::read(&path).unwrap();
    for length in [0, 10, 150, whole.len() - 40_000, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(matches!(spool.open_kept(&path), Err(UnsealError::Damaged)), "{length}");
        assert!(spool.existing(&name("b1")).unwrap().is_none());
        assert!(!path.exists());
    }
}

#[test]
fn damage_in_the_middle_shows_while_reading() {
    let (_home, spool) = spool();
    receive(&spool, "b1", &vec![5; 300_000]).unwrap();
    let path = spool.folder().join(&files(&spool)[0]);
    let mut bytes = fs::read(&path).unwrap();
    bytes[150_000] ^= 1;
    fs::write(&path, bytes).unwrap();
    let mut opened = spool.existing(&name("b1")).unwrap().unwrap();
    let error = opened.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
}

#[test]
fn kept_files_are_listed_and_destroyed_by_batch_or_by_age() {
    let (_home, spool) = spool();
    for batch in ["b1", "b2"] {
        receive(&spool, batch, b"export").unwrap();
        spool.keep_quarantine(&name(batch), &mut &b"lines"[..]).unwrap();
    }
    let kept = spool.kept().unwrap();
    assert_eq!(kept.len(), 4);
    assert!(kept.iter().all(|file| file.project == "shop" && file.bytes > 0));
    assert_eq!(kept.iter().filter(|file| file.kind == KeptKind::Quarantine).count(), 2);

    assert_eq!(destroy_batch(&spool, "shop", "b1"), 2);
    assert_eq!(destroy_batch(&spool, "other", "b2"), 0);
    assert!(
        spool.remove_export(&name("b2")).unwrap() && !spool.remove_export(&name("b2")).unwrap()
    );
    assert_eq!(destroy(&spool, |file| file.age >= Duration::from_secs(3600)), 0);
    assert_eq!(destroy(&spool, |file| file.age >= Duration::ZERO), 1);
    assert!(files(&spool).is_empty());
}

#[test]
fn quarantined_records_can_be_for_somebody_else_alone() {
    let home = tempfile::tempdir().unwrap();
    let officer = key(9);
    let spool = Spool::new(home.path(), key(1), FREE).unwrap();
    let path = spool.keep_quarantine(&name("b1"), &mut &b"lines"[..]).unwrap();
    assert_eq!(spool.open_kept(&path).unwrap().length(), 5);

    let spool = spool.with_quarantine_for(&officer.recipient().to_string().parse().unwrap());
    let path = spool.keep_quarantine(&name("b1"), &mut &b"lines"[..]).unwrap();
    assert!(matches!(spool.open_kept(&path), Err(UnsealError::WrongKey)));
    let theirs = Spool::new(home.path(), officer, FREE).unwrap();
    assert_eq!(theirs.open_kept(&path).unwrap().length(), 5);
}

#[test]
fn the_key_follows_from_the_secret() {
    assert_eq!(key(1).recipient().to_string(), key(1).recipient().to_string());
    assert_ne!(key(1).recipient().to_string(), key(2).recipient().to_string());
    assert_eq!(format!("{:?}", key(1)), "SpoolKey(hidden)");
}
