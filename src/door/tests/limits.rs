//! What the door does not take, and that it says so instead of losing it.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};

use super::rig::{Rig, config, event};
use crate::config::DoorConfig;

fn many(count: usize) -> String {
    Value::Array(vec![event("A"); count]).to_string()
}

#[tokio::test]
async fn a_large_call_becomes_several_entries() {
    let rig = Rig::new().await;
    assert_eq!(rig.post("/track", many(2_000)).await.plain(), (200, "1"));
    let sizes: Vec<usize> = rig
        .entries("web")
        .await
        .iter()
        .map(|entry| serde_json::from_str::<Vec<Value>>(&entry["event"]).unwrap().len())
        .collect();
    assert_eq!(sizes, [500, 500, 500, 500]);
    assert!(
        rig.counters
            .prometheus()
            .contains("gdpr_door_records_total{project=\"web\",kind=\"event\"} 2000")
    );
}

#[tokio::test]
async fn too_much_at_once_is_413_packed_or_not() {
    let rig = Rig::with(DoorConfig { body_max: 100_000, ..config() }).await;
    let answer = rig.post("/import?strict=1", " ".repeat(100_001)).await;
    assert_eq!(answer.status, 413);
    assert_eq!(
        answer.json(),
        json!({
            "code": 413, "error": "request exceeds max limit of 100000 bytes", "status": "Request Entity Too Large",
        })
    );
    let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
    bomb.write_all(&vec![b' '; 50_000_000]).unwrap();
    let bomb = bomb.finish().unwrap();
    assert!(bomb.len() < 100_000);
    let answer = rig.post_with("/track?verbose=1", &[("content-encoding", "gzip")], bomb).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["status"]), (413, &json!(0)));
    let numbers = format!("[{}]", vec!["1"; 2_001].join(","));
    assert_eq!(rig.post("/track", numbers).await.plain(), (413, "0"));
    assert!(rig.entries("web").await.is_empty());
}

#[tokio::test]
async fn a_project_over_its_rate_is_told_when_to_come_again() {
    let rig = Rig::with(DoorConfig { rate: 10, ..config() }).await;
    assert_eq!(rig.post("/track", many(1_000)).await.plain(), (200, "1"));
    let answer = rig.post("/track", many(1)).await;
    assert_eq!(answer.plain(), (429, "0"));
    let seconds: u64 = answer.header("retry-after").parse().unwrap();
    // 1,000 records less two seconds' worth are paid for in 98 s.
    assert!((90..=99).contains(&seconds), "{seconds}");
    let of_app = json!({"event": "B", "properties": {"token": "app-token"}}).to_string();
    assert_eq!(rig.post("/track", of_app).await.plain(), (200, "1"));
    let import = rig
        .post(
            "/import",
            json!({"event": "A", "properties": {
        "token": "web-token", "time": 1_700_000_000, "$insert_id": "i"}})
            .to_string(),
        )
        .await;
    assert_eq!(import.json()["code"], 429);
}

#[tokio::test]
async fn when_too_much_waits_for_delivery_nothing_is_taken_until_there_is_room() {
    let rig = Rig::with(DoorConfig { backlog: 2, ..config() }).await;
    let _: Vec<String> = vec![
        rig.ask(&["XADD", "gdpr:{web}:events", "*", "event", "{}"]).await,
        rig.ask(&["XADD", "gdpr:{web}:events", "*", "event", "{}"]).await,
    ];
    let answer = rig.post("/track", many(1)).await;
    assert_eq!((answer.plain(), answer.header("retry-after")), ((429, "0"), "5"));
    assert_eq!(rig.entries("web").await.len(), 2);
    let _: i64 = rig.ask(&["XTRIM", "gdpr:{web}:events", "MAXLEN", "0"]).await;
    // The length that was seen counts for a moment.
    while rig.post("/track", many(1)).await.status != 200 {}
    assert_eq!(rig.records("web", "event").await, [event("A")]);
}

#[tokio::test]
async fn what_redis_does_not_take_is_503_and_never_1() {
    let rig = Rig::new().await;
    let _: String = rig.ask(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let both =
        json!([event("A"), {"event": "B", "properties": {"token": "app-token"}}]).to_string();
    let answer = rig.post("/track", both.clone()).await;
    assert_eq!((answer.plain(), answer.header("retry-after")), ((503, "0"), "1"));
    for project in ["web", "app"] {
        assert!(rig.entries(project).await.is_empty());
    }
    let _: String = rig.ask(&["CONFIG", "SET", "maxmemory", "0"]).await;
    assert_eq!(rig.post("/track", both).await.plain(), (200, "1"));
}

#[tokio::test]
async fn without_redis_nothing_is_taken() {
    let mut rig = Rig::new().await;
    rig.redis_server.kill();
    let answer = rig.post("/track?verbose=1", many(1)).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["status"]), (503, &json!(0)));
    assert!(!answer.text().contains("u1"));
}
