//! What is special about a bucket, against a server that speaks S3.

use std::{
    io::Write,
    sync::{Arc, atomic::Ordering::SeqCst},
    thread,
    time::{Duration, Instant},
};

use tokio::sync::Barrier;

use super::{
    rig::{Rig, bytes, put, runtime, try_put},
    s3_server::fetch,
};
use crate::archive::store::{Form, StoreError};

const MINUTE: Duration = Duration::from_secs(60);
const LARGE: usize = 11 * 1024 * 1024;

/// Asks again until the answer is yes; fails the test if it does not become so.
fn in_the_end(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < MINUTE, "{what}");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_location_names_scheme_bucket_prefix_and_request() {
    let rig = Rig::s3();
    assert_eq!(put(&rig.store, "r-1", Form::Zip, b"x").location, "s3://bucket/prefix/r-1.zip");
}

#[test]
fn a_link_gives_the_archive_to_anybody_who_has_it_and_only_that() {
    let rig = Rig::s3();
    let archive = bytes(LARGE);
    let stored = put(&rig.store, "r", Form::Zip, &archive);
    let link = rig.store.link(&stored.location, MINUTE).unwrap();
    let (status, body) = fetch(&link);
    assert_eq!(status, 200);
    assert!(body == archive, "other bytes than were stored");
    put(&rig.store, "other", Form::Zip, b"x");
    let mut other = link.clone();
    other.set_path("/bucket/prefix/other.zip");
    assert_eq!(fetch(&other).0, 403);
    let mut bare = link;
    bare.set_query(None);
    assert_eq!(fetch(&bare).0, 403);
}

#[test]
fn a_link_ends_after_its_time() {
    let rig = Rig::s3();
    let stored = put(&rig.store, "r", Form::Zip, b"x");
    let link = rig.store.link(&stored.location, Duration::from_secs(1)).unwrap();
    in_the_end("the link still works", || fetch(&link).0 == 403);
}

#[test]
fn a_link_cannot_be_made_for_less_than_a_second_or_more_than_a_week() {
    let rig = Rig::s3();
    let stored = put(&rig.store, "r", Form::Zip, b"x");
    let week = Duration::from_secs(7 * 24 * 60 * 60);
    assert!(rig.store.link(&stored.location, week).is_ok());
    for lifetime in [Duration::ZERO, Duration::from_millis(999), week + Duration::from_secs(1)] {
        let refused = rig.store.link(&stored.location, lifetime);
        assert!(matches!(refused, Err(StoreError::Lifetime(_))), "{lifetime:?}");
    }
}

#[test]
fn small_archives_are_one_put_each_and_up_to_sixteen_are_on_their_way_at_once() {
    let rig = Rig::s3();
    let watch = &rig.server.as_ref().unwrap().watch;
    // Each put waits for fifteen others: without them, this does not end.
    *watch.together.lock().unwrap() = Some(Arc::new(Barrier::new(16)));
    let consignment = rig.store.consignment().unwrap();
    for n in 0..48 {
        let mut draft = consignment.draft(&format!("r-{n}").parse().unwrap(), Form::Zip).unwrap();
        draft.write_all(&bytes(45_000)).unwrap();
        consignment.place(draft).unwrap();
    }
    consignment.settle().unwrap();
    assert_eq!(watch.puts.load(SeqCst), 48);
    assert_eq!(watch.most.load(SeqCst), 16);
    assert_eq!(rig.names().len(), 48);
}

#[test]
fn uploads_hold_no_more_than_four_parts_at_once() {
    let rig = Rig::s3();
    let watch = &rig.server.as_ref().unwrap().watch;
    *watch.together.lock().unwrap() = Some(Arc::new(Barrier::new(4)));
    let consignment = rig.store.consignment().unwrap();
    let mut draft = consignment.draft(&"r".parse().unwrap(), Form::Zip).unwrap();
    draft.write_all(&bytes(8 * super::super::bucket::PART)).unwrap();
    consignment.place(draft).unwrap();
    consignment.settle().unwrap();
    assert_eq!(watch.puts.load(SeqCst), 8);
    assert_eq!(watch.most.load(SeqCst), 4);
}

#[test]
fn an_upload_that_fails_is_told_to_its_own_consignment_at_the_latest_when_it_is_settled() {
    for size in [45_000, LARGE] {
        let rig = Rig::s3();
        let watch = &rig.server.as_ref().unwrap().watch;
        let other = rig.store.consignment().unwrap();
        watch.failing.store(1, SeqCst);
        let error = try_put(&rig.store, "r", Form::Zip, &bytes(size)).unwrap_err();
        assert!(matches!(error, StoreError::Server(_)), "{error}");
        assert!(error.to_string().contains("tried again"));
        other.settle().unwrap();
        assert!(rig.names().is_empty());
        put(&rig.store, "r", Form::Zip, &bytes(size));
        assert_eq!(rig.names(), ["r.zip"]);
    }
}

#[test]
fn a_consignment_that_lost_an_archive_cannot_be_settled() {
    let rig = Rig::s3();
    rig.server.as_ref().unwrap().watch.failing.store(1, SeqCst);
    let consignment = rig.store.consignment().unwrap();
    let place = |n: usize| {
        let draft = consignment.draft(&format!("r-{n}").parse().unwrap(), Form::Zip).unwrap();
        consignment.place(draft)
    };
    let mut placed = 0;
    in_the_end("no archive told of the one that failed", || {
        placed += 1;
        place(placed).is_err()
    });
    assert!(matches!(consignment.settle(), Err(StoreError::Incomplete)));
}

#[test]
fn a_draft_that_is_given_up_takes_back_the_parts_it_sent() {
    let rig = Rig::s3();
    let server = rig.server.as_ref().unwrap();
    let consignment = rig.store.consignment().unwrap();
    let mut draft = consignment.draft(&"r".parse().unwrap(), Form::Zip).unwrap();
    draft.write_all(&bytes(LARGE)).unwrap();
    in_the_end("no part was sent", || server.parts() > 0);
    drop(draft);
    in_the_end("parts are left", || server.parts() == 0);
}

#[test]
fn a_process_that_is_killed_while_it_uploads_leaves_nothing_to_be_seen() {
    let rig = Rig::s3();
    let server = rig.server.as_ref().unwrap();
    let doomed = runtime();
    let store = server.store(&doomed, "prefix").unwrap();
    let consignment = store.consignment().unwrap();
    let mut draft = consignment.draft(&"r".parse().unwrap(), Form::Zip).unwrap();
    draft.write_all(&bytes(LARGE)).unwrap();
    in_the_end("no part was sent", || server.parts() > 0);
    doomed.shutdown_background();
    std::mem::forget((draft, consignment));
    assert!(rig.names().is_empty());
    put(&rig.store, "r", Form::Zip, b"the same request again");
    assert_eq!(rig.names(), ["r.zip"]);
}

#[test]
fn wrong_credentials_are_told_with_the_settings_and_without_a_secret() {
    let rig = Rig::s3();
    let (server, client) = (rig.server.as_ref().unwrap(), runtime());
    let store = server.store_with(&client, "bucket", "prefix", "another-word").unwrap();
    let error = store.claim(&"web".parse().unwrap()).unwrap_err();
    assert!(matches!(error, StoreError::Refused { .. }), "{error}");
    let text = format!("{error} {error:?} {store:?}");
    assert!(text.contains("SignatureDoesNotMatch") && text.contains("AWS_ACCESS_KEY_ID"), "{text}");
    for secret in ["another-word", "AKEXAMPLE", "http", ".project"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn a_bucket_that_is_not_there_is_told() {
    let rig = Rig::s3();
    let (server, client) = (rig.server.as_ref().unwrap(), runtime());
    let store = server.store_with(&client, "nowhere", "prefix", "word-of-the-example").unwrap();
    // The server of the tests makes the bucket with the first object; others say the same then.
    let error = store.list().unwrap().next().unwrap().unwrap_err();
    assert!(matches!(error, StoreError::NoBucket), "{error}");
}

#[test]
fn a_server_that_is_away_is_told() {
    let mut rig = Rig::s3();
    drop(rig.server.take());
    let error = rig.store.claim(&"web".parse().unwrap()).unwrap_err();
    assert!(matches!(error, StoreError::Unreachable(_)), "{error}");
    let error = try_put(&rig.store, "r", Form::Zip, b"x").unwrap_err();
    assert!(matches!(error, StoreError::Unreachable(_)), "{error}");
}

#[test]
fn a_bucket_is_opened_where_a_runtime_is_at_hand() {
    let error = crate::archive::ArchiveStore::open("memory://bucket").unwrap_err();
    assert!(matches!(error, StoreError::Runtime));
}
