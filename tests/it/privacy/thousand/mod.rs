//! A thousand people, requests of every kind with every end, events good and bad, every command and page, all at the
//! most talkative level of the log: afterwards none of them stands anywhere.

//!
//! | file | what it holds |
//! | --- | --- |
//! | here | the story, and how it begins |
//! | `people` | who they are, and what else must be found nowhere |
//! | `asking` | what they ask for, what is sent about them, and what goes wrong at Mixpanel |
//! | `looking` | every command and page, and all that Redis has |

mod asking;
mod looking;
mod people;

use std::collections::{BTreeSet, HashMap};

use serde_json::json;

use super::search::Search;
use crate::world::{World, document, files, free_port};
use people::{APPLICATION_KEY, DOCUMENT_KEY, EXPORT_PASSWORD, people, person, secrets};

/// Where nothing happens any more unless somebody decides.
const ENDS: &str = "completed cancelled rejected failed merged held";

struct Story {
    world: World,
    http: reqwest::Client,
    door: String,
    page: String,
    signing_key: String,
    /// What was printed and served.
    told: String,
}

impl Story {
    async fn begin() -> Self {
        let mut world = World::new().await;
        let (door, page) = (free_port(), free_port());
        for (variable, value) in [
            ("GDPR_LOG", "trace".to_owned()),
            ("GDPR_LISTEN", format!("127.0.0.1:{page}")),
            ("GDPR_INGEST_LISTEN", format!("127.0.0.1:{door}")),
            ("GDPR_INGEST_URL", format!("http://127.0.0.1:{door}")),
            ("GDPR_APPLICATION_KEY", APPLICATION_KEY.to_owned()),
            ("GDPR_DOCUMENT_KEYS", format!("shop:{DOCUMENT_KEY}")),
            ("GDPR_UNKNOWN_WAIT_DELETION", "200ms".to_owned()),
            ("GDPR_UNKNOWN_WAIT_RETRIEVAL", "200ms".to_owned()),
            ("GDPR_BACKOFF_MIN", "50ms".to_owned()),
            // The task that a refusal names is none.
            ("GDPR_MISSING_WINDOW", "1s".to_owned()),
            ("GDPR_PROPERTY_BLACKLIST", "secret".to_owned()),
            ("MIXPANEL_EXPORT_PASSWORD", EXPORT_PASSWORD.to_owned()),
        ] {
            world.set(variable, value);
        }
        let key = world.output(&["check", "--make-signing-key"]).await;
        let signing_key = String::from_utf8(key).unwrap().trim().to_owned();
        world.set("GDPR_SIGNING_KEY", &signing_key);
        let http = reqwest::Client::new();
        let (door, page) = (format!("http://127.0.0.1:{door}"), format!("http://127.0.0.1:{page}"));
        Self { world, http, door, page, signing_key, told: String::new() }
    }
}

/// Kinds and ends, each of which must have been there: `deletion.completed` and the like.
fn ends(requests: &[HashMap<String, String>]) -> BTreeSet<String> {
    let end = |hash: &HashMap<String, String>| {
        let kind = hash.get("kind").map_or("unknown", String::as_str);
        format!("{kind}.{}", hash["status"])
    };
    requests.iter().map(end).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_people_are_found_nowhere() {
    let mut story = Story::begin().await;
    story.misfortunes().await;
    let worker = story.world.worker().await;
    let mut ids = story.ask().await;
    story.send().await;
    let mut requests = Vec::new();
    for id in &ids {
        requests.push(story.world.until(id, ENDS).await);
    }
    // At last, exports that are said to lie where nobody should look.
    let metadata = "http://169.254.169.254/latest/meta-data/";
    story.world.emulator.fault(json!({ "fault": "link", "link": metadata })).await;
    let held = story.world.add_many(people(&[16]).map(|id| document("retrieval", &[&id]))).await;
    for id in &held {
        requests.push(story.world.until(id, "held").await);
    }
    ids.extend(held);
    story.world.until_queue_is_empty().await;
    story.look(&ids).await;
    assert_eq!(worker.stop().await.0, Some(0));

    // All of it happened.
    let ends = ends(&requests);
    for end in [
        "retrieval.completed",
        "retrieval.failed",
        "retrieval.held",
        "deletion.completed",
        "deletion.failed",
        "deletion.merged",
        "deletion.cancelled",
        "cancellation.completed",
        "opt_out.completed",
        "opt_in.completed",
        "unknown.rejected",
    ] {
        assert!(ends.contains(end), "{end} is missing: {ends:?}");
    }
    assert!(story.world.refused().await.len() >= 50);
    let archives = files(&story.world.archives());
    assert!(archives.iter().filter(|name| crate::world::is_archive(name)).count() >= 50);

    let secrets = secrets(&story.signing_key);
    let search = Search::for_all(secrets.iter().map(String::as_str));
    let mut places: Vec<(String, Vec<u8>)> = vec![
        ("what was told".to_owned(), story.told.clone().into_bytes()),
        ("names of files".to_owned(), archives.join("\n").into_bytes()),
        ("names of keys".to_owned(), story.keys().await.join("\n").into_bytes()),
    ];
    for file in story.world.log_files() {
        places.push((file.display().to_string(), std::fs::read(&file).unwrap()));
    }
    let spool = story.world.archives().join(".spool");
    for name in story.world.spooled() {
        places.push((name.clone(), std::fs::read(spool.join(name)).unwrap()));
    }
    let redis = story.redis().await;
    assert!(
        ["rdb", "aof"]
            .iter()
            .all(|e| redis.iter().any(|(file, _)| file.extension().is_some_and(|x| x == *e)))
    );
    places.extend(redis.into_iter().map(|(file, content)| (file.display().to_string(), content)));
    let (told, logged) = (story.told.len(), story.world.logs().len());
    assert!(told > 20_000 && logged > 5_000, "{told} bytes told, {logged} logged");
    let mut found = Vec::new();
    for (place, content) in &places {
        found.extend(search.found(content).into_iter().map(|text| format!("{place}: {text}")));
    }
    assert!(found.is_empty(), "{} in all, {:#?}", found.len(), &found[..found.len().min(20)]);

    // One more line in any of these places would have been found.
    for (place, content) in &mut places {
        content.extend_from_slice(format!("{{\"distinct_id\":{}}}", json!(person(3))).as_bytes());
        assert_eq!(search.found(content).len(), 1, "{place}");
    }
}
