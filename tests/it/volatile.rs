//! A Redis that forgets what it accepted is not worked on.

use crate::world::{World, document, free_port};

#[tokio::test]
async fn a_redis_that_may_forget_is_refused_unless_that_is_allowed() {
    let mut world = World::new().await;
    let settings: [(&str, &str, &str, &str); 4] = [
        ("appendfsync", "everysec", "always", "appendfsync everysec"),
        ("appendfsync", "no", "always", "appendfsync no"),
        ("appendonly", "no", "yes", "no append-only file"),
        ("maxmemory-policy", "allkeys-lru", "noeviction", "requests vanish"),
    ];
    let _: () = world.ask(&["CONFIG", "SET", "maxmemory", "1gb"]).await;
    for (name, bad, good, told) in settings {
        let _: () = world.ask(&["CONFIG", "SET", name, bad]).await;
        let (code, _, error) = world.command(&["run"]).await;
        assert_eq!(code, 1, "{error}");
        for part in [told, "expected", "CONFIG SET", "--allow-volatile"] {
            assert!(error.contains(part), "{part}: {error}");
        }
        let (code, text, _) = world.command(&["check"]).await;
        assert!(code == 1 && text.contains(told), "{text}");
        let _: () = world.ask(&["CONFIG", "SET", name, good]).await;
    }
    let _: () = world.ask(&["CONFIG", "SET", "appendfsync", "everysec"]).await;
    world.set("GDPR_ALLOW_VOLATILE", "true");
    let worker = world.worker().await;
    assert!(worker.log().contains("GDPR_ALLOW_VOLATILE is set"));
    let id = world.add(&document("deletion", &["u-1"])).await;
    world.until(&id, "completed").await;
}

#[tokio::test]
async fn a_redis_that_comes_back_forgetful_stops_calls_until_it_is_mended() {
    let mut world = World::new().await;
    let listen = format!("127.0.0.1:{}", free_port());
    world.set("GDPR_LISTEN", &listen);
    let worker = world.worker().await;
    let first = world.add(&document("deletion", &["u-1"])).await;
    world.until(&first, "completed").await;

    world.redis.kill();
    world.redis.restart_with(&["--appendfsync", "everysec"]);
    let second = world.add(&document("deletion", &["u-2"])).await;
    let event = r#"{"event":"Later","properties":{"distinct_id":"u-3"}}"#;
    world.put("event", event).await;
    world.until(&second, "queued").await;
    worker.until_logged("calls are stopped").await;
    let (code, text, _) = world.command(&["health"]).await;
    assert!(code == 1 && text.contains("calls are stopped") && text.contains("everysec"), "{text}");
    assert_eq!(world.emulator.created("create-deletion").await.len(), 1);
    assert_eq!(world.status(&second).await, "queued");
    assert!(world.records("Later").await.is_empty());

    let _: () = world.ask(&["CONFIG", "SET", "appendfsync", "always"]).await;
    world.until(&second, "completed").await;
    world.until_records("Later", 1).await;
    let (code, text, _) = world.command(&["health"]).await;
    assert_eq!(code, 0, "{text}");
}
