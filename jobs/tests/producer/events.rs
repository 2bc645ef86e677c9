//! Events and profile updates.

use std::time::Duration;

use gdpr_jobs::{Event, EventError, EventSource, Producer, Profile};
use redis::{AsyncCommands, aio::MultiplexedConnection, streams::StreamRangeReply};
use serde_json::{Value, json};

use crate::{keys, project, redis_server::RedisServer};

pub(crate) fn event(distinct_id: &str) -> Event {
    Event::new(json!({ "event": "Sign Up", "properties": { "distinct_id": distinct_id } })).unwrap()
}

/// An event of about so many bytes.
fn large(number: usize, bytes: usize) -> Event {
    let properties = json!({ "distinct_id": number, "text": "x".repeat(bytes) });
    Event::new(json!({ "event": "Read", "properties": properties })).unwrap()
}

struct Entry {
    id: String,
    field: &'static str,
    payload: String,
    geolocation: Option<String>,
}

impl Entry {
    fn records(&self) -> Vec<Value> {
        match serde_json::from_str(&self.payload).unwrap() {
            Value::Array(records) => records,
            record => vec![record],
        }
    }
}

async fn entries(connection: &mut MultiplexedConnection) -> Vec<Entry> {
    let reply: StreamRangeReply = connection.xrange_all(keys().events()).await.unwrap();
    let entries = reply.ids.into_iter().map(|entry| {
        let mut fields = ["event", "profile"].into_iter();
        let (field, payload) = fields.find_map(|f| Some((f, entry.get(f)?))).unwrap();
        Entry { field, payload, geolocation: entry.get("geolocation"), id: entry.id }
    });
    entries.collect()
}

fn as_sent(event: &Event) -> Value {
    serde_json::from_str(event.as_json()).unwrap()
}

#[tokio::test]
async fn every_record_stands_where_its_source_says_in_order() {
    let redis = RedisServer::start().await;
    let mut connection = redis.connect().await;
    let producer = Producer::new(connection.clone(), &project());
    // Entries end by their number and by their size; there are several round trips.
    let mut events: Vec<_> = (0..1_300).map(|n| event(&format!("user-{n}"))).collect();
    events.extend((0..30).map(|n| large(n, 100_000)));
    events.push(large(0, 1_000_000));
    let outcomes = producer.events(&events).await;
    assert_eq!(outcomes.len(), events.len());

    let mut expected = Vec::new();
    let entries = entries(&mut connection).await;
    for entry in &entries {
        assert_eq!((entry.field, &entry.geolocation), ("event", &None));
        let records = entry.records();
        assert!(records.len() <= 500);
        assert!(records.len() == 1 || entry.payload.len() <= 256 * 1024);
        let places = records.into_iter().enumerate();
        expected.extend(places.map(|(n, record)| (format!("{}-{n}", entry.id), record)));
    }
    let told: Vec<_> = outcomes.iter().flatten().map(EventSource::to_string).collect();
    let given = told.into_iter().zip(events.iter().map(as_sent));
    assert!(given.eq(expected), "records differ from what was given");
    assert!(entries.len() < 30, "{} entries", entries.len());
    assert_eq!(producer.events(&[]).await, []);
}

#[tokio::test]
async fn a_profile_update_goes_under_its_own_field_and_may_forbid_a_place() {
    let redis = RedisServer::start().await;
    let mut connection = redis.connect().await;
    let producer = Producer::new(connection.clone(), &project());
    let update = json!({ "$distinct_id": "user-001", "$set": { "plan": "pro" } });
    let profiles = [Profile::new(&update).unwrap()];
    let outcomes = producer.clone().without_geolocation().profiles(&profiles).await;
    assert!(outcomes.iter().all(Result::is_ok));
    assert!(producer.profiles(&profiles).await.iter().all(Result::is_ok));
    let entries = entries(&mut connection).await;
    let [off, as_set] = entries.as_slice() else { panic!("{} entries", entries.len()) };
    assert_eq!((off.field, off.records()), ("profile", vec![update]));
    assert_eq!(off.geolocation.as_deref(), Some("off"));
    assert_eq!(as_set.geolocation, None);
}

#[tokio::test]
async fn after_a_lost_answer_the_repeat_carries_the_same_ids() {
    let redis = RedisServer::start().await;
    let mut admin = redis.connect().await;
    let impatient = redis.connect_with_timeout(Duration::from_millis(300)).await;
    let producer = Producer::new(impatient, &project());
    let events = [event("user-001")];
    let pause = redis::cmd("CLIENT").arg("PAUSE").arg(60_000).arg("WRITE").to_owned();
    pause.query_async::<()>(&mut admin).await.unwrap();
    let lost = producer.events(&events).await;
    assert!(matches!(lost[..], [Err(EventError::AnswerLost(_))]), "{lost:?}");
    redis::cmd("CLIENT").arg("UNPAUSE").query_async::<()>(&mut admin).await.unwrap();
    while producer.events(&events).await.iter().any(Result::is_err) {}
    let entries = entries(&mut admin).await;
    assert!(entries.len() >= 2);
    assert!(entries.iter().all(|entry| entry.records() == [as_sent(&events[0])]));
}

#[tokio::test]
async fn an_error_of_redis_is_told_for_each_record_without_quoting_it() {
    let redis = RedisServer::start_with(&["--rename-command", "XADD", ""]).await;
    let producer = Producer::new(redis.connect().await, &project());
    let events: Vec<_> = (0..600).map(|_| event("ada@example.test")).collect();
    let outcomes = producer.events(&events).await;
    assert_eq!(outcomes.len(), 600);
    for outcome in outcomes {
        let shown = format!("{outcome:?}");
        assert!(matches!(outcome, Err(EventError::Refused(_))), "{shown}");
        assert!(shown.contains("ERR") && !shown.contains("ada"), "{shown}");
    }
}

#[tokio::test]
async fn once_redis_is_gone_nothing_more_is_tried() {
    let redis = RedisServer::start().await;
    let producer = Producer::new(redis.connect().await, &project());
    redis.stop().await;
    let events: Vec<_> = (0..30).map(|n| large(n, 100_000)).collect();
    let outcomes = producer.events(&events).await;
    assert_eq!(outcomes.len(), 30);
    let failed =
        |o: &Result<_, _>| matches!(o, Err(EventError::AnswerLost(_) | EventError::NotSent(_)));
    assert!(outcomes.iter().all(failed));
    let last = outcomes.last().unwrap();
    assert!(matches!(last, Err(EventError::NotSent(_))), "{last:?}");
}
