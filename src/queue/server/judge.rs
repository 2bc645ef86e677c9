//! Whether a server, as it is set up, keeps what it is told.

use std::fmt;

use chrono::TimeDelta;

use super::{Finding, Level, ServerFacts, Version};

/// The finding without which nothing works.
pub const VERSION: &str = "redis version";
/// Oldest version that has all that the scripts use.
const OLDEST: Version = Version(7, 0);
/// How far the clocks may lie apart.
const CLOCK_TOLERANCE: TimeDelta = TimeDelta::seconds(5);

const DURABILITY: &str = "redis durability";
const EVICTION: &str = "redis eviction";

/// What the facts mean for a queue and a ledger that must lose nothing, where `replicas` replicas must have
/// everything, too.
pub fn judge(facts: &ServerFacts, replicas: u32) -> Vec<Finding> {
    let mut findings = vec![
        judge_version(facts),
        judge_role(facts),
        judge_log(facts),
        judge_eviction(facts),
        judge_memory(facts),
        judge_clock(facts),
    ];
    findings.extend(judge_replicas(facts, replicas));
    findings
}

/// The finding by which the server forgets what it accepted, if there is one. What it does not tell is no such finding.
pub fn volatile(facts: &ServerFacts) -> Option<Finding> {
    [judge_log(facts), judge_eviction(facts)].into_iter().find(|found| found.level == Level::Fail)
}

fn judge_version(facts: &ServerFacts) -> Finding {
    let name = if facts.valkey { "Valkey, compatible with Redis" } else { "Redis" };
    match facts.version {
        Some(version) if version < OLDEST => Finding::fail(
            VERSION,
            format!("{name} {version}: expected {OLDEST} or later; upgrade the server"),
        ),
        Some(version) => Finding::ok(VERSION, format!("{name} {version}")),
        None => unknown(VERSION, format!("expected {OLDEST} or later; allow INFO for this user")),
    }
}

fn judge_role(facts: &ServerFacts) -> Finding {
    const WHAT: &str = "redis role";
    match facts.role.as_deref() {
        Some("master") => Finding::ok(WHAT, "primary"),
        Some(_) => Finding::fail(
            WHAT,
            "a replica, which takes no writes: expected the primary; set GDPR_REDIS_URL to its address",
        ),
        None => unknown(WHAT, "expected a primary; allow INFO for this user"),
    }
}

fn judge_log(facts: &ServerFacts) -> Finding {
    const WHAT: &str = DURABILITY;
    match (facts.aof, facts.appendfsync.as_deref()) {
        (Some(false), _) => Finding::fail(
            WHAT,
            "no append-only file, so a restart loses accepted requests: expected appendonly yes; \
             run CONFIG SET appendonly yes and put it into redis.conf",
        ),
        _ if facts.aof_failing => Finding::fail(
            WHAT,
            "the latest write to the append-only file failed: expected none to fail; \
             look at the server's log and at its disk",
        ),
        (None, _) => unknown(
            WHAT,
            "expected appendonly yes and appendfsync always; allow INFO for this user",
        ),
        (_, Some("always")) => Finding::ok(WHAT, "append-only file, synced with each write"),
        (_, Some("everysec")) if facts.waits == Some(true) => Finding::ok(
            WHAT,
            "append-only file, synced each second; what must not be lost is waited for (WAITAOF)",
        ),
        (_, Some("everysec")) => Finding::fail(
            WHAT,
            "appendfsync everysec, and no WAITAOF (Redis 7.2 or later, Valkey), so a crash of the server's host loses up \
             to a second of what was accepted: expected always; run CONFIG SET appendfsync always and put it into redis.conf",
        ),
        (_, Some(_)) => Finding::fail(
            WHAT,
            "appendfsync no, so a crash of the server's host loses what was accepted: expected always; \
             run CONFIG SET appendfsync always and put it into redis.conf",
        ),
        (_, None) if facts.waits == Some(true) => {
            Finding::ok(WHAT, "append-only file; what must not be lost is waited for (WAITAOF)")
        }
        (_, None) => unknown(
            WHAT,
            "there is an append-only file; expected appendfsync always; allow CONFIG GET for this \
             user, or ask who runs the server",
        ),
    }
}

fn judge_eviction(facts: &ServerFacts) -> Finding {
    const WHAT: &str = EVICTION;
    let unlimited = facts.max_memory == Some(0);
    match facts.eviction.as_deref() {
        Some("noeviction") => Finding::ok(WHAT, "noeviction"),
        Some(policy) if unlimited => Finding::warn(
            WHAT,
            format!(
                "{policy}, which does nothing only as long as maxmemory is not set: \
                 expected noeviction; run CONFIG SET maxmemory-policy noeviction"
            ),
        ),
        Some(policy) => Finding::fail(
            WHAT,
            format!(
                "{policy}, so requests vanish when memory is full: expected noeviction; \
                 run CONFIG SET maxmemory-policy noeviction and put it into redis.conf"
            ),
        ),
        None => unknown(WHAT, "expected maxmemory-policy noeviction; allow INFO for this user"),
    }
}

fn judge_memory(facts: &ServerFacts) -> Finding {
    const WHAT: &str = "redis memory";
    const FULL: &str = "when it is full no request is taken; raise maxmemory";
    match (facts.used_memory, facts.max_memory) {
        (Some(used), Some(0)) => Finding::ok(WHAT, format!("{} in use, no limit", mib(used))),
        (Some(used), Some(most)) => {
            let percent = used.saturating_mul(100) / most;
            let found = format!("{} of {} in use ({percent} %)", mib(used), mib(most));
            match percent {
                0..80 => Finding::ok(WHAT, found),
                80..95 => Finding::warn(WHAT, format!("{found}: expected less than 80 %; {FULL}")),
                _ => Finding::fail(WHAT, format!("{found}: expected less than 80 %; {FULL}")),
            }
        }
        _ => unknown(WHAT, "expected less than 80 % of maxmemory; allow INFO for this user"),
    }
}

fn judge_replicas(facts: &ServerFacts, wanted: u32) -> Option<Finding> {
    const WHAT: &str = "redis replicas";
    if wanted == 0 {
        return None;
    }
    let expected = format!("expected {wanted} or more (GDPR_REDIS_REPLICAS)");
    Some(match facts.replicas {
        Some(there) if there >= wanted => Finding::ok(WHAT, there.to_string()),
        Some(there) => Finding::fail(
            WHAT,
            format!(
                "{there}, so nothing is confirmed: {expected}; connect replicas, each with appendonly yes"
            ),
        ),
        None => unknown(WHAT, format!("{expected}; allow INFO for this user")),
    })
}

fn judge_clock(facts: &ServerFacts) -> Finding {
    const WHAT: &str = "clock";
    let Some(ahead) = facts.clock_ahead else {
        return unknown(WHAT, "expected the server's time; allow TIME for this user");
    };
    let found = format!("{} ms apart from the server's", ahead.num_milliseconds().abs());
    if ahead.abs() < CLOCK_TOLERANCE {
        Finding::ok(WHAT, found)
    } else {
        let expected = "expected less than 5 s; run NTP on both hosts";
        Finding::fail(WHAT, format!("{found}: {expected}"))
    }
}

fn unknown(what: &str, text: impl fmt::Display) -> Finding {
    Finding::warn(what, format!("not known: {text}"))
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1024 * 1024))
}

#[cfg(test)]
mod tests {
    use super::{super::Level, *};

    const INFO: &str = "# Server\r\nredis_version:7.0.15\r\n\r\n# Memory\r\nused_memory:1048576\r\n\
        maxmemory:0\r\nmaxmemory_policy:noeviction\r\n# Persistence\r\naof_enabled:1\r\n\
        aof_last_write_status:ok\r\n# Replication\r\nrole:master\r\n";

    fn good() -> ServerFacts {
        ServerFacts {
            appendfsync: Some("always".to_owned()),
            clock_ahead: Some(TimeDelta::milliseconds(-40)),
            ..ServerFacts::from_info(INFO)
        }
    }

    fn worst(facts: &ServerFacts) -> Vec<(String, Level)> {
        let findings = judge(facts, 0).into_iter().filter(|finding| finding.level != Level::Ok);
        findings.map(|finding| (finding.what, finding.level)).collect()
    }

    #[test]
    fn a_durable_primary_of_a_known_version_is_all_right() {
        assert_eq!(worst(&good()), []);
    }

    #[test]
    fn each_fault_is_found_alone_and_says_what_to_do() {
        let text = |text: &str| Some(text.to_owned());
        let (warn, fail) = (Level::Warn, Level::Fail);
        let cases = [
            ("redis version", fail, ServerFacts { version: Some(Version(6, 2)), ..good() }),
            ("redis role", fail, ServerFacts { role: text("slave"), ..good() }),
            ("redis durability", fail, ServerFacts { aof: Some(false), ..good() }),
            ("redis durability", fail, ServerFacts { aof_failing: true, ..good() }),
            ("redis durability", fail, ServerFacts { appendfsync: text("everysec"), ..good() }),
            ("redis durability", fail, ServerFacts { appendfsync: text("no"), ..good() }),
            ("redis durability", warn, ServerFacts { appendfsync: None, ..good() }),
            ("redis eviction", warn, ServerFacts { eviction: text("allkeys-lru"), ..good() }),
            ("redis memory", warn, ServerFacts { max_memory: Some(1_300_000), ..good() }),
            ("redis memory", fail, ServerFacts { max_memory: Some(1_048_577), ..good() }),
            ("clock", fail, ServerFacts { clock_ahead: Some(TimeDelta::seconds(-5)), ..good() }),
        ];
        for (what, level, facts) in cases {
            assert_eq!(worst(&facts), [(what.to_owned(), level)]);
            let said = judge(&facts, 0).into_iter().find(|f| f.level != Level::Ok);
            assert!(said.is_some_and(|f| f.text.contains("expected")), "{what}");
        }
    }

    #[test]
    fn eviction_under_a_memory_limit_fails() {
        let facts = ServerFacts {
            eviction: Some("allkeys-lru".to_owned()),
            max_memory: Some(1 << 30),
            ..good()
        };
        assert_eq!(worst(&facts), [("redis eviction".to_owned(), Level::Fail)]);
    }

    #[test]
    fn everysec_is_enough_where_the_server_can_be_asked_to_wait() {
        let facts = |waits| ServerFacts {
            appendfsync: Some("everysec".to_owned()),
            waits: Some(waits),
            ..good()
        };
        assert_eq!(worst(&facts(true)), []);
        assert_eq!(volatile(&facts(true)), None);
        assert!(volatile(&facts(false)).is_some());
    }

    #[test]
    fn only_what_forgets_is_volatile() {
        let full = ServerFacts { max_memory: Some(1_048_577), ..good() };
        let replica = ServerFacts { role: Some("slave".to_owned()), ..good() };
        for facts in [good(), full, replica, ServerFacts::default()] {
            assert_eq!(volatile(&facts), None);
        }
        assert!(volatile(&ServerFacts { aof: Some(false), waits: Some(true), ..good() }).is_some());
    }

    #[test]
    fn replicas_are_looked_for_where_they_are_asked_for() {
        let level = |replicas| {
            let facts = ServerFacts { replicas, ..good() };
            judge(&facts, 2).pop().map(|finding| (finding.what, finding.level))
        };
        let what = || "redis replicas".to_owned();
        assert_eq!(level(Some(2)), Some((what(), Level::Ok)));
        assert_eq!(level(Some(1)), Some((what(), Level::Fail)));
        assert_eq!(level(None), Some((what(), Level::Warn)));
    }

    #[test]
    fn a_server_that_tells_nothing_is_a_risk_and_no_failure() {
        let findings = judge(&ServerFacts::default(), 1);
        assert!(findings.iter().all(|finding| finding.level == Level::Warn));
    }

    #[test]
    fn valkey_is_read_as_the_redis_that_it_is_compatible_with() {
        let facts = ServerFacts::from_info("redis_version:7.2.4\nvalkey_version:8.1.0\n");
        assert_eq!((facts.version, facts.valkey), (Some(Version(7, 2)), true));
    }
}
