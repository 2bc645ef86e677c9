//! The quota is exact, and what does not fit leaves nothing.

use super::*;

fn quota(most: u64) -> Quota {
    Quota { most, reserve: 0 }
}

fn is_full(result: io::Result<()>) -> bool {
    result.is_err_and(|error| error.kind() == io::ErrorKind::QuotaExceeded)
}

// The head of a sealed file differs in length from one to the next, so the tests measure it.

#[test]
fn the_quota_is_exact_to_the_byte() {
    for content in [0, 1, 65_536, 65_537, 200_000] {
        let most = 500_000;
        let (_home, spool) = spool_with(quota(most));
        receive(&spool, "b1", &vec![1; content]).unwrap();
        let rest = most - on_disk(&spool);
        let batch = spool.batch().unwrap();
        assert!(is_full(batch.reserve(rest + 1)));
        batch.reserve(rest - 1).unwrap();
        batch.reserve(1).unwrap();
        assert!(is_full(batch.reserve(1)));
        assert_eq!(read(&spool, "b1").unwrap().len(), content);
    }
}

#[test]
fn what_does_not_fit_leaves_nothing() {
    for most in [0, 1, 100, 65_600, 70_000, 199_999] {
        let (_home, spool) = spool_with(quota(most));
        let error = receive(&spool, "b1", &vec![1; 200_000]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::QuotaExceeded, "{most}");
        assert!(error.get_ref().unwrap().is::<NoRoom>());
        assert!(error.to_string().contains(&format!("of {most} bytes")), "{error}");
        assert!(files(&spool).is_empty());
        assert_eq!(spool.room.used(), 0);
    }
}

#[test]
fn work_folders_exports_and_quarantine_share_one_quota() {
    let (_home, spool) = spool_with(quota(400_000));
    let batch = spool.batch().unwrap();
    batch.reserve(100_000).unwrap();
    receive(&spool, "b1", &vec![1; 100_000]).unwrap();
    spool.keep_quarantine(&name("b1"), &mut vec![1; 100_000].as_slice()).unwrap();
    assert!(is_full(batch.reserve(100_000)));
    assert!(is_full(receive(&spool, "b2", &vec![1; 100_000])));
    let more = spool.keep_quarantine(&name("b2"), &mut vec![1; 100_000].as_slice()).map(|_| ());
    assert!(is_full(more));
    assert_eq!(files(&spool).len(), 3, "nothing half-done is left");

    // Each that goes makes room for another.
    drop(batch);
    receive(&spool, "b2", &vec![1; 100_000]).unwrap();
    assert!(is_full(receive(&spool, "b3", &vec![1; 100_000])));
    assert_eq!(destroy_batch(&spool, "shop", "b1"), 2);
    receive(&spool, "b3", &vec![1; 100_000]).unwrap();
    assert_eq!(spool.room.used(), on_disk(&spool));
}

#[test]
fn what_is_there_already_counts_and_replacing_it_counts_once() {
    let (home, first) = spool();
    receive(&first, "b1", &[1; 1000]).unwrap();
    let spool = again(&home);
    assert_eq!(spool.room.used(), on_disk(&spool));
    receive(&spool, "b1", &[2; 1000]).unwrap();
    assert_eq!(spool.room.used(), on_disk(&spool));
    // Another process destroyed it; the books are put right when the spool is tidied.
    assert_eq!(destroy_batch(&first, "shop", "b1"), 1);
    spool.clear_stale().unwrap();
    assert_eq!(spool.room.used(), 0);
}

#[test]
fn a_restart_gives_back_what_the_first_attempt_took() {
    let (_home, spool) = spool_with(quota(150_000));
    let mut receiving = spool.receive(&name("b1")).unwrap();
    for _ in 0..3 {
        receiving.write_all(&vec![1; 100_000]).unwrap();
        receiving.restart().unwrap();
    }
    receiving.write_all(&vec![1; 100_000]).unwrap();
    receiving.finish().unwrap();
}

#[test]
fn the_file_systems_reserve_stays_free() {
    let (_home, spool) = spool_with(Quota { most: u64::MAX, reserve: u64::MAX });
    let error = receive(&spool, "b1", b"x").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert!(error.to_string().contains("must stay so"), "{error}");
    assert!(files(&spool).is_empty());
    let (_home, spool) = spool_with(Quota { most: u64::MAX, reserve: 1 });
    receive(&spool, "b1", b"x").unwrap();
}
