//! What can be seen of the calls and records that arrived at the ingestion API.

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use mixpanel_emulator::Settings;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::client::{World, swift};

const TOKEN: &str = "emulator-project-token";

/// An emulator that keeps some records.
async fn keeping(keep_records: usize) -> World {
    let projects = vec!["other-token:other-oauth".to_owned()];
    World::with(Settings { keep_records, projects, ..swift() }).await
}

fn event(token: &str, id: &str, insert_id: &str) -> Value {
    json!({"event": "A", "properties": {"token": token, "distinct_id": id, "time": 1_700_000_000,
        "$insert_id": insert_id}})
}

async fn post(world: &World, path: &str, body: &Value) -> (u16, Value) {
    let basic = data_encoding::BASE64.encode(format!("{TOKEN}:").as_bytes());
    let authorization = format!("Basic {basic}");
    let headers = [("authorization", authorization.as_str())];
    let answer = world.call("POST", path, &headers, body.to_string().as_bytes()).await.unwrap();
    (answer.status, serde_json::from_slice(&answer.body).unwrap_or_default())
}

async fn ingested(world: &World, query: &str) -> Vec<Value> {
    let answer = world.get(&format!("/_emulator/ingested{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn counts(world: &World) -> Value {
    world.stats().await["ingested"].clone()
}

#[tokio::test]
async fn the_log_tells_how_a_call_was_made_and_what_became_of_its_records() {
    let world = World::with(swift()).await;
    let body = json!([event(TOKEN, "u1", "i-1"), {}, event(TOKEN, "u1", "i-2")]).to_string();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body.as_bytes()).unwrap();
    let body = encoder.finish().unwrap();
    let headers = [("content-encoding", "gzip")];
    world.call("POST", "/track?ip=0&verbose=1", &headers, &body).await.unwrap();
    let entry = &world.log().await[0];
    let call = &entry["ingestion"];
    assert!(call["whole_ms"].as_f64().unwrap() >= entry["ms"].as_f64().unwrap());
    assert_eq!(entry["project"], TOKEN);
    for (name, expected) in [
        ("ip", json!("0")),
        ("strict", json!(false)),
        ("verbose", json!(true)),
        ("gzip", json!(true)),
        ("bytes", json!(body.len())),
        ("records", json!(3)),
        ("stored", json!(2)),
    ] {
        assert_eq!(call[name], expected, "{name}");
    }
    let other = world.create("/api/app/data-deletions/v3.0/", &["u1"]).await;
    assert_eq!(other.status, 201);
    assert_eq!(world.log().await[1]["ingestion"], Value::Null);
}

/// The head of a `/track` call, and a body of which the second half is still to come.
async fn half_sent(world: &World) -> (tokio::net::TcpStream, Vec<u8>) {
    let body = json!([event(TOKEN, "u1", "i-1")]).to_string().into_bytes();
    let head = format!("POST /track HTTP/1.1\r\nhost: e\r\ncontent-length: {}\r\n\r\n", body.len());
    let mut stream = tokio::net::TcpStream::connect(world.running.address()).await.unwrap();
    let (first, second) = body.split_at(body.len() / 2);
    stream.write_all(&[head.as_bytes(), first].concat()).await.unwrap();
    (stream, second.to_vec())
}

/// The log's entries, once there are so many.
async fn logged(world: &World, count: usize) -> Vec<Value> {
    loop {
        let entries = world.log().await;
        if entries.len() >= count {
            return entries;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn the_first_byte_and_the_last_have_their_own_times() {
    let world = World::with(swift()).await;
    let (mut stream, rest) = half_sent(&world).await;
    tokio::time::sleep(Duration::from_millis(120)).await;
    stream.write_all(&rest).await.unwrap();
    let entry = &logged(&world, 1).await[0];
    let took = entry["ingestion"]["whole_ms"].as_f64().unwrap() - entry["ms"].as_f64().unwrap();
    assert!(took > 60.0, "{took}");
}

#[tokio::test]
async fn a_call_that_is_cut_off_is_in_the_log_and_stores_nothing() {
    let world = keeping(10).await;
    let (stream, _) = half_sent(&world).await;
    drop(stream);
    let entry = &logged(&world, 1).await[0];
    assert_eq!((&entry["kind"], &entry["status"]), (&json!("track"), &Value::Null));
    assert_eq!(entry["ingestion"]["whole_ms"], Value::Null);
    assert_eq!((&entry["acted"], &entry["ingestion"]["records"]), (&json!(false), &json!(0)));
    assert_eq!(counts(&world).await["arrived"], 0);
}

#[tokio::test]
async fn records_are_shown_in_order_with_their_calls_whatever_was_answered() {
    let world = keeping(10).await;
    let fault = json!({"match": "engage", "fault": "status", "status": 503, "times": 1});
    world.command("faults", &fault).await;
    let profile = |plan| json!({"$token": TOKEN, "$distinct_id": "u1", "$set": {"plan": plan}});
    post(
        &world,
        "/import?strict=1",
        &json!([event(TOKEN, "u1", "i-1"), event(TOKEN, "u1", "i 2")]),
    )
    .await;
    assert_eq!(post(&world, "/engage", &json!([profile("a")])).await.0, 503);
    post(&world, "/engage", &json!([profile("b")])).await;
    post(&world, "/track", &json!([event("other-token", "u2", "i-3")])).await;
    let seen = ingested(&world, "").await;
    let short = |line: &Value| {
        json!([line["seq"], line["index"], line["kind"], line["project"], line["stored"]])
    };
    assert_eq!(
        seen.iter().map(short).collect::<Vec<_>>(),
        [
            json!([1, 0, "import", TOKEN, true]),
            json!([1, 1, "import", TOKEN, false]),
            json!([2, 0, "engage", TOKEN, false]),
            json!([3, 0, "engage", TOKEN, true]),
            json!([4, 0, "track", "other-token", true]),
        ]
    );
    assert_eq!(seen[2]["record"], profile("a"));
    let log = world.log().await;
    for line in &seen {
        let entry = log.iter().find(|entry| entry["seq"] == line["seq"]).unwrap();
        assert_eq!(line["ms"], entry["ms"]);
        assert_eq!(line["whole_ms"], entry["ingestion"]["whole_ms"]);
    }
    for (query, expected) in [
        ("?since=2", &seen[3..]),
        ("?kind=track", &seen[4..]),
        ("?project=other-token", &seen[4..]),
    ] {
        assert_eq!(ingested(&world, query).await, expected, "{query}");
    }
    assert_eq!(world.get("/_emulator/ingested?kind=trcak").await.status, 409);
}

#[tokio::test]
async fn records_that_were_not_kept_are_not_passed_over_in_silence() {
    for keep in [0, 1] {
        let world = keeping(keep).await;
        post(&world, "/track", &json!([event(TOKEN, "u1", "1"), event(TOKEN, "u1", "2")])).await;
        let answer = world.get("/_emulator/ingested").await;
        assert_eq!(answer.status, 409);
        assert!(answer.text().contains("keep_records"), "{}", answer.text());
        assert_eq!(counts(&world).await["arrived"], 2);
        world.command("settings", &json!({"keep_records": 5})).await;
        world.command("reset", &Value::Null).await;
        assert_eq!(ingested(&world, "").await, [] as [Value; 0]);
    }
}

#[tokio::test]
async fn repeats_are_one_event() {
    let world = World::with(swift()).await;
    let events = json!([event(TOKEN, "u1", "i-1"), event(TOKEN, "u1", "i-2")]);
    post(&world, "/import", &events).await;
    post(&world, "/import", &events).await;
    post(&world, "/track", &json!([event(TOKEN, "u2", "i-1")])).await;
    let counts = counts(&world).await;
    assert_eq!((&counts["stored"], &counts["distinct"]), (&json!(5), &json!(3)));
}

#[tokio::test]
async fn what_an_unknown_token_brings_is_taken_and_not_stored() {
    let world = keeping(10).await;
    let mut record = event("unknown", "u1", "i-1");
    record["$token"] = json!("unknown");
    record["$distinct_id"] = json!("u1");
    record["$set"] = json!({"plan": "pro"});
    for path in ["/track?verbose=1", "/engage?verbose=1"] {
        assert_eq!(post(&world, path, &json!([record])).await.1["status"], 1);
    }
    assert!(ingested(&world, "").await.iter().all(|line| line["stored"] == false));
}

#[tokio::test]
async fn events_that_are_not_stored_still_count() {
    let world =
        World::with(Settings { store_events: mixpanel_emulator::forms::Toggle::Off, ..swift() })
            .await;
    post(&world, "/track", &json!([event(TOKEN, "u1", "i-1")])).await;
    assert_eq!(counts(&world).await["stored"], 1);
    assert_eq!(world.stats().await["people"]["stored"], 0);
}

#[tokio::test]
async fn the_largest_body_is_a_setting() {
    let world = World::with(Settings { ingestion_bytes: 400, ..swift() }).await;
    let events: Vec<Value> = (0..9).map(|n| event(TOKEN, "u1", &format!("i-{n}"))).collect();
    let (status, body) = post(&world, "/import?strict=1", &json!(events)).await;
    assert_eq!((status, &body["code"]), (413, &json!(413)));
    assert_eq!(body["error"], "request exceeds max limit of 400 bytes");
    assert_eq!(post(&world, "/import?strict=1", &json!(events[..1])).await.0, 200);
}

/// The indices that a strict import of four events names as failed under a rule.
async fn failed(rule: Value) -> Vec<u64> {
    let world = keeping(10).await;
    world.command("faults", &rule).await;
    let mut events = ["u1", "u2", "u1", "u3"].map(|id| event(TOKEN, id, id));
    events[3]["properties"]["$fail"] = json!(true);
    let (_, body) = post(&world, "/import?strict=1", &json!(events)).await;
    let failed = body["failed_records"].as_array().cloned().unwrap_or_default();
    let stored = ingested(&world, "").await;
    let stored = stored.iter().filter(|line| line["stored"] == true).count();
    assert_eq!(stored + failed.len(), 4, "{rule}");
    failed.iter().map(|record| record["index"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn records_can_be_refused_by_mark_by_person_and_by_number() {
    for (rule, indices) in [
        (json!({"fault": "bad-records"}), vec![3]),
        (json!({"fault": "bad-records", "ids": ["u1"]}), vec![0, 2]),
        (json!({"fault": "bad-records", "count": 2}), vec![1, 3]),
        (json!({"fault": "bad-records", "ids": ["u9"]}), vec![]),
    ] {
        assert_eq!(failed(rule.clone()).await, indices, "{rule}");
    }
}

#[tokio::test]
async fn a_call_can_be_refused_because_of_a_record_that_is_not_named() {
    let world = keeping(10).await;
    for (path, status, said) in [
        ("/import?strict=1", 400, json!("Bad Request")),
        ("/track?verbose=1", 200, json!(0)),
        ("/engage?verbose=1", 200, json!(0)),
    ] {
        let rule = json!({"fault": "bad-records", "ids": ["u1"], "status": status});
        world.command("faults", &rule).await;
        let mut record = event(TOKEN, "u1", "i-1");
        record["$distinct_id"] = json!("u1");
        let (seen, body) = post(&world, path, &json!([record, event(TOKEN, "u2", "i-2")])).await;
        assert_eq!((seen, &body["status"]), (status, &said), "{path}");
        assert!(body.get("failed_records").is_none());
        world.call("DELETE", "/_emulator/faults", &[], b"").await.unwrap();
    }
    assert_eq!(counts(&world).await["stored"], 0);
    assert_eq!(world.log().await[0]["fault"], "bad-records");
}

#[tokio::test]
async fn a_rule_for_one_project_finds_it_in_credentials_and_records() {
    let world = keeping(10).await;
    let rule = json!({"fault": "status", "status": 429, "body": "api", "project": "other-token"});
    world.command("faults", &rule).await;
    let (status, body) = post(&world, "/track", &json!([event("other-token", "u1", "1")])).await;
    assert_eq!((status, &body["code"]), (429, &json!(429)));
    assert_eq!(post(&world, "/track", &json!([event(TOKEN, "u1", "1")])).await.0, 200);
    assert_eq!(post(&world, "/import", &json!([event("other-token", "u1", "1")])).await.0, 200);
}

#[tokio::test]
async fn a_body_that_is_read_slowly_arrives_late() {
    let world = World::with(swift()).await;
    let rule = json!({"match": "track", "fault": "slow-read", "seconds": 0.1, "times": 1});
    world.command("faults", &rule).await;
    for slow in [true, false] {
        post(&world, "/track", &json!([event(TOKEN, "u1", "i-1")])).await;
        let entries = world.log().await;
        let entry = entries.last().unwrap();
        let took = entry["ingestion"]["whole_ms"].as_f64().unwrap() - entry["ms"].as_f64().unwrap();
        assert_eq!(took >= 100.0, slow, "{took}");
    }
}
