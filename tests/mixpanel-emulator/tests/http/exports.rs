//! What retrievals deliver and how links live and die.

use mixpanel_emulator::Settings;
use serde_json::{Value, json};

use crate::client::{BEARER, DELETIONS, RETRIEVALS, World, swift};

fn lines(body: &str) -> Vec<Value> {
    body.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn an_unknown_person_has_made_up_data_that_stays_the_same() {
    let world = World::with(Settings { invent: 7, ..swift() }).await;
    let first = world.get(&world.retrieved(&["u1", "u2"]).await).await.text();
    assert_eq!(lines(&first).len(), 2 * (7 + 1));
    let second = world.get(&world.retrieved(&["u1", "u2"]).await).await.text();
    assert_eq!(first, second);
    let person = world.get("/_emulator/person?id=u1").await.text();
    assert!(person.lines().count() == 8 && person.lines().all(|line| first.contains(line)));
}

#[tokio::test]
async fn with_nothing_invented_an_unknown_person_has_no_data() {
    let world = World::with(Settings { invent: 0, ..swift() }).await;
    assert_eq!(world.get(&world.retrieved(&["u1"]).await).await.text(), "");
}

#[tokio::test]
async fn a_finished_deletion_removes_the_person_but_not_exports_made_before() {
    let world = World::with(swift()).await;
    let before = world.retrieved(&["u1", "u2"]).await;
    let deletion = world.created(DELETIONS, &["u1"]).await;
    assert_eq!(world.poll(DELETIONS, &deletion).await["status"], "SUCCESS");
    assert!(world.get(&before).await.text().contains(r#""distinct_id":"u1""#));
    let after = world.get(&world.retrieved(&["u1", "u2"]).await).await.text();
    assert!(!after.contains(r#""u1""#) && after.contains(r#""distinct_id":"u2""#));
}

#[tokio::test]
async fn a_link_needs_no_credentials_and_credentials_on_it_are_counted() {
    let world = World::with(swift()).await;
    let link = world.retrieved(&["u1"]).await;
    assert_eq!(world.get(&link).await.status, 200);
    let headers = [("authorization", BEARER)];
    assert_eq!(world.call("GET", &link, &headers, b"").await.unwrap().status, 200);
    let stats = world.stats().await;
    assert_eq!(
        (stats["export_downloads"].clone(), stats["export_with_authorization"].clone()),
        (json!(2), json!(1))
    );
    assert_eq!(world.get("/exports/guessed").await.status, 404);
}

#[tokio::test]
async fn a_link_expires_and_the_next_poll_gives_a_fresh_one() {
    let world = World::with(Settings { link_seconds: 3600.0, ..swift() }).await;
    let id = world.created(RETRIEVALS, &["u1"]).await;
    let old = world.link(&id).await;
    assert_eq!(world.link(&id).await, old);
    world.command("clock", &json!({"advance_seconds": 3601})).await;
    assert_eq!(world.get(&old).await.status, 403);
    world.command("settings", &json!({"expired_status": 410})).await;
    assert_eq!(world.get(&old).await.status, 410);
    let fresh = world.link(&id).await;
    assert_ne!(fresh, old);
    assert_eq!(world.get(&fresh).await.status, 200);
}

#[tokio::test]
async fn a_retrieval_under_ccpa_holds_the_last_year_only() {
    let world = World::with(Settings { invent: 100, ..swift() }).await;
    let body =
        json!({"distinct_ids": ["u1"], "compliance_type": "CCPA", "disclosure_type": "Data"});
    let answer = world.gdpr("POST", RETRIEVALS, &body).await.unwrap().json();
    let id = answer["results"][0]["tracking_id"].as_str().unwrap();
    let text = world.get(&world.link(id).await).await.text();
    let count = lines(&text).len();
    assert!(count > 20 && count < 101, "{count}");
}

#[tokio::test]
async fn the_format_can_be_changed_for_the_next_export() {
    let world = World::with(swift()).await;
    for (format, magic) in [
        ("ndjson", b"{".as_slice()),
        ("array", b"["),
        ("pretty", b"["),
        ("gzip", b"\x1f\x8b"),
        ("zstd", b"\x28\xb5\x2f\xfd"),
        ("csv", b"\"$distinct_id\","),
        ("zip", b"PK\x03\x04"),
        ("zip-password", b"PK\x03\x04"),
        ("zip-aes", b"PK\x03\x04"),
        ("zip-gzip", b"PK\x03\x04"),
    ] {
        world.command("settings", &json!({"export_format": format})).await;
        let export = world.get(&world.retrieved(&["u1"]).await).await;
        assert!(export.body.starts_with(magic), "{format}");
    }
}

#[tokio::test]
async fn a_download_can_break_off_in_the_middle_and_be_repeated() {
    let world = World::with(swift()).await;
    world.command("faults", &json!({"match": "export", "fault": "truncate", "times": 1})).await;
    let link = world.retrieved(&["u1"]).await;
    let broken = world.get(&link).await;
    let whole = world.get(&link).await;
    assert!(!broken.whole && whole.whole);
    assert!(whole.body.starts_with(&broken.body) && broken.body.len() < whole.body.len());
}
