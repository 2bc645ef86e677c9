//! What the Redis server is and how it is set up, and whether that keeps what it is told.
//!
//! Reading ([`ServerFacts::read`]) and judging ([`judge()`]) are apart: the worker judges at its start, `check` on
//! demand. What the server does not tell (its access rules may forbid INFO and CONFIG) is unknown, not wrong.

mod finding;
mod judge;

use std::{collections::HashMap, fmt};

use chrono::{DateTime, TimeDelta, Utc};
use redis::{RedisResult, aio::ConnectionManager};

pub use finding::{Finding, Level};
pub use judge::{VERSION, judge};

/// The connection that the program's parts share.
pub type Connection = ConnectionManager;

/// Major and minor number of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// What a Redis server tells about itself; `None` is what it did not tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerFacts {
    /// Version of Redis, or the one that Valkey says it is compatible with.
    pub version: Option<Version>,
    /// Whether it calls itself Valkey.
    pub valkey: bool,
    /// `master` or `slave`.
    pub role: Option<String>,
    /// Whether it keeps an append-only file.
    pub aof: Option<bool>,
    /// Whether its latest write to that file failed.
    pub aof_failing: bool,
    /// When that file is synced: `always`, `everysec` or `no`.
    pub appendfsync: Option<String>,
    /// What it does when its memory is full.
    pub eviction: Option<String>,
    /// Memory in use, in bytes.
    pub used_memory: Option<u64>,
    /// Limit of its memory, in bytes; 0 is none.
    pub max_memory: Option<u64>,
    /// How far its clock is ahead of ours.
    pub clock_ahead: Option<TimeDelta>,
}

impl ServerFacts {
    /// Asks the server. `Err` only if it does not answer; a question that it refuses stays unknown.
    pub async fn read(redis: &mut ConnectionManager) -> RedisResult<Self> {
        let info: Option<String> = answer(redis::cmd("INFO").query_async(redis).await)?;
        let mut facts = Self::from_info(&info.unwrap_or_default());
        let config: Option<Vec<String>> =
            answer(redis::cmd("CONFIG").arg("GET").arg("appendfsync").query_async(redis).await)?;
        facts.appendfsync = config.and_then(|pair| pair.into_iter().nth(1));
        let before = Utc::now();
        let time: Option<(i64, i64)> = answer(redis::cmd("TIME").query_async(redis).await)?;
        facts.clock_ahead = time.and_then(|time| ahead(time, before, Utc::now()));
        Ok(facts)
    }

    fn from_info(info: &str) -> Self {
        let fields: HashMap<&str, &str> =
            info.lines().filter_map(|line| line.trim().split_once(':')).collect();
        let text = |name: &str| fields.get(name).map(|value| (*value).to_owned());
        let number = |name: &str| fields.get(name).and_then(|value| value.parse().ok());
        Self {
            version: fields.get("redis_version").and_then(|value| version(value)),
            valkey: fields.contains_key("valkey_version"),
            role: text("role"),
            aof: fields.get("aof_enabled").map(|value| *value == "1"),
            aof_failing: fields.get("aof_last_write_status").is_some_and(|value| *value != "ok"),
            appendfsync: None,
            eviction: text("maxmemory_policy"),
            used_memory: number("used_memory"),
            max_memory: number("maxmemory"),
            clock_ahead: None,
        }
    }
}

/// `None` for an error that the server answered with: a command that is forbidden or renamed.
fn answer<T>(result: RedisResult<T>) -> RedisResult<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.code().is_some() => Ok(None),
        Err(error) => Err(error),
    }
}

fn version(text: &str) -> Option<Version> {
    let mut numbers = text.split('.').map(str::parse);
    Some(Version(numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// How far the server's clock is ahead, taking its answer for given in the middle of the wait.
fn ahead(
    (seconds, micros): (i64, i64),
    asked: DateTime<Utc>,
    answered: DateTime<Utc>,
) -> Option<TimeDelta> {
    let theirs = DateTime::from_timestamp(seconds, u32::try_from(micros).ok()?.checked_mul(1000)?)?;
    Some(theirs - (asked + (answered - asked) / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_the_server_does_not_count_as_a_wrong_clock() {
        let asked = DateTime::<Utc>::UNIX_EPOCH;
        let answered = asked + TimeDelta::seconds(4);
        assert_eq!(ahead((2, 0), asked, answered), Some(TimeDelta::zero()));
        assert_eq!(ahead((12, 500_000), asked, answered), Some(TimeDelta::milliseconds(10_500)));
    }
}
