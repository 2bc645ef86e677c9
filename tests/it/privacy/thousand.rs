//! A thousand people, requests of every kind with every end, events good and bad, every command and page, all at the
//! most talkative level of the log: afterwards none of them stands anywhere.

use std::{
    collections::{BTreeSet, HashMap},
    fmt::Write as _,
    path::PathBuf,
};

use serde_json::{Value, json};

use super::search::Search;
use crate::world::{PEPPER, World, document, event, files, free_port};

const PEOPLE: usize = 1_000;
const APPLICATION_KEY: &str = "application-key-of-the-thousand-people";
const DOCUMENT_KEY: &str = "document-key-of-the-thousand-people";
/// Where nothing happens any more unless somebody decides.
const ENDS: &str = "completed cancelled rejected failed merged held";
const EXPORT_PASSWORD: &str = "export-password-of-the-thousand";

/// What no other text has by chance, whatever it is escaped or encoded with.
fn core(number: usize) -> String {
    format!("kanarie{number:04}q{:08x}", u32::try_from(number).unwrap().wrapping_mul(0x9E37_79B1))
}

/// A person, as backends name theirs.
fn person(number: usize) -> String {
    let core = core(number);
    match number % 5 {
        0 => format!("{core}@example.test"),
        1 => format!("{core}+tag:7@Zürich.example"),
        2 => format!("$device:{core}"),
        3 => format!("ключ/{core}/\"Zoë\"\\"),
        _ => format!("id={core}&name=%41 b"),
    }
}

/// What befalls a person.
fn group(number: usize) -> usize {
    number % 20
}

fn people(groups: &[usize]) -> impl Iterator<Item = String> {
    (0..PEOPLE).filter(|number| groups.contains(&group(*number))).map(person)
}

/// Everything that must be found nowhere.
fn secrets(signing_key: &str) -> Vec<String> {
    let own = [
        "emulator-oauth-token",
        "emulator-project-token",
        PEPPER,
        APPLICATION_KEY,
        DOCUMENT_KEY,
        EXPORT_PASSWORD,
        "/exports/",
        "169.254.169.254",
        signing_key,
    ];
    let people = (0..PEOPLE).flat_map(|number| [core(number), person(number)]);
    people.chain(own.map(str::to_owned)).collect()
}

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

    /// Mixpanel at its worst: it quotes people in its refusals.
    async fn misfortunes(&self) {
        let bad: Vec<String> = people(&[7]).take(3).collect();
        let in_conflict: Vec<String> = people(&[1]).take(5).collect();
        let quoted = json!({ "error": person(1), "ids": [person(2), person(3)] }).to_string();
        let rules = json!([
            { "match": "create", "fault": "bad-ids", "ids": bad, "name_ids": true },
            { "match": "create-deletion", "fault": "conflict", "ids": in_conflict, "task": "9", "times": 1 },
            { "match": "create", "fault": "status", "status": 500, "body": quoted, "times": 2 },
            { "match": "poll", "fault": "status", "status": 502, "body": quoted, "times": 2 },
            { "match": "create-deletion", "fault": "act-then-close", "times": 1 },
            { "match": "poll", "fault": "garbage", "times": 2 },
            { "match": "export", "fault": "ambiguous", "count": 3 },
            { "match": "export", "fault": "stray", "count": 3 },
            { "match": "export", "fault": "cut", "bytes": 5_000, "times": 1 },
            { "match": "ingest", "fault": "bad-records", "ids": people(&[9]).collect::<Vec<_>>() },
            { "match": "ingest", "fault": "status", "status": 400, "body": quoted, "times": 1 },
            { "match": "ingest", "fault": "status", "status": 503, "body": quoted, "times": 1 },
        ]);
        self.world.emulator.fault(rules).await;
    }

    /// Requests of every kind; returns those that must come to an end.
    async fn ask(&self) -> Vec<String> {
        let world = &self.world;
        let each = |kind: &'static str, groups: &[usize]| {
            let all: Vec<String> = people(groups).collect();
            all.into_iter().map(move |id| document(kind, &[&id]))
        };
        let mut ids = world.add_many(each("retrieval", &[0, 7])).await;
        ids.extend(world.add_many(each("deletion", &[1, 2, 7])).await);
        ids.extend(world.add_many(each("opt_out", &[3, 4])).await);
        ids.extend(world.add_many(each("opt_in", &[4])).await);
        // All ids of a household in one request; a copy of it is merged.
        let several: Vec<String> = people(&[5]).collect();
        let household =
            several.chunks(5).map(|ids| json!({ "kind": "deletion", "distinct_ids": ids }));
        let household: Vec<Value> = household.collect();
        ids.extend(world.add_many(household.iter().chain(&household).cloned()).await);
        // Taken back in time, or not.
        let deletions = world.add_many(each("deletion", &[6])).await;
        let back = deletions.iter().map(|id| json!({ "kind": "cancellation", "request_id": id }));
        ids.extend(world.add_many(back.collect::<Vec<_>>()).await);
        ids.extend(deletions);
        // What no request is.
        let mut texts = Vec::new();
        for (number, id) in people(&[8]).enumerate() {
            texts.push(match number % 6 {
                0 => json!({ "kind": id, "distinct_ids": [id] }).to_string(),
                1 => json!({ "kind": "deletion", "distinct_ids": id }).to_string(),
                2 => json!({ "kind": "deletion", "distinct_ids": [id], "received_at": id })
                    .to_string(),
                3 => json!({ "kind": "deletion", "distinct_ids": [id], &id: 1 }).to_string(),
                4 => json!({ "kind": "deletion", "distinct_ids": [id], "id": id }).to_string(),
                _ => id,
            });
        }
        for text in texts {
            ids.push(world.add_text(&text).await);
        }
        let stream = "gdpr:{default}:requests";
        let id = person(8);
        let signed = json!({ "kind": "deletion", "distinct_ids": [id] }).to_string();
        ids.push(
            world
                .ask(&["XADD", stream, "*", "request", &signed, "key", &id, "signature", &id])
                .await,
        );
        ids.push(world.ask(&["XADD", stream, "*", &id, &id]).await);
        ids
    }

    /// Events and profiles of everybody: by the stream, by a file and by the door.
    async fn send(&mut self) {
        let everybody: Vec<String> = (0..PEOPLE).map(person).collect();
        for some in everybody.chunks(100) {
            let of = |id: &String| {
                let mut event = event(id, "Bought");
                event["properties"]["mail"] = json!(id);
                event["properties"]["secret"] = json!(id);
                event
            };
            self.world.put_event(&some.iter().map(of).collect()).await;
            let of = |id: &String| json!({ "$distinct_id": id, "$set": { "mail": id } });
            self.world.put_profile(&some.iter().map(of).collect()).await;
        }
        for (number, id) in people(&[10]).enumerate() {
            match number % 4 {
                0 => self.world.put("event", &id).await,
                1 => self.world.put(&id, "{}").await,
                2 => self.world.put_event(&json!({ "event": { id: 1 } })).await,
                _ => self
                    .world
                    .put_event(
                        &json!({ "event": "Old", "properties": { "distinct_id": id, "time": 5 } }),
                    )
                    .await,
            };
        }
        let token = "emulator-project-token";
        let tracked: Value = people(&[11])
            .map(|id| json!({ "event": "Seen", "properties": { "distinct_id": id, "token": token } }))
            .collect();
        let data = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("data", &data_encoding::BASE64.encode(tracked.to_string().as_bytes()))
            .finish();
        let id = person(12);
        let calls = [
            self.http.post(format!("{}/track?verbose=1", self.door)).body(data),
            self.http.post(format!("{}/track?verbose=1", self.door)).body(id.clone()),
            self.http
                .post(format!("{}/engage?verbose=1", self.door))
                .json(&json!([{ "$token": id, "$distinct_id": id }])),
            self.http
                .get(format!("{}/track", self.door))
                .query(&[("data", &id), ("verbose", &"1".to_owned())]),
            self.http
                .post(format!("{}/opt_out", self.door))
                .bearer_auth(&id)
                .json(&json!({ "distinct_ids": [id] })),
            self.http
                .post(format!("{}/opt_out", self.door))
                .bearer_auth(APPLICATION_KEY)
                .json(&json!({ "distinct_ids": [id] })),
            self.http
                .post(format!("{}/opt_out", self.door))
                .bearer_auth(APPLICATION_KEY)
                .json(&json!({ "distinct_ids": id, &id: id })),
            self.http.get(format!("{}/{}", self.door, core(12))),
        ];
        for call in calls {
            self.keep(call).await;
        }
        let lines = people(&[13]).map(|id| event(&id, "Read").to_string()).chain(people(&[14]));
        self.command(&["events", "-"], &lines.collect::<Vec<_>>().join("\n")).await;
        let rows = people(&[15]).enumerate().map(|(number, id)| {
            let id = format!("\"{}\"", id.replace('"', "\"\""));
            if number % 2 == 0 { format!("deletion,{id},") } else { format!("{id},{id},{id}") }
        });
        let rows = format!("kind,distinct_ids,id\n{}", rows.collect::<Vec<_>>().join("\n"));
        self.command(&["enqueue", "--csv", "-"], &rows).await;
    }

    async fn keep(&mut self, call: reqwest::RequestBuilder) {
        let answer = call.send().await.unwrap();
        writeln!(self.told, "{:?}", answer.headers()).unwrap();
        self.told += &answer.text().await.unwrap();
    }

    async fn command(&mut self, args: &[&str], input: &str) {
        for args in [args.to_vec(), [args, &["--json"]].concat()] {
            let (code, out, err) = self.world.command_with(&args, input).await;
            assert!((0..=1).contains(&code), "{args:?}: {err}");
            self.told += &out;
            self.told += &err;
        }
    }

    /// Every command that looks, and every page.
    async fn look(&mut self, ids: &[String]) {
        let all: Vec<String> = (0..20).map(person).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        for id in [0, 60, 200, ids.len() - 1].map(|n| ids[n].as_str()) {
            self.command(&["status", id], "").await;
            self.command(&["history", "--request", id], "").await;
            self.command(&["receipt", id], "").await;
            self.command(&["link", id], "").await;
            self.command(&["retry", id], "").await;
        }
        for id in &all {
            self.command(&["user", id], "").await;
            self.command(&["history", "--user", id], "").await;
        }
        let lists: [&[&str]; 9] = [
            &["check"],
            &["due"],
            &["health"],
            &["history"],
            &["refused"],
            &["retention"],
            &["checkpoint"],
            &["verify", "--ledger"],
            &["opt-out-link", all[4]],
        ];
        for args in lists {
            self.command(args, "").await;
        }
        self.command(&[&["tag"], &all[..]].concat(), "").await;
        self.command(&[&["consent"], &all[..]].concat(), "").await;
        self.command(&["status", "no-such-id"], "").await;
        for path in ["", "health", "metrics"] {
            let call = self.http.get(format!("{}/{path}", self.page));
            self.keep(call).await;
        }
    }

    /// All that Redis would hand over with its disks: both files, without compression, and the names of its keys.
    async fn redis(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let world = &self.world;
        let _: String = world.ask(&["CONFIG", "SET", "rdbcompression", "no"]).await;
        let _: String = world.ask(&["BGREWRITEAOF"]).await;
        world
            .wait("a new append-only file", async || {
                let info: String = world.ask(&["INFO", "persistence"]).await;
                let idle = [
                    "aof_rewrite_in_progress:0",
                    "aof_rewrite_scheduled:0",
                    "aof_last_bgrewrite_status:ok",
                ];
                idle.iter().all(|line| info.contains(line)).then_some(())
            })
            .await;
        let _: String = world.ask(&["SAVE"]).await;
        let read = |file: PathBuf| {
            let content = std::fs::read(&file).unwrap();
            (file, content)
        };
        world.redis.files().into_iter().map(read).collect()
    }

    async fn keys(&self) -> Vec<String> {
        let (mut cursor, mut keys) = ("0".to_owned(), Vec::new());
        loop {
            let (next, some): (String, Vec<String>) =
                self.world.ask(&["SCAN", &cursor, "COUNT", "1000"]).await;
            keys.extend(some);
            if next == "0" {
                return keys;
            }
            cursor = next;
        }
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
