//! The clients against a real Redis: here producer and reader of requests.
#![expect(clippy::unwrap_used, reason = "tests")]

mod consent;
mod events;
mod redis_server;

use std::time::Duration;

use chrono::Utc;
use gdpr_jobs::{
    DistinctId, Document, Enqueued, Keys, Kind, Producer, ProducerError, Project, Reader,
    ReaderError, Rejection, RequestId, Status,
};
use redis::{AsyncCommands, aio::MultiplexedConnection, streams::StreamRangeReply};

use redis_server::RedisServer;

fn project() -> Project {
    "default".parse().unwrap()
}

fn keys() -> Keys {
    Keys::new(&project())
}

fn id(id: &str) -> RequestId {
    id.parse().unwrap()
}

fn deletion(distinct_id: &str) -> Document {
    Document::new(Kind::Deletion, [DistinctId::new(distinct_id)])
}

fn named(request: &str) -> Document {
    deletion("user-001").with_id(id(request))
}

/// The entries of the request stream, by entry id, and the documents in them.
async fn stream(connection: &mut MultiplexedConnection) -> Vec<(String, Document)> {
    let reply: StreamRangeReply = connection.xrange_all(keys().requests()).await.unwrap();
    let entries = reply.ids.into_iter().map(|entry| {
        let json: String = entry.get("request").unwrap();
        (entry.id, Document::parse(json.as_bytes(), Utc::now()).unwrap())
    });
    entries.collect()
}

/// What the worker does when it takes an entry up: hash and deletion in one go.
async fn take_up(connection: &mut MultiplexedConnection, request: &str) {
    let note: String = connection.get(keys().enqueued(request)).await.unwrap();
    let mut script = redis::pipe();
    script.atomic().hset(keys().request(request), "status", "queued");
    script.xdel(keys().requests(), &[note]);
    script.query_async::<()>(connection).await.unwrap();
}

#[tokio::test]
async fn a_document_without_an_id_is_named_by_its_stream_entry() {
    let redis = RedisServer::start().await;
    let mut connection = redis.connect().await;
    let producer = Producer::new(connection.clone(), &project());
    let first = producer.enqueue(&deletion("user-001")).await.unwrap();
    let second = producer.enqueue(&deletion("user-001")).await.unwrap();
    let expected = [first, second].map(|enqueued| {
        assert!(matches!(enqueued, Enqueued::New(_)));
        (enqueued.id().to_string(), deletion("user-001"))
    });
    assert_eq!(stream(&mut connection).await, expected);
}

#[tokio::test]
async fn a_document_with_an_id_stands_on_the_stream_once() {
    let redis = RedisServer::start().await;
    let mut connection = redis.connect().await;
    let producer = Producer::new(connection.clone(), &project());
    let document = named("order-1");
    assert_eq!(producer.enqueue(&document).await, Ok(Enqueued::New(id("order-1"))));
    assert_eq!(producer.enqueue(&document).await, Ok(Enqueued::AlreadyKnown(id("order-1"))));
    let entries = stream(&mut connection).await;
    assert_eq!(entries.iter().map(|(_, document)| document).collect::<Vec<_>>(), [&document]);
    let life: i64 = connection.ttl(keys().enqueued("order-1")).await.unwrap();
    assert!((86_000..=86_400).contains(&life), "{life}");
}

#[tokio::test]
async fn of_many_who_enqueue_the_same_id_at_once_one_adds_it() {
    let redis = RedisServer::start().await;
    let mut connection = redis.connect().await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let producer = Producer::new(redis.connect().await, &project());
        tasks.spawn(async move { producer.enqueue(&named("order-1")).await.unwrap() });
    }
    let outcomes = tasks.join_all().await;
    assert_eq!(outcomes.iter().filter(|o| matches!(o, Enqueued::New(_))).count(), 1);
    assert_eq!(stream(&mut connection).await.len(), 1);
}

#[tokio::test]
async fn a_request_that_the_worker_took_up_is_known() {
    let redis = RedisServer::start().await;
    let mut connection = redis.connect().await;
    let producer = Producer::new(connection.clone(), &project());
    producer.enqueue(&named("order-1")).await.unwrap();
    take_up(&mut connection, "order-1").await;
    let known = Ok(Enqueued::AlreadyKnown(id("order-1")));
    assert_eq!(producer.enqueue(&named("order-1")).await, known);
    // The hash alone says so, too: the note lives for a day, the hash for years.
    let _: () = connection.del(keys().enqueued("order-1")).await.unwrap();
    assert_eq!(producer.enqueue(&named("order-1")).await, known);
    assert_eq!(stream(&mut connection).await, []);
}

#[tokio::test]
async fn the_correction_of_a_refused_document_is_new() {
    let redis = RedisServer::start().await;
    let mut connection = redis.connect().await;
    let producer = Producer::new(connection.clone(), &project());
    producer.enqueue(&named("order-1")).await.unwrap();
    let (entry, _) = stream(&mut connection).await.remove(0);
    let _: i64 = connection.xdel(keys().requests(), &[entry]).await.unwrap();
    assert_eq!(producer.enqueue(&named("order-1")).await, Ok(Enqueued::New(id("order-1"))));
    assert_eq!(stream(&mut connection).await.len(), 1);
}

#[tokio::test]
async fn a_document_that_breaks_a_rule_is_not_sent() {
    let redis = RedisServer::start().await;
    let mut connection = redis.connect().await;
    let producer = Producer::new(connection.clone(), &project());
    let refused = producer.enqueue(&deletion("null")).await;
    assert_eq!(refused, Err(ProducerError::Rejected(Rejection::ReservedId(0))));
    let keys: Vec<String> = connection.keys("*").await.unwrap();
    assert!(keys.is_empty());
}

#[tokio::test]
async fn after_a_lost_answer_the_repeat_adds_nothing() {
    let redis = RedisServer::start().await;
    let mut admin = redis.connect().await;
    let impatient = redis.connect_with_timeout(Duration::from_millis(300)).await;
    let producer = Producer::new(impatient, &project());
    let pause = redis::cmd("CLIENT").arg("PAUSE").arg(60_000).arg("WRITE").to_owned();
    pause.query_async::<()>(&mut admin).await.unwrap();
    let lost = producer.enqueue(&named("order-1")).await;
    assert!(matches!(lost, Err(ProducerError::AnswerLost(_))), "{lost:?}");
    redis::cmd("CLIENT").arg("UNPAUSE").query_async::<()>(&mut admin).await.unwrap();
    let mut repeated = producer.enqueue(&named("order-1")).await;
    while matches!(repeated, Err(ProducerError::AnswerLost(_))) {
        repeated = producer.enqueue(&named("order-1")).await;
    }
    // Commands of one connection run in order, so the lost one was first.
    assert_eq!(repeated, Ok(Enqueued::AlreadyKnown(id("order-1"))));
    assert_eq!(stream(&mut admin).await.len(), 1);
}

#[tokio::test]
async fn an_error_of_redis_is_told_without_quoting_the_document() {
    // An unknown command is answered with its arguments.
    let redis = RedisServer::start_with(&["--rename-command", "XADD", ""]).await;
    let producer = Producer::new(redis.connect().await, &project());
    for document in [deletion("ada@example.test"), deletion("ada@example.test").with_id(id("a"))] {
        let refused = producer.enqueue(&document).await.unwrap_err();
        let shown = format!("{refused} {refused:?}");
        assert!(matches!(refused, ProducerError::Refused(_)), "{shown}");
        assert!(shown.contains("ERR") && !shown.contains("ada"), "{shown}");
    }
}

#[tokio::test]
async fn many_documents_get_one_result_each_in_order() {
    let redis = RedisServer::start().await;
    let mut connection = redis.connect().await;
    let producer = Producer::new(connection.clone(), &project());
    let documents: Vec<_> = (0..1_200)
        .map(|n| match n {
            7 | 600 => deletion("anonymous"),
            8 | 900 => deletion(&format!("user-{n}")),
            _ => named(&format!("order-{}", n % 1_000)),
        })
        .collect();
    let outcomes = producer.enqueue_many(&documents).await;
    assert_eq!(outcomes.len(), documents.len());
    let entries = stream(&mut connection).await;
    // 1,000 names without 600 and 900, and two documents without a name.
    assert_eq!(entries.len(), 1_000);
    for (n, outcome) in outcomes.into_iter().enumerate() {
        let order = id(&format!("order-{}", n % 1_000));
        match n {
            7 | 600 => assert_eq!(outcome, Err(Rejection::ReservedId(0).into())),
            8 | 900 => {
                let entry = (outcome.unwrap().id().to_string(), deletion(&format!("user-{n}")));
                assert!(entries.contains(&entry));
            }
            // These two were refused or nameless the first time round.
            1_007 | 1_008 => assert_eq!(outcome, Ok(Enqueued::New(order))),
            1_000.. => assert_eq!(outcome, Ok(Enqueued::AlreadyKnown(order))),
            _ => assert_eq!(outcome, Ok(Enqueued::New(order))),
        }
    }
    assert_eq!(producer.enqueue_many(&[]).await, []);
}

#[tokio::test]
async fn one_refusal_of_redis_does_not_hide_the_results_of_the_others() {
    let redis = RedisServer::start().await;
    let mut connection = redis.connect().await;
    let _: () = connection.rpush(keys().enqueued("order-2"), "not a note").await.unwrap();
    let producer = Producer::new(connection.clone(), &project());
    let outcomes = producer.enqueue_many(&["order-1", "order-2", "order-3"].map(named)).await;
    let shape: Vec<_> = outcomes.iter().map(|o| matches!(o, Ok(Enqueued::New(_)))).collect();
    assert_eq!(shape, [true, false, true]);
    assert!(matches!(outcomes.get(1), Some(Err(ProducerError::Refused(_)))));
    assert_eq!(stream(&mut connection).await.len(), 2);
}

#[tokio::test]
async fn once_redis_is_gone_nothing_more_is_tried() {
    let redis = RedisServer::start().await;
    let producer = Producer::new(redis.connect().await, &project());
    redis.stop().await;
    let documents: Vec<_> = (0..700).map(|n| named(&format!("order-{n}"))).collect();
    let outcomes = producer.enqueue_many(&documents).await;
    let (tried, skipped) = outcomes.split_at(500);
    let failed = |o: &Result<_, _>| {
        matches!(o, Err(ProducerError::AnswerLost(_) | ProducerError::NotSent(_)))
    };
    assert!(tried.iter().all(failed));
    assert_eq!(skipped.len(), 200);
    assert!(skipped.iter().all(|o| matches!(o, Err(ProducerError::NotSent(_)))));
}

#[tokio::test]
async fn the_reader_tells_a_status_once_the_worker_wrote_one() {
    let redis = RedisServer::start().await;
    let mut connection = redis.connect().await;
    let reader = Reader::new(connection.clone(), &project());
    assert_eq!(reader.status(&id("order-1")).await, Ok(None));
    assert_eq!(reader.user("aaaa").await, Ok(None));

    let fields = [("status", "held"), ("reason", "counts differ"), ("other", "x")];
    let _: () = connection.hset_multiple(keys().request("order-1"), &fields).await.unwrap();
    let _: () = connection.hset(keys().user("aaaa"), "requests", "order-1").await.unwrap();
    let record = reader.status(&id("order-1")).await.unwrap().unwrap();
    assert_eq!((record.status, record.reason.as_deref()), (Status::Held, Some("counts differ")));
    let user = reader.user("aaaa").await.unwrap().unwrap();
    assert_eq!(user.requests, [id("order-1")]);

    let _: () = connection.set(keys().request("order-2"), "no hash").await.unwrap();
    let refused = reader.status(&id("order-2")).await;
    assert!(matches!(refused, Err(ReaderError::Redis(_))), "{refused:?}");
}

/// The rights in the last column of the README's table, by the first words of the row.
fn rights(row: &str) -> Vec<&'static str> {
    let readme = include_str!("../../README.md");
    let line = readme.lines().find(|line| line.starts_with(&format!("| {row}"))).unwrap();
    let column = line.trim_end_matches(['|', ' ']).rsplit("| ").next().unwrap();
    column.trim_matches('`').split(' ').collect()
}

async fn add_user(admin: &mut MultiplexedConnection, user: &str, row: &str) {
    let mut command = redis::cmd("ACL");
    command.arg("SETUSER").arg(user).arg("on").arg(">secret").arg(rights(row));
    command.query_async::<()>(admin).await.unwrap();
}

#[tokio::test]
async fn the_rights_in_the_readme_are_enough() {
    let redis = RedisServer::start().await;
    let mut admin = redis.connect().await;
    add_user(&mut admin, "plain", "XADD").await;
    add_user(&mut admin, "producer", "`Producer`").await;
    add_user(&mut admin, "reader", "`Reader`").await;
    add_user(&mut admin, "consent", "`Consent`").await;

    let plain = Producer::new(redis.connect_as("plain").await, &project());
    assert!(plain.enqueue(&deletion("user-001")).await.is_ok());
    let denied = plain.enqueue(&named("order-1")).await.unwrap_err();
    assert!(denied.to_string().contains("NOPERM"), "{denied}");

    let producer = Producer::new(redis.connect_as("producer").await, &project());
    assert!(producer.enqueue(&named("order-1")).await.is_ok());
    assert!(producer.enqueue(&deletion("user-001")).await.is_ok());
    take_up(&mut admin, "order-1").await;
    assert!(producer.enqueue(&named("order-1")).await.is_ok());
    let event = events::event("user-001");
    assert!(producer.events(std::slice::from_ref(&event)).await.iter().all(Result::is_ok));
    assert!(plain.events(&[event]).await.iter().all(Result::is_ok));

    let consent = consent::client(redis.connect_as("consent").await);
    assert!(consent.of(&DistinctId::new("user-001")).await.is_ok());

    let reader = Reader::new(redis.connect_as("reader").await, &project());
    assert!(reader.status(&id("order-1")).await.unwrap().is_some());
    assert_eq!(reader.user("aaaa").await, Ok(None));
}
