//! Archives in the hands of people: opened, verified, linked.

use serde_json::json;

use crate::world::{Bucket, World, document, unzip};

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
