//! The client against the emulator: what each of its answers comes to.

use mixpanel_emulator::{Config, Running, Settings, start};
use serde_json::{Value, json};

use super::*;

struct World {
    emulator: Running,
    client: Ingestion,
}

impl World {
    async fn start() -> Self {
        let settings = Settings { keep_records: 1000, ..Settings::default() };
        let emulator = start(Config { settings, ..Config::default() }).await.unwrap();
        let timeouts = Timeouts { total: Duration::from_secs(10), ..Timeouts::default() };
        let client = client_with(&emulator.url(), TOKEN, timeouts);
        Self { emulator, client }
    }

    /// An emulator with one fault.
    async fn with(fault: Value) -> Self {
        let world = Self::start().await;
        let answer = reqwest::Client::new()
            .post(format!("{}/_emulator/faults", world.emulator.url()))
            .json(&fault);
        assert_eq!(answer.send().await.unwrap().status(), 201, "{fault}");
        world
    }

    async fn get(&self, path: &str) -> String {
        let url = format!("{}/_emulator/{path}", self.emulator.url());
        reqwest::get(url).await.unwrap().text().await.unwrap()
    }

    async fn log(&self) -> Vec<Value> {
        let lines = self.get("log").await;
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// The delivery of three events under a fault.
async fn under(fault: Value) -> Delivery {
    let world = World::with(fault).await;
    world.client.send(&events(Channel::Import, &["i-1", "i-2", "i-3"]), soon()).await
}

fn unavailable(why: Outage) -> Delivery {
    Delivery::Unavailable { why, sent: true }
}

#[tokio::test]
async fn every_channel_is_accepted_and_what_arrives_is_what_was_sent() {
    let world = World::start().await;
    let profile = format!(r#"{{"$token":"{TOKEN}","$distinct_id":"u1","$set":{{"plan":"pro"}}}}"#);
    let parcels = [
        events(Channel::Import, &["i-1", "i-2"]),
        events(Channel::Track, &["i-3"]),
        parcel(Channel::Engage, [profile]),
    ];
    for parcel in &parcels {
        let delivery = world.client.send(parcel, soon()).await;
        assert_eq!(delivery, Delivery::Accepted { uncounted: 0 });
    }
    let arrived = world.get("ingested").await;
    let arrived = arrived.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let sent = parcels.iter().flat_map(Parcel::records);
    let sent = sent.map(|record| serde_json::from_slice::<Value>(record).unwrap());
    assert_eq!(
        arrived.map(|line| line["record"].clone()).collect::<Vec<_>>(),
        sent.collect::<Vec<_>>()
    );
    let flags = world.log().await.into_iter().map(|entry| {
        let call = &entry["ingestion"];
        json!([entry["kind"], call["ip"], call["strict"], call["verbose"], call["gzip"]])
    });
    assert_eq!(
        flags.collect::<Vec<_>>(),
        [
            json!(["import", "0", true, false, true]),
            json!(["track", "0", false, true, true]),
            json!(["engage", "0", false, true, false]),
        ]
    );
}

#[tokio::test]
async fn records_that_mixpanel_refuses_are_told_without_their_values() {
    let world = World::start().await;
    let bad = event("canary value");
    let parcel = parcel(Channel::Import, [event("i-1"), bad, event("i-2")]);
    let Delivery::Partly { refused } = world.client.send(&parcel, soon()).await else { panic!() };
    let [record] = refused.try_into().unwrap();
    assert_eq!((record.index, record.field.as_str()), (1, "properties.$insert_id"));
    assert!(record.reason.as_str().starts_with("$insert_id is invalid"), "{record:?}");
}

#[tokio::test]
async fn refused_records_on_command_are_told_without_their_values() {
    let world = World::with(json!({"match": "import", "fault": "bad-records", "count": 2})).await;
    let parcel = events(Channel::Import, &["i-1", "i-2", "i-3", "i-4"]);
    let delivery = world.client.send(&parcel, soon()).await;
    assert!(!format!("{delivery:?}").contains("canary-person"));
    let Delivery::Partly { refused } = delivery else { panic!() };
    assert_eq!(refused.iter().map(|record| record.index).collect::<Vec<_>>(), [1, 3]);
}

#[tokio::test]
async fn halving_finds_the_record_that_nobody_names() {
    for (channel, status) in [(Channel::Import, 400), (Channel::Track, 200)] {
        let world = World::with(json!({"fault": "bad-records", "status": status})).await;
        let bad = event("i-3").replace("\"time\"", "\"$fail\":true,\"time\"");
        let mut queue =
            vec![parcel(channel, [event("i-1"), event("i-2"), bad.clone(), event("i-4")])];
        let mut refused = Vec::new();
        while let Some(parcel) = queue.pop() {
            match world.client.send(&parcel, soon()).await {
                Delivery::Accepted { uncounted: 0 } => {}
                Delivery::Refused { .. } => match parcel.halves() {
                    Some((first, second)) => queue.extend([first, second]),
                    None => refused.extend_from_slice(parcel.records()),
                },
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(refused, [bad]);
        let stats: Value = serde_json::from_str(&world.get("stats").await).unwrap();
        assert_eq!(stats["ingested"]["stored"], 3, "{stats}");
    }
}

#[tokio::test]
async fn every_fault_has_its_delivery() {
    let server = |status| Outage::Server { status, retry_after: None };
    for (fault, expected) in [
        (json!({"fault": "status", "status": 503}), unavailable(server(503))),
        (json!({"fault": "act-then-status", "status": 502}), unavailable(server(502))),
        (
            json!({"fault": "status", "status": 401, "body": "api"}),
            Delivery::Unauthorized { status: 401 },
        ),
        (json!({"fault": "status", "status": 413, "body": "api"}), Delivery::TooLarge),
        (
            json!({"fault": "status", "status": 429, "body": "api"}),
            Delivery::Throttled { retry_after: None },
        ),
        (
            json!({"fault": "retry-after", "seconds": 7}),
            Delivery::Throttled { retry_after: Some(Duration::from_secs(7)) },
        ),
        (json!({"fault": "garbage"}), unavailable(Outage::Unreadable { status: 200 })),
        (json!({"fault": "truncate"}), unavailable(Outage::Unreadable { status: 200 })),
        (json!({"fault": "redirect"}), unavailable(Outage::Misdirected { status: 301 })),
        (json!({"fault": "close"}), unavailable(Outage::ConnectionLost)),
        (json!({"fault": "act-then-close"}), unavailable(Outage::ConnectionLost)),
        (json!({"fault": "slow", "seconds": 0.2}), Delivery::Accepted { uncounted: 0 }),
        (json!({"fault": "slow-read", "seconds": 0.1}), Delivery::Accepted { uncounted: 0 }),
    ] {
        assert_eq!(under(fault.clone()).await, expected, "{fault}");
    }
}

#[tokio::test]
async fn an_answer_that_never_comes_ends_with_the_deadline() {
    for fault in ["timeout", "act-then-timeout"] {
        let world = World::with(json!({"fault": fault})).await;
        let deadline = Instant::now() + Duration::from_millis(300);
        let delivery = world.client.send(&events(Channel::Track, &["i-1"]), deadline).await;
        assert_eq!(delivery, unavailable(Outage::Timeout));
        assert!(Instant::now() >= deadline);
    }
}

#[tokio::test]
async fn a_wrong_token_is_unauthorized() {
    let world = World::start().await;
    let client = client_with(&world.emulator.url(), "another", Timeouts::default());
    let delivery = client.send(&events(Channel::Import, &["i-1"]), soon()).await;
    assert_eq!(delivery, Delivery::Unauthorized { status: 401 });
}

#[tokio::test]
async fn a_parcel_over_the_servers_limit_is_too_large() {
    let world = World::start().await;
    let patch = reqwest::Client::new()
        .post(format!("{}/_emulator/settings", world.emulator.url()))
        .json(&json!({"ingestion_bytes": 300}));
    assert_eq!(patch.send().await.unwrap().status(), 200);
    let parcel = events(Channel::Import, &["i-1", "i-2", "i-3"]);
    assert_eq!(world.client.send(&parcel, soon()).await, Delivery::TooLarge);
    let (first, _) = parcel.halves().unwrap();
    assert_eq!(world.client.send(&first, soon()).await, Delivery::Accepted { uncounted: 0 });
}

#[tokio::test]
async fn a_repeat_is_recognised() {
    let world = World::start().await;
    let parcel = events(Channel::Import, &["i-1", "i-2"]);
    for _ in 0..2 {
        world.client.send(&parcel, soon()).await;
    }
    let stats: Value = serde_json::from_str(&world.get("stats").await).unwrap();
    assert_eq!(
        (&stats["ingested"]["stored"], &stats["ingested"]["distinct"]),
        (&json!(4), &json!(2))
    );
}
