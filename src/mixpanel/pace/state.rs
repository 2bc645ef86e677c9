//! Reads what the pace of a project is, for people and health checks.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use redis::{AsyncCommands, RedisError, aio::ConnectionLike};

use super::PauseReason;

/// What is paused now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaceState {
    /// The time on Redis' clock, which all others here are on.
    pub now: DateTime<Utc>,
    /// Submissions are paused.
    pub submit: Option<Pause>,
    /// Polls are paused.
    pub poll: Option<Pause>,
    /// All calls are stopped for bad credentials.
    pub credentials: Option<CredentialsPause>,
    /// The earliest free slot.
    pub next_slot: DateTime<Utc>,
}

/// A pause that ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// When it began.
    pub since: DateTime<Utc>,
    /// When it ends.
    pub until: DateTime<Utc>,
    /// Why.
    pub reason: PauseReason,
}

/// A stop until the credentials are good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialsPause {
    /// When it began.
    pub since: DateTime<Utc>,
    /// When one call may test them.
    pub next_probe: DateTime<Utc>,
    /// What Mixpanel said: 401 or 403; 0 if unreadable.
    pub status: u16,
    /// Which credentials are bad.
    pub fingerprint: String,
}

pub(super) async fn read(
    redis: &mut (impl ConnectionLike + Send + Sync),
    key: &str,
) -> Result<PaceState, RedisError> {
    let fields: HashMap<String, String> = redis.hgetall(key).await?;
    let (seconds, micros): (i64, i64) = redis::cmd("TIME").query_async(redis).await?;
    let now = seconds.saturating_mul(1000) + micros / 1000;
    Ok(interpret(&fields, now))
}

fn interpret(fields: &HashMap<String, String>, now: i64) -> PaceState {
    let text = |field: &str| fields.get(field).map_or("", String::as_str);
    let number = |field: &str| text(field).parse::<i64>().unwrap_or(0);
    let pause = |class: &str| {
        let until = number(&format!("{class}_until"));
        (until > now).then(|| Pause {
            since: time(number(&format!("{class}_since"))),
            until: time(until),
            reason: PauseReason::read(text(&format!("{class}_reason"))),
        })
    };
    let next_probe = number("credentials_until");
    PaceState {
        now: time(now),
        submit: pause("submit"),
        poll: pause("poll"),
        credentials: (next_probe > 0).then(|| CredentialsPause {
            since: time(number("credentials_since")),
            next_probe: time(next_probe),
            status: text("credentials_reason").parse().unwrap_or(0),
            fingerprint: text("credentials_fingerprint").to_owned(),
        }),
        next_slot: time(number("next").max(now)),
    }
}

fn time(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).unwrap_or_default()
}
