//! What every store does.

use std::{
    io::{Read, Seek, SeekFrom, Write},
    thread,
    time::{Duration, SystemTime},
};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::rig::{Rig, bytes, content, put};
use crate::archive::store::{Form, StoreError};

/// More than one part of an upload.
const LARGE: usize = 11 * 1024 * 1024;
/// More than all uploads together may hold in memory.
const HUGE: usize = 21 * 1024 * 1024 + 1;

/// Runs each behaviour on each kind of store.
macro_rules! on_every_store {
    ($($behaviour:ident)*) => {
        on_every_store!(folder: folder: $($behaviour)*);
        on_every_store!(memory: memory: $($behaviour)*);
        on_every_store!(s3: s3: $($behaviour)*);
    };
    ($module:ident: $kind:ident: $($behaviour:ident)*) => {
        mod $module {
            $(#[test]
            fn $behaviour() {
                super::$behaviour(&super::Rig::$kind());
            })*
        }
    };
}

on_every_store! {
    an_archive_is_stored_under_the_id_of_its_request
    an_archive_can_be_empty
    an_archive_of_several_parts_is_stored_whole
    nothing_is_to_be_seen_of_a_draft
    a_draft_that_is_not_placed_leaves_nothing
    a_new_archive_replaces_the_earlier_one_of_either_form
    archives_of_several_threads_are_all_there_after_settling
    the_archive_that_is_placed_last_wins
    removal_says_whether_there_was_anything
    reading_what_is_not_there_says_so
    an_archive_that_is_read_can_be_searched
    what_is_elsewhere_is_not_touched
    the_list_tells_archives_and_nothing_else
    a_store_belongs_to_the_project_that_came_first
    a_probe_leaves_nothing
}

// The server of the tests looks first and writes then, so it cannot decide between rivals.
on_every_store!(folder_of_rivals: folder: of_projects_that_come_at_once_one_gets_the_store);
on_every_store!(bucket_of_rivals: memory: of_projects_that_come_at_once_one_gets_the_store);

fn an_archive_is_stored_under_the_id_of_its_request(rig: &Rig) {
    let stored = put(&rig.store, "r-1", Form::Zip, b"abc");
    assert_eq!(stored.bytes, 3);
    assert_eq!(stored.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(stored.location, rig.store.location(&"r-1".parse().unwrap(), Form::Zip));
    assert_eq!(content(&rig.store, &stored.location), b"abc");
    let sealed = put(&rig.store, "r-2", Form::Age, b"abc");
    assert!(sealed.location.ends_with("/r-2.zip.age"));
    assert_eq!(rig.names(), ["r-1.zip", "r-2.zip.age"]);
}

fn an_archive_can_be_empty(rig: &Rig) {
    let stored = put(&rig.store, "r", Form::Zip, b"");
    assert_eq!(stored.bytes, 0);
    assert_eq!(content(&rig.store, &stored.location), b"");
}

fn an_archive_of_several_parts_is_stored_whole(rig: &Rig) {
    let archive = bytes(HUGE);
    let stored = put(&rig.store, "r", Form::Zip, &archive);
    assert_eq!(stored.bytes, HUGE as u64);
    assert_eq!(stored.sha256, HEXLOWER.encode(&Sha256::digest(&archive)));
    assert!(content(&rig.store, &stored.location) == archive, "other bytes than were stored");
}

fn nothing_is_to_be_seen_of_a_draft(rig: &Rig) {
    let consignment = rig.store.consignment().unwrap();
    let mut draft = consignment.draft(&"r".parse().unwrap(), Form::Zip).unwrap();
    draft.write_all(&bytes(LARGE)).unwrap();
    assert_eq!(rig.store.list().unwrap().count(), 0);
    let stored = consignment.place(draft).unwrap();
    consignment.settle().unwrap();
    assert_eq!(rig.store.list().unwrap().count(), 1);
    assert_eq!(content(&rig.store, &stored.location).len(), LARGE);
}

fn a_draft_that_is_not_placed_leaves_nothing(rig: &Rig) {
    for count in [1, LARGE] {
        let consignment = rig.store.consignment().unwrap();
        let mut draft = consignment.draft(&"r".parse().unwrap(), Form::Zip).unwrap();
        draft.write_all(&bytes(count)).unwrap();
        drop(draft);
        consignment.settle().unwrap();
        assert!(rig.names().is_empty());
    }
}

fn a_new_archive_replaces_the_earlier_one_of_either_form(rig: &Rig) {
    assert_eq!(put(&rig.store, "r", Form::Zip, b"same"), put(&rig.store, "r", Form::Zip, b"same"));
    assert_eq!(put(&rig.store, "r", Form::Zip, b"newer").bytes, 5);
    assert_eq!(rig.names(), ["r.zip"]);
    let sealed = put(&rig.store, "r", Form::Age, b"sealed");
    assert_eq!(rig.names(), ["r.zip.age"]);
    assert_eq!(content(&rig.store, &sealed.location), b"sealed");
    put(&rig.store, "r", Form::Zip, b"again");
    assert_eq!(rig.names(), ["r.zip"]);
}

fn archives_of_several_threads_are_all_there_after_settling(rig: &Rig) {
    let consignment = rig.store.consignment().unwrap();
    let place = |n: usize| {
        let mut draft = consignment.draft(&format!("r-{n}").parse().unwrap(), Form::Zip).unwrap();
        for piece in bytes(1000 + n).chunks(99) {
            draft.write_all(piece).unwrap();
        }
        consignment.place(draft).unwrap()
    };
    let stored: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|first| scope.spawn(move || (first..60).step_by(4).map(place).collect::<Vec<_>>()))
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    consignment.settle().unwrap();
    assert_eq!(rig.names().len(), 60);
    for stored in stored {
        let found = content(&rig.store, &stored.location);
        assert_eq!(HEXLOWER.encode(&Sha256::digest(found)), stored.sha256);
    }
}

fn the_archive_that_is_placed_last_wins(rig: &Rig) {
    put(&rig.store, "r", Form::Zip, b"first");
    let again = rig.store.clone();
    let stored = put(&again, "r", Form::Zip, b"last");
    assert_eq!(content(&rig.store, &stored.location), b"last");
}

fn removal_says_whether_there_was_anything(rig: &Rig) {
    let stored = put(&rig.store, "r", Form::Zip, b"x");
    assert!(rig.store.remove(&stored.location).unwrap());
    assert!(!rig.store.remove(&stored.location).unwrap());
    assert!(rig.names().is_empty());
}

fn reading_what_is_not_there_says_so(rig: &Rig) {
    let location = rig.store.location(&"r".parse().unwrap(), Form::Zip);
    assert!(matches!(rig.store.read(&location), Err(StoreError::Missing)));
}

fn an_archive_that_is_read_can_be_searched(rig: &Rig) {
    let stored = put(&rig.store, "r", Form::Zip, &bytes(LARGE));
    let mut file = rig.store.read(&stored.location).unwrap();
    let mut last = Vec::new();
    file.seek(SeekFrom::End(-3)).unwrap();
    file.read_to_end(&mut last).unwrap();
    assert!(bytes(LARGE).ends_with(&last) && last.len() == 3);
}

fn what_is_elsewhere_is_not_touched(rig: &Rig) {
    let stored = put(&rig.store, "r", Form::Zip, b"x");
    put(&rig.below(), "r", Form::Zip, b"x");
    let home = stored.location.strip_suffix("/r.zip").unwrap();
    for location in [
        format!("{home}/../r.zip"),
        format!("{home}/./r.zip"),
        format!("{home}//r.zip"),
        format!("{home}/below/r.zip"),
        format!("{home}-other/r.zip"),
        format!("{home}/r"),
        format!("{home}/.project"),
        format!("{home}/r.zip?versionId=1"),
        format!("x{home}/r.zip"),
        "r.zip".to_owned(),
        String::new(),
    ] {
        let removed = rig.store.remove(&location);
        assert!(matches!(removed, Err(StoreError::Elsewhere)), "{location}");
        assert!(matches!(rig.store.read(&location), Err(StoreError::Elsewhere)), "{location}");
        let link = rig.store.link(&location, Duration::from_secs(60));
        assert!(matches!(link, Err(StoreError::Elsewhere)), "{location}");
    }
    assert_eq!(content(&rig.store, &stored.location), b"x");
}

fn the_list_tells_archives_and_nothing_else(rig: &Rig) {
    rig.store.claim(&"web".parse().unwrap()).unwrap();
    put(&rig.below(), "hidden", Form::Zip, b"x");
    rig.drop_in("notes.txt");
    rig.drop_in(".zip");
    let stored =
        [put(&rig.store, ".tmp-odd", Form::Zip, b"12"), put(&rig.store, "b", Form::Age, b"123")];
    let mut found: Vec<_> = rig.store.list().unwrap().map(Result::unwrap).collect();
    found.sort_by_key(|object| object.bytes);
    assert_eq!(found.len(), 2);
    for (object, stored) in found.iter().zip(&stored) {
        assert_eq!((&object.location, object.bytes), (&stored.location, stored.bytes));
        assert_eq!(rig.store.location(&object.request, object.form), stored.location);
        let age = SystemTime::now().duration_since(object.modified.into()).unwrap_or_default();
        assert!(age < Duration::from_secs(300), "{age:?}");
    }
}

fn a_store_belongs_to_the_project_that_came_first(rig: &Rig) {
    let (web, app) = ("web".parse().unwrap(), "app".parse().unwrap());
    rig.store.claim(&web).unwrap();
    rig.store.claim(&web).unwrap();
    let refused = rig.store.clone().claim(&app);
    assert!(matches!(refused, Err(StoreError::OtherProject(name)) if name == "web"));
    rig.below().claim(&app).unwrap();
}

fn a_probe_leaves_nothing(rig: &Rig) {
    rig.store.probe().unwrap();
    assert!(rig.names().is_empty());
}

fn of_projects_that_come_at_once_one_gets_the_store(rig: &Rig) {
    let claim = |project: &str| rig.store.claim(&project.parse().unwrap()).is_ok();
    let won = thread::scope(|scope| {
        let rivals = ["web", "app", "shop"].map(|project| scope.spawn(move || claim(project)));
        rivals.map(|rival| rival.join().unwrap())
    });
    assert_eq!(won.iter().filter(|&&won| won).count(), 1, "{won:?}");
    assert_eq!(rig.names(), [".project"]);
}
