//! How exports are served: whole, on from the middle, with checksums, and wrongly on command.

use mixpanel_emulator::Settings;
use mixpanel_emulator::forms::{ExportFormat, Toggle};
use serde_json::{Value, json};

use crate::client::{Answer, World, swift};

async fn from(world: &World, link: &str, first: usize, etag: Option<&str>) -> Answer {
    let range = format!("bytes={first}-");
    let mut headers = vec![("range", range.as_str())];
    headers.extend(etag.map(|etag| ("if-range", etag)));
    world.call("GET", link, &headers, b"").await.unwrap()
}

/// A world with a rule for downloads.
async fn faulty(settings: Settings, mut rule: Value) -> World {
    let world = World::with(settings).await;
    rule["match"] = json!("export");
    world.command("faults", &rule).await;
    world
}

#[tokio::test]
async fn a_download_goes_on_in_the_same_bytes_even_of_a_sealed_export() {
    for export_format in [ExportFormat::Ndjson, ExportFormat::ZipPassword, ExportFormat::ZipAes] {
        let rule = json!({"fault": "cut", "bytes": 100, "times": 1});
        let world = faulty(Settings { export_format, ..swift() }, rule).await;
        let link = world.retrieved(&["u1"]).await;
        let cut = world.get(&link).await;
        assert!(!cut.whole && cut.body.len() == 100);
        let rest = from(&world, &link, 100, cut.header("etag")).await;
        assert_eq!((rest.status, rest.whole), (206, true));
        let whole = world.get(&link).await;
        assert_eq!([cut.body, rest.body].concat(), whole.body);
        assert_eq!(
            world.log().await.iter().filter(|call| call["range"] == "bytes=100-").count(),
            1
        );
    }
}

#[tokio::test]
async fn another_version_or_a_store_without_ranges_gives_the_whole() {
    let world = World::with(swift()).await;
    let link = world.retrieved(&["u1"]).await;
    let etag = world.get(&link).await.header("etag").unwrap().to_owned();
    assert_eq!(from(&world, &link, 10, Some(&etag)).await.status, 206);
    assert_eq!(from(&world, &link, 10, Some("\"other\"")).await.status, 200);
    assert_eq!(from(&world, &link, 1_000_000, None).await.status, 416);
    for fault in ["new-etag", "no-ranges"] {
        world.command("faults", &json!({"match": "export", "fault": fault, "times": 1})).await;
        assert_eq!(from(&world, &link, 10, Some(&etag)).await.status, 200, "{fault}");
        assert_eq!(from(&world, &link, 10, Some(&etag)).await.status, 206, "{fault}");
    }
    world.command("settings", &json!({"export_ranges": "off"})).await;
    assert_eq!(from(&world, &link, 10, Some(&etag)).await.status, 200);
}

#[tokio::test]
async fn checksums_are_told_if_asked_to_and_wrong_on_command() {
    let settings = Settings { export_checksums: Toggle::On, ..swift() };
    let world = faulty(settings, json!({"fault": "wrong-checksum", "skip": 1, "times": 1})).await;
    let link = world.retrieved(&["u1"]).await;
    let (right, wrong) = (world.get(&link).await, world.get(&link).await);
    assert_eq!(right.body, wrong.body);
    for header in ["content-md5", "x-goog-hash", "repr-digest"] {
        assert!(right.header(header).is_some());
        assert_ne!(right.header(header), wrong.header(header));
    }
}

#[tokio::test]
async fn an_answer_can_stall_or_promise_too_much() {
    let rule = json!({"fault": "stall", "bytes": 7, "seconds": 0.05, "times": 1});
    let world = faulty(swift(), rule).await;
    let link = world.retrieved(&["u1"]).await;
    let stalled = world.get(&link).await;
    assert_eq!((stalled.whole, stalled.body.len()), (false, 7));
    let rule = json!({"match": "export", "fault": "wrong-length", "bytes": 5, "times": 1});
    world.command("faults", &rule).await;
    let (short, right) = (world.get(&link).await, world.get(&link).await);
    assert!(!short.whole && right.whole && short.body == right.body);
}

#[tokio::test]
async fn the_content_can_be_wrong_on_command() {
    let tainted = async |rule: Value| {
        let world = faulty(swift(), rule).await;
        let link = world.retrieved(&["u1", "u2"]).await;
        let answer = world.get(&link).await;
        world.call("DELETE", "/_emulator/faults", &[], b"").await.unwrap();
        (answer.body, world.get(&link).await.body)
    };
    let lines = |body: &[u8]| body.split(|byte| *byte == b'\n').count();

    let (stray, plain) = tainted(json!({"fault": "stray", "count": 3})).await;
    assert_eq!(lines(&stray), lines(&plain) + 3);
    assert!(String::from_utf8_lossy(&stray).contains(r#""distinct_id":"stray-2""#));
    let (ambiguous, _) = tainted(json!({"fault": "ambiguous"})).await;
    assert!(String::from_utf8_lossy(&ambiguous).contains(r#""$user_id":"u2""#));
    let (corrupt, plain) = tainted(json!({"fault": "corrupt"})).await;
    assert!(corrupt.len() == plain.len() && corrupt != plain);
    let (bomb, _) = tainted(json!({"fault": "bomb", "bytes": 10_000_000})).await;
    assert!(bomb.starts_with(b"\x1f\x8b") && bomb.len() < 100_000);
}
