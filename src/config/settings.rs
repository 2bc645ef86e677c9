//! Every setting, once: its variable, its flag and key in the file, its default, and what it means.
//! Flags, environment, `gdpr-worker.toml` and the table in the README all come from here.

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The environment variable.
    pub variable: &'static str,
    /// The key in `gdpr-worker.toml`; with dashes it is the flag.
    pub key: &'static str,
    /// What holds when nobody says anything.
    pub default: Option<&'static str>,
    /// A secret has no flag (the process list would show it), but a `…_FILE` twin.
    pub secret: bool,
    /// Its flag needs no value: `--allow-volatile` is `--allow-volatile=true`.
    pub bare: bool,
    /// What it means.
    pub help: &'static str,
}

const fn plain(
    variable: &'static str,
    key: &'static str,
    default: Option<&'static str>,
    help: &'static str,
) -> Setting {
    Setting { variable, key, default, secret: false, bare: false, help }
}

const fn secret(variable: &'static str, key: &'static str, help: &'static str) -> Setting {
    Setting { variable, key, default: None, secret: true, bare: false, help }
}

const fn switch(variable: &'static str, key: &'static str, help: &'static str) -> Setting {
    Setting { variable, key, default: Some("false"), secret: false, bare: true, help }
}

/// All settings, in the order of the README.
pub const SETTINGS: &[Setting] = &[
    plain(
        "GDPR_REDIS_URL",
        "redis_url",
        Some("redis://127.0.0.1:6379"),
        "Redis: redis://, rediss:// (TLS), unix://, redis+sentinel://host,host/name or redis+cluster://host,host, with user and password for ACL",
    ),
    plain(
        "GDPR_REDIS_CA",
        "redis_ca",
        None,
        "file with the certificates (PEM) of those who sign for Redis; with rediss://, they are believed instead of the public authorities",
    ),
    plain(
        "GDPR_REDIS_REPLICAS",
        "redis_replicas",
        Some("0"),
        "how many replicas must have what must not be lost, before anything depends on it",
    ),
    switch(
        "GDPR_ALLOW_VOLATILE",
        "allow_volatile",
        "true: work even on a Redis that may forget what it accepted, for tests",
    ),
    plain(
        "GDPR_PROJECT",
        "project",
        Some("default"),
        "name of the one project, or of the one to pick from the file",
    ),
    secret("MIXPANEL_PROJECT_TOKEN", "mixpanel_project_token", "token of the Mixpanel project"),
    secret(
        "MIXPANEL_OAUTH_TOKEN",
        "mixpanel_oauth_token",
        "GDPR OAuth token of an owner or admin; it expires after a year",
    ),
    plain(
        "MIXPANEL_REGION",
        "mixpanel_region",
        Some("us"),
        "where the project lives: us, eu or in",
    ),
    plain(
        "MIXPANEL_API_URL",
        "mixpanel_api_url",
        None,
        "other base URL of the GDPR API, e.g. the emulator's (…/api/app)",
    ),
    plain(
        "MIXPANEL_INGESTION_URL",
        "mixpanel_ingestion_url",
        None,
        "other base URL of the ingestion API",
    ),
    secret(
        "MIXPANEL_EXPORT_PASSWORD",
        "mixpanel_export_password",
        "project secret that opens sealed exports",
    ),
    plain(
        "GDPR_EXPORT_HOSTS",
        "export_hosts",
        None,
        "hosts (suffixes) that an export may be fetched from; plain http and private addresses only for a host listed by its exact name",
    ),
    plain(
        "GDPR_ARCHIVE_URL",
        "archive_url",
        Some("file://./archives"),
        "where archives are kept: file:///folder, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix",
    ),
    plain("GDPR_ARCHIVE_RETENTION", "archive_retention", Some("7d"), "how long an archive lives"),
    plain(
        "GDPR_ARCHIVE_RECIPIENT",
        "archive_recipient",
        None,
        "age public key (age1…) that archives are encrypted for; they are then never in clear on any disk",
    ),
    plain(
        "GDPR_ARCHIVE_CSV",
        "archive_csv",
        Some("false"),
        "true adds events.csv to archives, for people with a spreadsheet program",
    ),
    plain(
        "GDPR_RECORD_RETENTION",
        "record_retention",
        Some("1095d"),
        "how long the hash of a final request stays",
    ),
    secret(
        "GDPR_PEPPER",
        "pepper",
        "secret behind the tags, 32 bytes or more (check --make-pepper prints one)",
    ),
    plain(
        "GDPR_DELETIONS_PER_DAY",
        "deletions_per_day",
        Some("any"),
        "most deletions accepted in a day (UTC); those above it are held until a person confirms them",
    ),
    secret(
        "GDPR_DOCUMENT_KEYS",
        "document_keys",
        "keys that request documents are signed with, NAME:SECRET,NAME:SECRET…; the first signs our own",
    ),
    plain(
        "GDPR_REQUIRE_SIGNATURE",
        "require_signature",
        Some("false"),
        "true: a request document that is not signed is rejected",
    ),
    secret(
        "GDPR_SIGNING_KEY",
        "signing_key",
        "Ed25519 key that signs checkpoints and receipts (check --make-signing-key prints one)",
    ),
    plain(
        "GDPR_CHECKPOINT_EVERY",
        "checkpoint_every",
        Some("1h"),
        "how often a worker signs a checkpoint of the ledger, if there are new events",
    ),
    plain(
        "GDPR_CHECKPOINT_FILE",
        "checkpoint_file",
        None,
        "file that checkpoints are appended to, besides the log; best on another machine's disk",
    ),
    plain(
        "GDPR_REQUEST_INTERVAL",
        "request_interval",
        Some("1100ms"),
        "gap between API calls of one project, over all replicas",
    ),
    plain("GDPR_LINGER", "linger", Some("5s"), "how long a request may wait for company"),
    plain(
        "GDPR_BATCH_RETRIEVAL",
        "batch_retrieval",
        Some("2000"),
        "identifiers in a retrieval task (1 to 2000)",
    ),
    plain(
        "GDPR_BATCH_DELETION",
        "batch_deletion",
        Some("1999"),
        "identifiers in a deletion task (1 to 1999)",
    ),
    plain("GDPR_POLL_MIN", "poll_min", Some("60s"), "shortest time between two polls of a task"),
    plain("GDPR_POLL_MAX", "poll_max", Some("30m"), "longest time between two polls of a task"),
    plain(
        "GDPR_LISTEN",
        "listen",
        Some("127.0.0.1:9464"),
        "address of health, metrics and status page, or off",
    ),
    plain(
        "GDPR_SPOOL",
        "spool",
        None,
        "folder for exports while they are packaged (default: .spool in the archive folder; required with a bucket)",
    ),
    plain("GDPR_SPOOL_MAX", "spool_max", Some("64GiB"), "most that the spool folder may hold"),
    plain(
        "GDPR_SPOOL_RESERVE",
        "spool_reserve",
        Some("1GiB"),
        "what the spool leaves free on its disk",
    ),
    plain(
        "GDPR_EXPORT_MAX",
        "export_max",
        Some("32GiB"),
        "largest export, unpacked; a larger one is held",
    ),
    plain(
        "GDPR_PACKAGING_MEMORY",
        "packaging_memory",
        Some("64MiB"),
        "memory for records while an export is split; some 32 MiB come on top",
    ),
    plain(
        "GDPR_PACKAGING_THREADS",
        "packaging_threads",
        Some("2"),
        "threads that compress (0 to 64), besides the one that reads",
    ),
    plain(
        "GDPR_JOB_LEASE",
        "job_lease",
        Some("30s"),
        "after this long the work of a worker that died is taken over",
    ),
    plain("GDPR_CALL_TIMEOUT", "call_timeout", Some("60s"), "how long an API call may take"),
    plain(
        "GDPR_SEND_LEASE",
        "send_lease",
        Some("120s"),
        "after this long without a recorded answer a batch is unknown; more than GDPR_CALL_TIMEOUT",
    ),
    plain(
        "GDPR_UNKNOWN_WAIT_DELETION",
        "unknown_wait_deletion",
        Some("5m"),
        "how long a deletion whose answer was lost waits before it is sent again",
    ),
    plain(
        "GDPR_UNKNOWN_WAIT_RETRIEVAL",
        "unknown_wait_retrieval",
        Some("30m"),
        "the same for a retrieval, where a second task is expensive",
    ),
    plain(
        "GDPR_BACKOFF_MIN",
        "backoff_min",
        Some("60s"),
        "first wait after Mixpanel said that too much is outstanding (429), or did not answer",
    ),
    plain("GDPR_BACKOFF_MAX", "backoff_max", Some("1h"), "longest such wait"),
    plain(
        "GDPR_MISSING_WINDOW",
        "missing_window",
        Some("24h"),
        "how long NOT_FOUND must be said (at least five times) before a task is believed lost",
    ),
    plain(
        "GDPR_CONSENT_DEFAULT",
        "consent_default",
        Some("opted_in"),
        "what holds for a person nobody has asked: opted_in or opted_out",
    ),
    plain(
        "GDPR_GEOLOCATION",
        "geolocation",
        Some("on"),
        "whether Mixpanel may derive a place from an address: on or off",
    ),
    plain(
        "GDPR_PROPERTY_BLACKLIST",
        "property_blacklist",
        None,
        "property names that never leave, separated by commas",
    ),
    plain(
        "GDPR_ANONYMIZE_IDS",
        "anonymize_ids",
        Some("false"),
        "true: distinct_ids leave as keyed hashes",
    ),
    plain(
        "GDPR_PERSONAL_VALUES",
        "personal_values",
        Some("count"),
        "what to do with properties that look like e-mail addresses, phone or card numbers: count or drop",
    ),
    plain(
        "GDPR_EVENT_ENDPOINT",
        "event_endpoint",
        Some("import"),
        "where events are delivered: import (each one is checked) or track",
    ),
    plain(
        "GDPR_EVENT_RETENTION",
        "event_retention",
        Some("730d"),
        "how long Mixpanel keeps events (1825d for old projects): gives events_retained_until",
    ),
    plain(
        "GDPR_PROFILE_RETENTION",
        "profile_retention",
        Some("never"),
        "after how long without an event a profile is deleted, or never",
    ),
    plain(
        "GDPR_PROFILE_DELETIONS_PER_DAY",
        "profile_deletions_per_day",
        Some("1000"),
        "most profiles that end that way in a day; 0 deletes none and only counts",
    ),
    plain(
        "GDPR_INGEST_LISTEN",
        "ingest_listen",
        Some("off"),
        "address of the drop-in door for Mixpanel SDKs, or off",
    ),
    plain(
        "GDPR_INGEST_BODY_MAX",
        "ingest_body_max",
        Some("10MiB"),
        "largest body that the door takes, unpacked",
    ),
    plain(
        "GDPR_INGEST_RATE",
        "ingest_rate",
        Some("30000"),
        "most records a second that one door takes for one project",
    ),
    plain(
        "GDPR_INGEST_BACKLOG",
        "ingest_backlog",
        Some("1000000"),
        "most entries that may wait for delivery before the door asks clients to come later",
    ),
    plain(
        "GDPR_INGEST_BEHIND_PROXY",
        "ingest_behind_proxy",
        Some("false"),
        "true: the last address in X-Forwarded-For is the client's",
    ),
    plain(
        "GDPR_INGEST_URL",
        "ingest_url",
        None,
        "address at which people reach the door, for opt-out links",
    ),
    secret(
        "GDPR_APPLICATION_KEY",
        "application_key",
        "secret of 32 bytes or more that lets applications opt people out over HTTP, and signs opt-out links",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_and_keys_are_unique() {
        for (i, a) in SETTINGS.iter().enumerate() {
            assert!(SETTINGS[i + 1..].iter().all(|b| a.variable != b.variable && a.key != b.key));
        }
    }

    #[test]
    fn the_readme_has_every_setting_with_its_default() {
        let readme = include_str!("../../README.md");
        for setting in SETTINGS {
            let start = format!("| `{}`", setting.variable);
            let row = readme.lines().find(|line| line.starts_with(&start));
            let row = row.unwrap_or_default();
            assert!(!row.is_empty(), "{} is missing from the README", setting.variable);
            assert!(setting.default.is_none_or(|d| row.contains(&format!("`{d}`"))), "{row}");
        }
    }
}
