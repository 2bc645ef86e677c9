//! What went wrong between a client and Redis, without a word of what was sent: Redis quotes the
//! arguments of a command in some of its errors, and ours hold personal data.

use std::fmt;

use redis::{ErrorKind, RedisError};

/// A failure of Redis or of the way to it: the error code of its answer, or the kind of failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisFault(String);

impl RedisFault {
    pub(crate) fn new(error: &RedisError) -> Self {
        let text = match error.code() {
            Some(code) => format!("Redis answered {code}{}", advice(code)),
            None if error.is_timeout() => "no answer in time".to_owned(),
            None if error.is_connection_refusal() => "connection refused".to_owned(),
            None => error.category().to_owned(),
        };
        Self(text)
    }

    pub(crate) fn from_text(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// What to do about an error code that a setting can cause.
fn advice(code: &str) -> &'static str {
    match code {
        "NOAUTH" | "WRONGPASS" => ": check the user and password of the connection",
        "NOPERM" => {
            ": allow this user EVAL, XADD, XRANGE, GET, SET, EXISTS, HGETALL and HMGET on gdpr:*"
        }
        "OOM" => ": its memory is full; raise maxmemory, and never let it evict keys",
        "READONLY" => ": this is a replica; connect to the primary",
        "WRONGTYPE" => ": another program uses this key; give each its own database or project",
        _ => "",
    }
}

impl From<&RedisError> for RedisFault {
    fn from(error: &RedisError) -> Self {
        Self::new(error)
    }
}

impl fmt::Display for RedisFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl std::error::Error for RedisFault {}

/// What is known about a command that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It never reached Redis.
    NotSent,
    /// Redis answered that it did not do it.
    Refused,
    /// It may have been done: the answer is missing.
    Unknown,
}

/// The error of a client for what is known about a command that failed.
pub(crate) fn by_fate<E>(
    error: &RedisError,
    not_sent: fn(RedisFault) -> E,
    refused: fn(RedisFault) -> E,
    answer_lost: fn(RedisFault) -> E,
) -> E {
    let error_for = match Fate::of(error) {
        Fate::NotSent => not_sent,
        Fate::Refused => refused,
        Fate::Unknown => answer_lost,
    };
    error_for(RedisFault::new(error))
}

impl Fate {
    pub(crate) fn of(error: &RedisError) -> Self {
        match error.kind() {
            ErrorKind::Server(_) | ErrorKind::Extension => Self::Refused,
            ErrorKind::AuthenticationFailed
            | ErrorKind::InvalidClientConfig
            | ErrorKind::Client
            | ErrorKind::MasterNameNotFoundBySentinel
            | ErrorKind::NoValidReplicasFoundBySentinel
            | ErrorKind::EmptySentinelList
            | ErrorKind::ClusterConnectionNotFound
            | ErrorKind::RESP3NotSupported => Self::NotSent,
            _ if error.is_connection_refusal() => Self::NotSent,
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn broken(kind: io::ErrorKind) -> RedisError {
        RedisError::from(io::Error::new(kind, "ada@example.test"))
    }

    #[test]
    fn only_a_failure_before_the_first_byte_counts_as_not_sent() {
        assert_eq!(Fate::of(&broken(io::ErrorKind::ConnectionRefused)), Fate::NotSent);
        for kind in [
            io::ErrorKind::TimedOut,
            io::ErrorKind::BrokenPipe,
            io::ErrorKind::ConnectionReset,
            io::ErrorKind::UnexpectedEof,
        ] {
            assert_eq!(Fate::of(&broken(kind)), Fate::Unknown);
        }
        let unreadable = RedisError::from((ErrorKind::UnexpectedReturnType, "ada@example.test"));
        assert_eq!(Fate::of(&unreadable), Fate::Unknown);
    }

    #[test]
    fn a_fault_quotes_nothing() {
        let told = RedisError::from((ErrorKind::Extension, "X", "ada@example.test".to_owned()));
        for error in [broken(io::ErrorKind::Other), broken(io::ErrorKind::TimedOut), told] {
            let fault = RedisFault::new(&error);
            assert!(!format!("{fault} {fault:?}").contains("ada"));
        }
    }
}
