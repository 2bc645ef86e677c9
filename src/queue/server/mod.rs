//! What the Redis server is and how it is set up, and whether that keeps what it is told.
//!
//! Reading ([`ServerFacts::read`]) and judging ([`judge()`]) are apart: the worker judges at its start, `check` on
//! demand. What the server does not tell (its access rules may forbid INFO and CONFIG) is unknown, not wrong.

mod finding;
mod judge;

use std::{collections::HashMap, fmt};

use chrono::{DateTime, TimeDelta, Utc};
use redis::{FromRedisValue, RedisResult, Value, aio::ConnectionLike, from_redis_value};

pub use finding::{Finding, Level};
pub use judge::{VERSION, judge, volatile};

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
    /// Which life of which server this is: a random text.
    pub run_id: Option<String>,
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
    /// Whether it can be asked to wait until a write is on disk (WAITAOF: Redis 7.2 or later, Valkey).
    pub waits: Option<bool>,
    /// How many replicas it has.
    pub replicas: Option<u32>,
}

impl ServerFacts {
    /// Asks the server, in one round trip: it may be busy with scripts. `Err` only if it does not answer; a question
    /// that it refuses stays unknown.
    pub async fn read(redis: &mut impl ConnectionLike) -> RedisResult<Self> {
        let mut questions = redis::pipe();
        questions.cmd("INFO").cmd("CONFIG").arg("GET").arg("appendfsync").cmd("TIME");
        // Zero of everything: answered at once, by a server that knows the command.
        questions.cmd("WAITAOF").arg(0).arg(0).arg(1);
        let before = Utc::now();
        let answers: Vec<RedisResult<Value>> = questions.ignore_errors().query_async(redis).await?;
        let after = Utc::now();
        let mut answers = answers.into_iter();
        let mut next = || answers.next().unwrap_or(Ok(Value::Nil));
        let info: Option<String> = answer(next())?;
        let mut facts = Self::from_info(&info.unwrap_or_default());
        let config: Option<Vec<String>> = answer(next())?;
        facts.appendfsync = config.and_then(|pair| pair.into_iter().nth(1));
        let time: Option<(i64, i64)> = answer(next())?;
        facts.clock_ahead = time.and_then(|time| ahead(time, before, after));
        facts.waits = Some(is_known(next())?);
        Ok(facts)
    }

    fn from_info(info: &str) -> Self {
        let fields: HashMap<&str, &str> =
            info.lines().filter_map(|line| line.trim().split_once(':')).collect();
        let text = |name: &str| fields.get(name).map(|value| (*value).to_owned());
        let number = |name: &str| fields.get(name).and_then(|value| value.parse::<u64>().ok());
        Self {
            version: fields.get("redis_version").and_then(|value| version(value)),
            valkey: fields.contains_key("valkey_version"),
            run_id: text("run_id"),
            role: text("role"),
            aof: fields.get("aof_enabled").map(|value| *value == "1"),
            aof_failing: fields.get("aof_last_write_status").is_some_and(|value| *value != "ok"),
            appendfsync: None,
            eviction: text("maxmemory_policy"),
            used_memory: number("used_memory"),
            max_memory: number("maxmemory"),
            clock_ahead: None,
            waits: None,
            replicas: number("connected_slaves").and_then(|count| u32::try_from(count).ok()),
        }
    }
}

/// `None` for an error that the server answered with: a command that is forbidden or renamed.
fn answer<T: FromRedisValue>(result: RedisResult<Value>) -> RedisResult<Option<T>> {
    match result {
        Ok(value) => Ok(Some(from_redis_value(value)?)),
        Err(error) if error.code().is_some() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether the server knows the command, and lets this user have it. An answer that says neither (it loads its data, say)
/// is an error: it will say otherwise later.
fn is_known(result: RedisResult<Value>) -> RedisResult<bool> {
    match result {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.code(), Some("ERR" | "NOPERM")) => Ok(false),
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
    use redis::{ErrorKind, ServerErrorKind};

    use super::*;

    #[test]
    fn a_server_that_loads_its_data_is_asked_again_whether_it_can_wait() {
        let said = |code: ServerErrorKind| is_known(Err((ErrorKind::Server(code), "").into()));
        assert_eq!(is_known(Ok(Value::Array(Vec::new()))), Ok(true));
        assert_eq!(said(ServerErrorKind::ResponseError), Ok(false));
        assert!(said(ServerErrorKind::BusyLoading).is_err());
    }

    #[test]
    fn the_way_to_the_server_does_not_count_as_a_wrong_clock() {
        let asked = DateTime::<Utc>::UNIX_EPOCH;
        let answered = asked + TimeDelta::seconds(4);
        assert_eq!(ahead((2, 0), asked, answered), Some(TimeDelta::zero()));
        assert_eq!(ahead((12, 500_000), asked, answered), Some(TimeDelta::milliseconds(10_500)));
    }
}
