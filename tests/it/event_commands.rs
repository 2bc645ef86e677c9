//! The commands about events, consents and tags.

use gdpr_jobs::Pepper;
use gdpr_worker::ledger::{EventKind, RefusedEvent, Vault};
use redis::streams::StreamRangeReply;
use serde_json::{Value, json};

use crate::world::{PEPPER, World, document};

/// The entries of a stream of the project, field by field.
async fn entries(world: &World, stream: &str) -> Vec<Vec<(String, String)>> {
    let reply: StreamRangeReply =
        world.ask(&["XRANGE", &format!("gdpr:{{default}}:{stream}"), "-", "+"]).await;
    let entries = reply.ids.into_iter().map(|entry| {
        let mut fields: Vec<_> = entry
            .map
            .into_iter()
            .map(|(name, value)| (name, redis::from_redis_value(value).unwrap()))
            .collect();
        fields.sort_unstable();
        fields
    });
    entries.collect()
}

fn records(payload: &str) -> Vec<Value> {
    match serde_json::from_str(payload).unwrap() {
        Value::Array(records) => records,
        record => vec![record],
    }
}

#[tokio::test]
async fn the_events_in_a_file_are_put_on_the_stream_and_bad_lines_are_named_by_number_only() {
    let world = World::new().await;
    let event = |n: usize| json!({ "event": "Read", "properties": { "distinct_id": format!("user-{n}"), "$insert_id": n, "time": 1 } });
    let lines: Vec<String> = (0..4_500).map(|n| event(n).to_string()).collect();
    let mut text = lines.join("\n") + "\n";
    text.push_str("\n{\"event\":\"secret@example.test\"}\nno JSON, secret@example.test\n");
    text.push_str(&event(4_500).to_string());
    let (code, out, err) = world.command_with(&["events", "-", "--json"], &text).await;
    assert_eq!(code, 1, "a refused line is a failure: {err}");
    assert!(!format!("{out}{err}").contains("secret@"), "{out}{err}");
    let told: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [first, second, counts] = told.as_slice() else { panic!("{out}") };
    assert_eq!([&first["line"], &second["line"]], [4_502, 4_503]);
    assert_eq!(counts, &json!({ "sent": 4_501, "refused": 2 }));
    let sent: Vec<Value> = entries(&world, "events")
        .await
        .iter()
        .flat_map(|fields| {
            let [(field, payload)] = fields.as_slice() else { panic!("{} fields", fields.len()) };
            assert_eq!(field, "event");
            records(payload)
        })
        .collect();
    assert!(sent.iter().eq((0..=4_500).map(event).collect::<Vec<_>>().iter()));
}

#[tokio::test]
async fn profile_updates_come_from_a_file_too_and_may_forbid_a_place() {
    let world = World::new().await;
    let update = r#"{"$distinct_id":"user-001","$set":{"plan":"pro"}}"#;
    let file = world.folder().join("profiles.ndjson");
    std::fs::write(&file, format!("{update}\r\n")).unwrap();
    let args = ["events", "--profiles", "--without-geolocation", file.to_str().unwrap()];
    let (code, out, err) = world.command(&args).await;
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("sent") && out.contains('1'), "{out}");
    let expected = [("geolocation", "off"), ("profile", update)];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(entries(&world, "events").await, [expected]);
    // Without the flag it is taken for an event, and refused.
    assert_eq!(world.command(&["events", file.to_str().unwrap()]).await.0, 1);
    assert_eq!(world.command(&["events", "no-such-file"]).await.0, 1);
}

#[tokio::test]
async fn tag_and_consent_tell_how_a_person_is_named_and_whether_they_may_be_tracked() {
    let mut world = World::new().await;
    let _worker = world.worker().await;
    let out_of_it = world.add(&document("opt_out", &["user-001"])).await;
    let hash = world.until(&out_of_it, "completed").await;
    let (code, tag, _) = world.command(&["tag", "user-001"]).await;
    assert_eq!((code, tag.trim()), (0, hash["tags"].as_str()));
    assert_eq!(tag.trim(), "vxfjqgbinzns6z4jhbw4cy7b7a");

    let ask = ["consent", "user-001", "user-002", "--json"];
    let rows = async |world: &World| {
        let (code, out, err) = world.command(&ask).await;
        assert_eq!(code, 0, "{err}");
        assert!(!out.contains("user-00"), "{out}");
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
    };
    let told = rows(&world).await;
    assert_eq!(told[0]["tag"], tag.trim());
    assert_eq!([&told[0]["consent"], &told[0]["tracking"]], ["opted_out", "forbidden"]);
    assert!(told[0]["since"].as_str().unwrap().starts_with("20"));
    assert_eq!([&told[1]["consent"], &told[1]["tracking"]], ["default", "allowed"]);
    world.set("GDPR_CONSENT_DEFAULT", "opted_out");
    let told = rows(&world).await;
    assert_eq!([&told[1]["consent"], &told[1]["tracking"]], ["default", "forbidden"]);
    let (_, table, _) = world.command(&ask[..3]).await;
    assert!(table.starts_with("TAG") && table.contains("opted_out"), "{table}");

    // A tag needs no Redis; without the pepper there is none.
    world.set("GDPR_REDIS_URL", "redis://127.0.0.1:1");
    let (code, out, _) = world.command(&["tag", "user-001", "user-001"]).await;
    assert_eq!((code, out), (0, tag.repeat(2)));
    world.unset("GDPR_PEPPER");
    let (code, _, err) = world.command(&["tag", "user-001"]).await;
    assert!(code == 1 && err.contains("GDPR_PEPPER"), "{err}");
}

/// Refuses a record, as the worker does; returns the entry.
async fn refuse(world: &World, vault: &Vault, kind: EventKind, record: &str, off: bool) -> String {
    let source = "1795000000000-0-0";
    let refused = RefusedEvent {
        kind,
        reason: "Mixpanel refused it".to_owned(),
        field: Some("properties.time".to_owned()),
        source: source.to_owned(),
        tags: vec!["vxfjqgbinzns6z4jhbw4cy7b7a".to_owned()],
        geolocation_off: off,
        sealed: vault.seal_bytes(source, record.as_bytes()).unwrap(),
        at: "2026-01-31T09:30:00Z".to_owned(),
    };
    let mut command = redis::cmd("XADD");
    command.arg("gdpr:{default}:events:refused").arg("*").arg(refused.fields());
    command.query_async(&mut world.redis.connect().await).await.unwrap()
}

fn vault() -> Vault {
    Vault::new(&Pepper::new(PEPPER.to_owned().into()).unwrap(), &"default".parse().unwrap())
}

#[tokio::test]
async fn what_was_refused_is_listed_tried_again_or_dropped() {
    let world = World::new().await;
    assert_eq!(world.command(&["refused"]).await.0, 0);
    let event = r#"{"event":"e","properties":{"distinct_id":"user-001"}}"#;
    let update = r#"{"$distinct_id":"user-001","$set":{}}"#;
    let one = refuse(&world, &vault(), EventKind::Event, event, false).await;
    let two = refuse(&world, &vault(), EventKind::Profile, update, true).await;
    let three = refuse(&world, &vault(), EventKind::Event, event, false).await;

    let (code, out, _) = world.command(&["refused"]).await;
    assert!(code == 0 && !out.contains("user-001"), "{out}");
    assert!(out.lines().next().unwrap().contains("Mixpanel refused it (properties.time)"), "{out}");
    let (code, out, _) = world.command(&["refused", "--show", "--json"]).await;
    assert_eq!(code, 0);
    let rows: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids: Vec<_> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
    assert_eq!(ids, [&one, &two, &three]);
    assert_eq!(rows[1]["record"], serde_json::from_str::<Value>(update).unwrap());

    assert_eq!(world.command(&["refused", "--retry", &two, &one]).await.0, 0);
    let (code, out, _) = world.command(&["refused", "--retry", &two]).await;
    assert!(code == 1 && out.contains("no such entry"), "{out}");
    let on_the_stream = entries(&world, "events").await;
    assert_eq!(on_the_stream.len(), 2, "once each");
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(on_the_stream[0], [field("geolocation", "off"), field("profile", update)]);
    assert_eq!(on_the_stream[1], [field("event", event)]);

    assert_eq!(world.command(&["refused", "--drop", &three, "1-1"]).await.0, 1);
    let left: u64 = world.ask(&["XLEN", "gdpr:{default}:events:refused"]).await;
    assert_eq!(left, 0);
}

#[tokio::test]
async fn all_of_them_are_tried_again_but_those_that_cannot_be_opened_or_read() {
    let world = World::new().await;
    let pepper = Pepper::new("another pepper of more than 32 bytes".to_owned().into()).unwrap();
    let foreign = Vault::new(&pepper, &"default".parse().unwrap());
    let sealed = refuse(&world, &foreign, EventKind::Event, "{}", false).await;
    let _: String = world.ask(&["XADD", "gdpr:{default}:events:refused", "*", "kind", "?"]).await;
    for n in 0..120 {
        refuse(&world, &vault(), EventKind::Event, &n.to_string(), false).await;
    }
    let (code, out, _) = world.command(&["refused", "--retry", "all"]).await;
    assert_eq!(code, 1);
    let told = out.lines().next().unwrap();
    assert!(told.contains(&sealed) && told.contains("GDPR_PEPPER"), "{told}");
    let sent: Vec<_> =
        entries(&world, "events").await.into_iter().map(|mut fields| fields.remove(0).1).collect();
    assert_eq!(sent, (0..120).map(|n| n.to_string()).collect::<Vec<_>>());
    // The listing tells of both, and --drop removes them.
    assert_eq!(world.command(&["refused", "--show"]).await.0, 1);
    assert_eq!(world.command(&["refused", "--drop", "all"]).await.0, 0);
    let left: u64 = world.ask(&["XLEN", "gdpr:{default}:events:refused"]).await;
    assert_eq!(left, 0);
}
