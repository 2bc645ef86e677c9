//! The tool that erases personal data does not spread it.

mod search;
mod thousand;

use serde_json::json;

use crate::world::{PEPPER, World, document};

const CANARY: &str = "canary.person@example.test";

#[tokio::test]
async fn no_identifier_token_or_link_stays_anywhere_after_the_end() {
    let mut world = World::new().await;
    world.set("GDPR_LOG", "trace");
    world.set("GDPR_ARCHIVE_RETENTION", "1500ms");
    let worker = world.worker().await;
    let copy = world.add(&document("retrieval", &[CANARY])).await;
    world.until(&copy, "expired").await;
    let erasure = world.add(&document("deletion", &[CANARY, "canary.two@example.test"])).await;
    world.until(&erasure, "completed").await;
    world
        .add_text(&format!(r#"{{"kind":"deletion","distinct_ids":["{CANARY}"],"{CANARY}":1}}"#))
        .await;
    world.add_text(&format!(r#"{{"kind":"{CANARY}","distinct_ids":["{CANARY}"]}}"#)).await;
    world.add_text(CANARY).await;
    world.until_stats(&[("unknown.rejected", 3)]).await;
    assert_eq!(worker.stop().await.0, Some(0));

    let secrets = ["canary", "emulator-oauth-token", "emulator-project-token", PEPPER, "/exports/"];
    for secret in secrets {
        assert!(!world.logs().contains(secret), "{secret} is in a log");
    }
    // All that Redis holds, as it would be copied into a backup after the log file was rewritten.
    let sealed: u64 = world.ask(&["HLEN", "gdpr:{default}:sealed"]).await;
    assert_eq!(sealed, 0);
    let _: String = world.ask(&["SAVE"]).await;
    let dump = world.redis.files().into_iter().find(|file| file.ends_with("dump.rdb")).unwrap();
    let _: String = world.ask(&["CONFIG", "SET", "rdbcompression", "no"]).await;
    let _: String = world.ask(&["SAVE"]).await;
    let dump = std::fs::read(dump).unwrap();
    for secret in secrets {
        let found = dump.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "{secret} is in the dump of Redis");
    }
    let left = std::fs::read_dir(world.archives()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(
        left.into_iter().all(|name| name == ".spool" || name == ".project"),
        "archives are gone"
    );
}

#[tokio::test]
async fn the_ledger_tells_the_whole_story_and_its_hashes_hold() {
    use sha1::Digest as _;
    let world = World::new().await;
    let _worker = world.worker().await;
    let copy = world.add(&document("retrieval", &[CANARY])).await;
    let erasure = world.add(&document("deletion", &[CANARY])).await;
    let bad = world.add(&json!({ "kind": "deletion", "distinct_ids": ["null"] })).await;
    for id in [&copy, &erasure] {
        world.until(id, "completed").await;
    }
    world.until(&bad, "rejected").await;

    let entries: Vec<(String, Vec<String>)> =
        world.ask(&["XRANGE", "gdpr:{default}:ledger", "-", "+"]).await;
    let mut before = String::new();
    for (id, fields) in &entries {
        let (pairs, hash) = fields.split_at(fields.len() - 2);
        let mut text = before.clone();
        for pair in pairs.chunks(2) {
            let value = if pair[0] == "at" {
                pair[1].clone()
            } else {
                format!("{}:{}", pair[1].len(), pair[1])
            };
            text = [text.as_str(), &pair[0], &value].join("\n");
        }
        let expected = data_encoding::HEXLOWER.encode(&sha1::Sha1::digest(text));
        assert_eq!(hash, ["hash".to_owned(), expected.clone()], "event {id}");
        before = expected;
    }
    assert!(!format!("{entries:?}").contains("canary"));
}
