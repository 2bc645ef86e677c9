//! From an export to archives, and to their end: seen from outside.

use std::{collections::HashMap, path::Path, time::Duration};

use mixpanel_emulator::{Settings, forms::ExportFormat};
use serde_json::json;

use crate::world::{Bucket, World, document, unzip};

const PASSWORD: &str = "emulator-export-password";

fn sealed() -> Settings {
    Settings { export_format: ExportFormat::ZipPassword, ..World::quick() }
}

/// Every file below a folder, by its path in it.
fn files(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(root).unwrap().display().to_string());
            }
        }
    }
    found.sort();
    found
}

fn is_archive(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "zip")
}

impl World {
    /// Files in the spool.
    fn spooled(&self) -> Vec<String> {
        files(&self.archives().join(".spool"))
    }

    /// The ledger's events about a request that say that it was completed.
    async fn completions(&self, id: &str) -> usize {
        let of_it = |event: &&HashMap<String, String>| {
            event.get("requests").is_some_and(|all| all.split(' ').any(|one| one == id))
                && event.get("to").is_some_and(|to| to == "completed")
        };
        self.ledger().await.iter().filter(of_it).count()
    }
}

#[tokio::test]
async fn a_sealed_export_is_kept_until_its_password_is_right_and_asked_for_only_once() {
    let mut world = World::with(sealed()).await;
    world.set("MIXPANEL_EXPORT_PASSWORD", "not this one");
    let worker = world.worker().await;
    let ids = [
        world.add(&document("retrieval", &["user-001"])).await,
        world.add(&document("retrieval", &["user-002"])).await,
    ];
    for id in &ids {
        let reason = world.until(id, "held").await["reason"].clone();
        assert!(reason.contains("MIXPANEL_EXPORT_PASSWORD") && reason.contains("kept"), "{reason}");
    }
    assert_eq!(world.spooled().len(), 1, "the export is kept");
    worker.stop().await;
    world.set("MIXPANEL_EXPORT_PASSWORD", PASSWORD);
    let _worker = world.worker().await;
    assert_eq!(world.spooled().len(), 1, "a restart keeps it, too");
    // One of the batch is asked for: only together can their records be told apart.
    assert_eq!(world.command(&["retry", &ids[0]]).await.0, 0);
    for id in &ids {
        world.until(id, "completed").await;
    }
    assert_eq!(world.path(&ids[1]).await[3..], ["packaging", "held", "packaging", "completed"]);
    assert_eq!(world.emulator.created("create-retrieval").await.len(), 1);
    assert_eq!(world.emulator.calls("export").await.len(), 1);
    world.wait("an empty spool", async || world.spooled().is_empty().then_some(())).await;
}

#[tokio::test]
async fn a_new_export_can_be_asked_for_although_one_is_kept() {
    let world = World::with(sealed()).await;
    let _worker = world.worker().await;
    let id = world.add(&document("retrieval", &["user-001"])).await;
    world.until(&id, "held").await;
    world.emulator.change(json!({ "export_format": "zip" })).await;
    assert_eq!(world.command(&["retry", "--new-export", &id]).await.0, 0);
    world.until(&id, "completed").await;
    assert_eq!(world.emulator.created("create-retrieval").await.len(), 2);
}

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
    let spooled = world.spooled();
    assert_eq!(spooled.len(), 1, "{spooled:?}");
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
async fn an_archive_for_a_recipient_opens_with_their_key_alone_and_verifies() {
    use age::secrecy::ExposeSecret as _;
    let mut world = World::new().await;
    let key = age::x25519::Identity::generate();
    let identity = world.folder().join("identity.txt");
    std::fs::write(&identity, key.to_string().expose_secret()).unwrap();
    world.set("GDPR_ARCHIVE_RECIPIENT", key.to_public().to_string());
    world.set("GDPR_ARCHIVE_CSV", "true");
    let _worker = world.worker().await;
    let id = world.add(&document("retrieval", &["user-001"])).await;
    let archive = world.until(&id, "completed").await["archive"].clone();
    assert!(archive.ends_with(".zip.age"), "{archive}");

    let (code, _, complaint) = world.command(&["verify", &archive]).await;
    assert_eq!(code, 1);
    assert!(complaint.contains("identity"), "{complaint}");
    let key = identity.to_str().unwrap();
    let (code, said, complaint) =
        world.command(&["verify", &archive, "--identity", key, "--ledger", "--json"]).await;
    assert_eq!(code, 0, "{complaint}");
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&said["ledger"], &said["encrypted"]), (&json!("same"), &json!(true)));
    let zip = world.output(&["unseal", &archive, "--identity", key]).await;
    let plain = world.folder().join("plain.zip");
    std::fs::write(&plain, zip).unwrap();
    let entries = unzip(plain.to_str().unwrap());
    let rows = entries["events.csv"].lines().count();
    assert_eq!(rows, entries["events.ndjson"].lines().count() + 1);
}

#[tokio::test]
async fn an_archive_that_was_touched_does_not_verify() {
    let world = World::new().await;
    let _worker = world.worker().await;
    let id = world.add(&document("retrieval", &["user-001"])).await;
    let archive = world.until(&id, "completed").await["archive"].clone();
    let (code, said, _) = world.command(&["verify", &archive, "--ledger"]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("the same archive"), "{said}");

    // Another whole archive of the same request: only the ledger can tell.
    let other = world.add(&document("retrieval", &["user-002"])).await;
    let others = world.until(&other, "completed").await["archive"].clone();
    let key = format!("gdpr:{{default}}:request:{other}");
    let _: i64 = world.ask(&["HSET", &key, "archive_sha256", &"0".repeat(64)]).await;
    let (code, said, _) = world.command(&["verify", &others]).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("another SHA-256"), "{said}");

    let mut bytes = std::fs::read(&archive).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&archive, bytes).unwrap();
    assert_eq!(world.command(&["verify", &archive]).await.0, 1);
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
async fn the_sweep_compares_store_and_ledger_both_ways() {
    let world = World::new().await;
    let worker = world.worker().await;
    let ids =
        world.add_many((1..=3).map(|n| document("retrieval", &[&format!("user-{n:03}")]))).await;
    for id in &ids {
        world.until(id, "completed").await;
    }
    let failed = world.add(&document("deletion", &["user-009"])).await;
    world.until(&failed, "completed").await;
    worker.stop().await;
    // One archive is lost, one file belongs to a request without an archive, one to no request at all.
    let path = |id: &str| world.archives().join(format!("{id}.zip"));
    std::fs::remove_file(path(&ids[0])).unwrap();
    let old = |id: &str, hours: u64| {
        std::fs::copy(path(&ids[1]), path(id)).unwrap();
        let file = std::fs::File::options().append(true).open(path(id)).unwrap();
        file.set_modified(std::time::SystemTime::now() - Duration::from_secs(hours * 3600))
            .unwrap();
    };
    old(&failed, 2);
    old("unknown-and-old", 24 * 8);
    old("unknown-and-young", 2);
    let _worker = world.worker().await;
    let hash = world
        .wait("the loss to be told", async || {
            let hash = world.request(&ids[0]).await;
            hash.contains_key("archive_missing_since").then_some(hash)
        })
        .await;
    assert!(hash["reason"].contains("not in the store"), "{hash:?}");
    world.wait("the orphans to go", async || (!path(&failed).exists()).then_some(())).await;
    assert!(!path("unknown-and-old").exists());
    assert!(path("unknown-and-young").exists(), "another Redis may know it");
    assert!(path(&ids[1]).exists() && path(&ids[2]).exists());
    assert_eq!(world.stats().await["archives.missing"], 1);
    let told = world.ledger().await;
    let of = |id: &str| {
        told.iter().any(|event| {
            event.get("requests").is_some_and(|all| all == id)
                && event.get("why").is_some_and(|why| why.contains("destroyed"))
        })
    };
    assert!(of(&failed) && of("unknown-and-old") && !of("unknown-and-young"));
}

#[tokio::test]
async fn at_the_end_of_its_time_everything_of_a_person_is_gone() {
    let mut world = World::with(Settings { invent: 0, ..World::quick() }).await;
    world.set("GDPR_ARCHIVE_RETENTION", "2s");
    world.emulator.fault(json!({ "match": "export", "fault": "stray", "count": 1 })).await;
    let worker = world.worker().await;
    let ids =
        world.add_many((1..=2).map(|n| document("retrieval", &[&format!("user-{n:03}")]))).await;
    for id in &ids {
        world.until(id, "expired").await;
    }
    worker.stop().await;
    let _worker = world.worker().await;
    let left: Vec<_> =
        files(&world.archives()).into_iter().filter(|name| name != ".project").collect();
    assert!(left.is_empty(), "{left:?}");
    let _: () = world
        .wait("an empty index", async || {
            let kept: u64 = world.ask(&["ZCARD", "gdpr:{default}:archives"]).await;
            (kept == 0).then_some(())
        })
        .await;
}

#[tokio::test]
async fn a_held_export_that_is_given_up_goes_with_its_last_request() {
    let world = World::with(sealed()).await;
    let worker = world.worker().await;
    let ids =
        world.add_many((1..=2).map(|n| document("retrieval", &[&format!("user-{n:03}")]))).await;
    for id in &ids {
        world.until(id, "held").await;
    }
    for (id, left) in [(&ids[0], 1), (&ids[1], 0)] {
        assert_eq!(world.command(&["fail", id, "--reason", "answered by hand"]).await.0, 0);
        // Every start looks through the spool, as every ten minutes do.
        let other = world.worker().await;
        assert_eq!(world.spooled().len(), left);
        other.stop().await;
    }
    worker.stop().await;
}

#[tokio::test]
async fn an_expiry_whose_job_was_lost_is_found_by_the_sweep() {
    let mut world = World::new().await;
    let worker = world.worker().await;
    let id = world.add(&document("retrieval", &["user-001"])).await;
    let archive = world.until(&id, "completed").await["archive"].clone();
    worker.stop().await;
    let _: i64 = world.ask(&["ZREM", "gdpr:{default}:work:delayed", &format!("expire/{id}")]).await;
    let _: i64 = world.ask(&["ZADD", "gdpr:{default}:archives", "1", &id]).await;
    world.set("GDPR_LINGER", "100ms");
    let _worker = world.worker().await;
    world.until(&id, "expired").await;
    assert!(!Path::new(&archive).exists());
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
async fn a_corrupt_export_is_fetched_anew_and_then_held_and_kept() {
    let world = World::with(Settings { export_format: ExportFormat::Gzip, ..World::quick() }).await;
    world.emulator.fault(json!({ "match": "export", "fault": "corrupt" })).await;
    let worker = world.worker().await;
    let id = world.add(&document("retrieval", &["user-001", "user-1b"])).await;
    let reason = world.until(&id, "held").await["reason"].clone();
    assert!(reason.contains("new export"), "{reason}");
    assert_eq!(world.emulator.calls("export").await.len(), 3);
    worker.stop().await;
    let _worker = world.worker().await;
    assert_eq!(world.spooled().len(), 1, "it is there to be looked at");
    world.emulator.heal().await;
    assert_eq!(world.command(&["retry", &id]).await.0, 0);
    world.until(&id, "completed").await;
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

#[tokio::test]
async fn archives_in_a_bucket_are_linked_verified_and_destroyed() {
    let bucket = Bucket::start().await;
    let mut world = World::new().await;
    world.set("GDPR_SPOOL", world.folder().join("spool").display().to_string());
    for (variable, value) in bucket.variables() {
        world.set(variable, value);
    }
    let workers = (world.worker().await, world.worker().await);
    let ids =
        world.add_many((1..=20).map(|n| document("retrieval", &[&format!("user-{n:03}")]))).await;
    for id in &ids {
        let hash = world.until(id, "completed").await;
        assert_eq!(hash["archive"], format!("s3://bucket/people/{id}.zip"));
    }
    assert_eq!(bucket.archives().len(), 20);
    let place = format!("s3://bucket/people/{}.zip", ids[0]);
    let (code, _, complaint) = world.command(&["verify", &place, "--ledger"]).await;
    assert_eq!(code, 0, "{complaint}");

    let (code, link, complaint) = world.command(&["link", &ids[0], "--for", "1m"]).await;
    assert_eq!(code, 0, "{complaint}");
    let fetched = reqwest::get(link.trim()).await.unwrap();
    assert_eq!(fetched.status(), 200);
    let bytes = fetched.bytes().await.unwrap();
    assert_eq!(bytes.len().to_string(), world.request(&ids[0]).await["archive_bytes"]);
    let told = world.ledger().await;
    assert!(
        told.iter().any(|event| event.get("why").is_some_and(|why| why.contains("made a link")))
    );

    // One is lost, and one's time is over.
    let expired = format!("expire/{}", ids[1]);
    let _: i64 = world.ask(&["ZADD", "gdpr:{default}:work:delayed", "LT", "1", &expired]).await;
    world.until(&ids[1], "expired").await;
    assert_eq!(bucket.archives().len(), 19);
    workers.0.stop().await;
    workers.1.stop().await;
}

#[tokio::test]
async fn a_folder_gives_no_links_and_says_what_to_do() {
    let world = World::new().await;
    let _worker = world.worker().await;
    let id = world.add(&document("retrieval", &["user-001"])).await;
    world.until(&id, "completed").await;
    let (code, _, complaint) = world.command(&["link", &id]).await;
    assert_eq!(code, 1);
    assert!(complaint.contains("bucket"), "{complaint}");
}
