//! From an export to archives, whatever is in the way.

use std::time::Duration;

use mixpanel_emulator::{Settings, forms::ExportFormat};
use serde_json::json;

use crate::world::{World, document, files, is_archive, unzip};

#[tokio::test]
async fn who_may_lack_a_record_is_retrieved_once_more_alone() {
    let world = World::new().await;
    world.emulator.fault(json!({ "match": "export", "fault": "ambiguous", "count": 3 })).await;
    let _worker = world.worker().await;
    let ids =
        world.add_many((1..=3).map(|n| document("retrieval", &[&format!("user-{n:03}")]))).await;
    for id in &ids {
        world.until(id, "completed").await;
    }
    let mut tasks: Vec<_> = world
        .emulator
        .created("create-retrieval")
        .await
        .iter()
        .map(|call| call["ids"].as_array().unwrap().len())
        .collect();
    tasks.sort_unstable();
    assert_eq!(tasks, [1, 1, 3], "two of three were in doubt");
    let alone: Vec<_> = {
        let mut paths = Vec::new();
        for id in &ids {
            paths.push(world.path(id).await.iter().filter(|to| *to == "packaging").count());
        }
        paths
    };
    assert_eq!(alone.iter().filter(|times| **times == 2).count(), 2, "{alone:?}");
    for id in &ids {
        assert_eq!(world.completions(id).await, 1);
    }
}

#[tokio::test]
async fn who_got_nothing_while_strays_are_left_is_retrieved_once_more_alone() {
    let world = World::with(Settings { invent: 0, ..World::quick() }).await;
    world.emulator.fault(json!({ "match": "export", "fault": "stray", "count": 2 })).await;
    let _worker = world.worker().await;
    let ids =
        world.add_many((1..=2).map(|n| document("retrieval", &[&format!("user-{n:03}")]))).await;
    for id in &ids {
        let hash = world.until(id, "completed").await;
        // In an export for one person everything is theirs.
        assert_eq!(unzip(&hash["archive"])["events.ndjson"].lines().count(), 2);
    }
    assert_eq!(world.emulator.created("create-retrieval").await.len(), 3);
    // The last export goes a moment after its request is completed.
    let spooled = world
        .wait("the quarantine alone in the spool", async || {
            Some(world.spooled()).filter(|spooled| spooled.len() == 1)
        })
        .await;
    assert!(spooled[0].starts_with("quarantine-default."), "{spooled:?}");
    // It is sealed, and an operator can look into it.
    let path = world.archives().join(".spool").join(&spooled[0]);
    assert!(std::fs::read(&path).unwrap().starts_with(b"age-encryption.org/v1"));
    let printed = world.output(&["unseal", path.to_str().unwrap()]).await;
    let mut lines = String::new();
    let mut gzip = flate2::read::GzDecoder::new(printed.as_slice());
    std::io::Read::read_to_string(&mut gzip, &mut lines).unwrap();
    assert_eq!(lines.lines().count(), 2);
}

#[tokio::test]
async fn with_a_batch_size_of_one_everybody_is_retrieved_alone() {
    let mut world = World::new().await;
    world.set("GDPR_BATCH_RETRIEVAL", "1");
    let _worker = world.worker().await;
    let ids = world
        .add_many((1..=3).map(|n| document("retrieval", &[&format!("a-{n}"), &format!("b-{n}")])))
        .await;
    for id in &ids {
        world.until(id, "completed").await;
    }
    let calls = world.emulator.created("create-retrieval").await;
    assert_eq!(calls.len(), 3);
    assert!(calls.iter().all(|call| call["ids"].as_array().unwrap().len() == 2));
}

#[tokio::test]
async fn nothing_of_a_person_lies_on_disk_in_clear_while_an_export_is_fetched_and_packaged() {
    let settings = Settings { export_format: ExportFormat::Ndjson, invent: 40, ..World::quick() };
    let mut world = World::with(settings).await;
    let key = age::x25519::Identity::generate();
    world.set("GDPR_ARCHIVE_RECIPIENT", key.to_public().to_string());
    // The process ends where everything is on disk that will ever be.
    world.set("GDPR_FAILPOINT", "package.settled");
    let worker = world.worker().await;
    world.add_many((1..=5).map(|n| document("retrieval", &[&format!("canary-{n:03}")]))).await;
    worker.until_dead().await;
    let spooled = world.spooled();
    assert!(spooled.iter().any(|name| name.starts_with("export-")), "{spooled:?}");
    for name in files(&world.archives()) {
        let bytes = std::fs::read(world.archives().join(&name)).unwrap();
        for secret in [&b"canary-0"[..], b"distinct_id", b"Checkout"] {
            let clear = bytes.windows(secret.len()).any(|window| window == secret);
            assert!(!clear && !name.contains("canary"), "{name} holds clear text");
        }
    }
}

#[tokio::test]
async fn a_worker_that_dies_at_any_step_of_packaging_leaves_the_same_archives_and_one_fact() {
    let points = [
        "fetch.piece",
        "collect.fetched",
        "package.split",
        "package.quarantined",
        "package.placed",
        "package.placed:3",
        "package.settled",
        "collect.packaged",
        "collect.recorded",
    ];
    let mut world = World::with(Settings { invent: 30, ..World::quick() }).await;
    world.set("GDPR_JOB_LEASE", "1s");
    world.emulator.fault(json!({ "match": "export", "fault": "stray", "count": 1 })).await;
    for (round, point) in points.into_iter().enumerate() {
        world.set("GDPR_FAILPOINT", point);
        let worker = world.worker().await;
        let people = (1..=4).map(|n| document("retrieval", &[&format!("user-{round}-{n}")]));
        let ids = world.add_many(people).await;
        worker.until_dead().await;
        let early = archives(&world, &ids);
        world.unset("GDPR_FAILPOINT");
        let worker = world.worker().await;
        for id in &ids {
            let hash = world.until(id, "completed").await;
            assert_eq!(world.completions(id).await, 1, "{point}");
            let verified = world.command(&["verify", &hash["archive"], "--ledger"]).await;
            assert_eq!(verified.0, 0, "{point}: {}", verified.2);
        }
        for (path, bytes) in early {
            assert!(std::fs::read(&path).unwrap() == bytes, "{point}: an archive changed");
        }
        worker.stop().await;
        // What the dead one left goes at a start, when it is old enough to be told from work.
        let age = |name: &str| {
            let file = std::fs::File::open(world.archives().join(name)).unwrap();
            file.set_modified(std::time::SystemTime::now() - Duration::from_secs(7200)).unwrap();
        };
        let all = files(&world.archives());
        all.iter()
            .filter(|name| name.contains("batch-") || name.contains(".tmp-"))
            .for_each(|name| age(name));
    }
    let worker = world.worker().await;
    let left: Vec<_> = files(&world.archives())
        .into_iter()
        .filter(|name| !is_archive(name) && !name.contains("quarantine-") && name != ".project")
        .collect();
    assert!(left.is_empty(), "{left:?}");
    worker.stop().await;
}

fn archives(world: &World, ids: &[String]) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let path = |id: &String| world.archives().join(format!("{id}.zip"));
    ids.iter()
        .map(path)
        .filter_map(|path| Some((path.clone(), std::fs::read(&path).ok()?)))
        .collect()
}

#[tokio::test]
async fn a_full_spool_is_waited_out() {
    let mut world = World::with(Settings { invent: 200, ..World::quick() }).await;
    world.set("GDPR_SPOOL_MAX", "2KiB");
    world.set("GDPR_BACKOFF_MIN", "50ms");
    world.set("GDPR_BACKOFF_MAX", "100ms");
    let worker = world.worker().await;
    let id = world.add(&document("retrieval", &["user-001"])).await;
    worker.until_logged("the spool folder has no room").await;
    assert_eq!(world.status(&id).await, "packaging");
    assert!(files(&world.archives()).iter().all(|name| !is_archive(name)));
    worker.stop().await;
    world.set("GDPR_SPOOL_MAX", "1GiB");
    let _worker = world.worker().await;
    world.until(&id, "completed").await;
}

#[tokio::test]
async fn a_broken_download_goes_on_where_it_broke() {
    let world = World::with(Settings { invent: 300, ..World::quick() }).await;
    world
        .emulator
        .fault(json!({ "match": "export", "fault": "cut", "bytes": 900, "times": 2 }))
        .await;
    let _worker = world.worker().await;
    let id = world.add(&document("retrieval", &["user-001"])).await;
    let hash = world.until(&id, "completed").await;
    assert_eq!(unzip(&hash["archive"])["events.ndjson"].lines().count(), 300);
    let ranges: Vec<_> = world
        .emulator
        .calls("export")
        .await
        .iter()
        .map(|call| call["range"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(ranges, ["", "bytes=900-", "bytes=1800-"]);
}

#[tokio::test]
async fn a_bomb_is_held_with_the_limit_that_it_exceeds() {
    let world = World::new().await;
    world.emulator.fault(json!({ "match": "export", "fault": "bomb" })).await;
    let _worker = world.worker().await;
    let id = world.add(&document("retrieval", &["user-001"])).await;
    let reason = world.until(&id, "held").await["reason"].clone();
    assert!(reason.contains("limit"), "{reason}");
    assert!(files(&world.archives()).iter().all(|name| !is_archive(name)));
}
