//! How long exports, archives and quarantine stay, and that they go.

use std::{path::Path, time::Duration};

use mixpanel_emulator::{Settings, forms::ExportFormat};
use serde_json::json;

use crate::world::{World, document, files};

const PASSWORD: &str = "emulator-export-password";

fn sealed() -> Settings {
    Settings { export_format: ExportFormat::ZipPassword, ..World::quick() }
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
