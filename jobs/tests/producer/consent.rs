//! What a backend is told about a person's consent.

use std::time::{Duration, Instant};

use gdpr_jobs::{Consent, ConsentAnswer, ConsentError, ConsentState, DistinctId, Pepper, Tag};
use redis::{AsyncCommands, aio::MultiplexedConnection};

use crate::{keys, project, redis_server::RedisServer};

const LONG: Duration = Duration::from_secs(3_600);

fn pepper() -> Pepper {
    Pepper::new("0123456789abcdef0123456789abcdef".to_owned().into()).unwrap()
}

fn tag(id: &str) -> Tag {
    pepper().tag(&project(), &DistinctId::new(id))
}

fn ids<const N: usize>(ids: [&str; N]) -> [DistinctId; N] {
    ids.map(DistinctId::new)
}

/// With the default `opted_in`.
pub(crate) fn client(connection: MultiplexedConnection) -> Consent<MultiplexedConnection> {
    Consent::new(connection, &project(), pepper(), ConsentState::OptedIn)
}

/// What the worker writes when it takes an opt-out or opt-in up.
async fn say(connection: &mut MultiplexedConnection, id: &str, word: &str) {
    let key = keys().user(tag(id).as_str());
    let fields = [("consent", word), ("consent_at", "2026-01-31T09:30:00Z")];
    connection.hset_multiple::<_, _, _, ()>(key, &fields).await.unwrap();
}

/// How often Redis was asked for a consent.
async fn asked(connection: &mut MultiplexedConnection) -> usize {
    let stats: String =
        redis::cmd("INFO").arg("commandstats").query_async(connection).await.unwrap();
    let calls = stats.lines().find_map(|line| line.strip_prefix("cmdstat_hmget:calls="));
    calls.map_or(0, |rest| rest.split(',').next().unwrap().parse().unwrap())
}

#[tokio::test]
async fn what_the_person_said_counts_and_else_the_default() {
    let redis = RedisServer::start().await;
    let mut connection = redis.connect().await;
    let consent = client(connection.clone());
    let person = DistinctId::new("user-001");
    assert_eq!(consent.of(&person).await, Ok(ConsentAnswer::Default(ConsentState::OptedIn)));
    let strict = Consent::new(connection.clone(), &project(), pepper(), ConsentState::OptedOut);
    assert_eq!(strict.of(&person).await, Ok(ConsentAnswer::Default(ConsentState::OptedOut)));
    assert!(!strict.of_all(&[]).await.unwrap().allows_tracking());

    let at = "2026-01-31T09:30:00Z".parse().ok();
    for (word, state, allowed) in
        [("opted_out", ConsentState::OptedOut, false), ("opted_in", ConsentState::OptedIn, true)]
    {
        say(&mut connection, "user-001", word).await;
        for client in [&consent, &strict] {
            let answer = client.clone().remembering(LONG, 10).of(&person).await.unwrap();
            assert_eq!(answer, ConsentAnswer::Said { state, at });
            assert_eq!(answer.allows_tracking(), allowed);
        }
    }
    // In one project says nothing about another.
    let other = Consent::new(connection, &"q".parse().unwrap(), pepper(), ConsentState::OptedOut);
    assert_eq!(other.of(&person).await, Ok(ConsentAnswer::Default(ConsentState::OptedOut)));
}

#[tokio::test]
async fn one_opted_out_id_outweighs_the_others_of_the_person() {
    let redis = RedisServer::start().await;
    let mut connection = redis.connect().await;
    let consent = client(connection.clone()).remembering(Duration::ZERO, 10);
    say(&mut connection, "in", "opted_in").await;
    say(&mut connection, "77ab", "opted_out").await;
    let state = async |ids: &[DistinctId]| match consent.of_all(ids).await.unwrap() {
        ConsentAnswer::Said { state, .. } => Some(state),
        ConsentAnswer::Default(_) => None,
    };
    assert_eq!(state(&ids(["new", "other"])).await, None);
    assert_eq!(state(&ids(["new", "in"])).await, Some(ConsentState::OptedIn));
    assert_eq!(state(&ids(["in", "new", "77ab"])).await, Some(ConsentState::OptedOut));
    // The device by its other name; the other way round nothing tells that an id is a device.
    assert_eq!(state(&ids(["in", "$device:77ab"])).await, Some(ConsentState::OptedOut));
    say(&mut connection, "$device:88cd", "opted_out").await;
    assert_eq!(state(&ids(["88cd"])).await, None);
}

#[tokio::test]
async fn what_is_remembered_costs_no_round_trip() {
    let redis = RedisServer::start().await;
    let mut connection = redis.connect().await;
    say(&mut connection, "user-001", "opted_out").await;
    let consent = client(connection.clone()).remembering(LONG, 100);
    let both = ids(["user-001", "user-002"]);
    let first = consent.of_all(&both).await;
    assert_eq!(asked(&mut connection).await, 2);
    for _ in 0..50 {
        assert_eq!(consent.of_all(&both).await, first);
        assert_eq!(consent.clone().of(&both[0]).await, first);
    }
    assert_eq!(asked(&mut connection).await, 2);
    // Only what is not remembered is asked for.
    consent.of_all(&ids(["user-001", "user-003"])).await.unwrap();
    assert_eq!(asked(&mut connection).await, 3);
}

#[tokio::test]
async fn a_change_is_seen_within_the_time() {
    let redis = RedisServer::start().await;
    let mut connection = redis.connect().await;
    let freshness = Duration::from_millis(200);
    let consent = client(connection.clone()).remembering(freshness, 100);
    let person = DistinctId::new("user-001");
    assert!(consent.of(&person).await.unwrap().allows_tracking());
    say(&mut connection, "user-001", "opted_out").await;
    let changed_at = Instant::now();
    loop {
        let asked_at = Instant::now();
        if !consent.of(&person).await.unwrap().allows_tracking() {
            return;
        }
        assert!(asked_at < changed_at + freshness, "an old answer was given for too long");
    }
}

#[tokio::test]
async fn doubt_is_an_error_and_not_remembered() {
    let redis = RedisServer::start().await;
    let mut connection = redis.connect().await;
    let consent = client(connection.clone()).remembering(LONG, 100);
    let person = DistinctId::new("user-001");

    say(&mut connection, "user-001", "perhaps").await;
    let unknown = consent.of(&person).await;
    assert!(matches!(unknown, Err(ConsentError::Record(_))), "{unknown:?}");

    let key = keys().user(tag("user-001").as_str());
    let _: () = connection.set(&key, "no hash").await.unwrap();
    let unreadable = consent.of_all(&ids(["user-002", "user-001"])).await;
    assert!(matches!(unreadable, Err(ConsentError::Redis(_))), "{unreadable:?}");

    let _: () = connection.del(&key).await.unwrap();
    assert!(consent.of(&person).await.is_ok());

    redis.stop().await;
    let gone = consent.of(&DistinctId::new("ada@example.test")).await;
    assert!(matches!(gone, Err(ConsentError::Redis(_))), "{gone:?}");
    assert!(!format!("{gone:?}").contains("ada"));
}
