//! The settings of one project: from texts to meanings, and the rules that hold between them.

use std::{ops::RangeInclusive, path::PathBuf, time::Duration};

use bytesize::ByteSize;
use gdpr_jobs::Project;
use secrecy::{ExposeSecret, SecretString};

use super::{
    ConfigError, EvidenceConfig, GuardConfig, PrivacyConfig, evidence, guard, privacy,
    settings::SETTINGS,
    source::{Secret, Sources},
};
use crate::ledger::{Pepper, Rules};

/// No time in a setting is longer: the arithmetic of dates and scripts is sure to hold what comes of it.
const LONGEST: Duration = Duration::from_secs(36_525 * 86_400);

/// Below this, an export of 2,000 people would be compressed in crumbs.
const LEAST_MEMORY: u64 = 4 * 1024 * 1024;

/// The settings of one project.
#[derive(Clone, Debug)]
pub struct ProjectConfig {
    /// Its name.
    pub project: Project,
    /// The secret behind its tags.
    pub pepper: Pepper,
    /// Token of the Mixpanel project.
    pub project_token: SecretString,
    /// GDPR OAuth token.
    pub oauth_token: Secret,
    /// `us`, `eu` or `in`.
    pub region: String,
    /// Other base URL of the GDPR API.
    pub api_url: Option<String>,
    /// Other base URL of the ingestion API.
    pub ingestion_url: Option<String>,
    /// Opens sealed exports.
    pub export_password: Option<SecretString>,
    /// Hosts that exports may come from; the default list when absent.
    pub export_hosts: Option<String>,
    /// Where archives are kept.
    pub archive_url: String,
    /// Whether archives have `events.csv`.
    pub archive_csv: bool,
    /// Whom archives are encrypted for.
    pub archive_recipient: Option<String>,
    /// Folder for exports while they are packaged.
    pub spool: Option<PathBuf>,
    /// The most that the spool may hold, in bytes.
    pub spool_max: u64,
    /// What the spool leaves free on its disk, in bytes.
    pub spool_reserve: u64,
    /// Largest export, unpacked, in bytes.
    pub export_max: u64,
    /// Memory for records while an export is split, in bytes.
    pub packaging_memory: usize,
    /// Threads that compress.
    pub packaging_threads: usize,
    /// How long an archive lives.
    pub archive_retention: Duration,
    /// Gap between two API calls.
    pub request_interval: Duration,
    /// Record retention, linger and batch sizes: what the ledger goes by.
    pub rules: Rules,
    /// Shortest time between two polls of a task.
    pub poll_min: Duration,
    /// Longest time between two polls of a task.
    pub poll_max: Duration,
    /// After this long the work of a dead worker is taken over.
    pub job_lease: Duration,
    /// How long an API call may take.
    pub call_timeout: Duration,
    /// How long an attempt may be without a recorded answer.
    pub send_lease: Duration,
    /// Quarantine of a deletion whose answer was lost.
    pub unknown_wait_deletion: Duration,
    /// Quarantine of a retrieval whose answer was lost.
    pub unknown_wait_retrieval: Duration,
    /// First wait after a 429 for outstanding work, and after no answer.
    pub backoff_min: Duration,
    /// Longest such wait.
    pub backoff_max: Duration,
    /// How long NOT_FOUND must be said before it is believed.
    pub missing_window: Duration,
    /// Signed checkpoints and receipts.
    pub evidence: EvidenceConfig,
    /// Consent and the privacy filter.
    pub privacy: PrivacyConfig,
    /// Whose documents are believed.
    pub guard: GuardConfig,
    /// Lets applications opt people out over HTTP, and signs opt-out links.
    pub application_key: Option<SecretString>,
}

pub(super) fn pepper(secret: Secret) -> Result<Pepper, ConfigError> {
    Pepper::new(secret.value).map_err(|e| ConfigError::invalid("GDPR_PEPPER", "too short", e))
}

fn required(
    sources: &Sources<'_>,
    key: &'static str,
    variable: &'static str,
    expected: &'static str,
) -> Result<Secret, ConfigError> {
    sources
        .secret(key)?
        .filter(|s| !s.value.expose_secret().trim().is_empty())
        .ok_or(ConfigError::Missing { variable, expected })
}

pub(super) fn project_config(
    project: Project,
    s: &Sources<'_>,
) -> Result<ProjectConfig, ConfigError> {
    let text = |key: &str| s.text(key).map(|(text, _)| text);
    let config = ProjectConfig {
        project,
        pepper: pepper(required(
            s,
            "pepper",
            "GDPR_PEPPER",
            "a secret of 32 bytes or more (gdpr-worker check --make-pepper prints one)",
        )?)?,
        project_token: required(
            s,
            "mixpanel_project_token",
            "MIXPANEL_PROJECT_TOKEN",
            "the token of the Mixpanel project",
        )?
        .value,
        oauth_token: required(
            s,
            "mixpanel_oauth_token",
            "MIXPANEL_OAUTH_TOKEN",
            "a GDPR OAuth token (Mixpanel: account settings, Data & Privacy)",
        )?,
        region: region(s)?,
        api_url: text("mixpanel_api_url"),
        ingestion_url: text("mixpanel_ingestion_url"),
        export_password: s.secret("mixpanel_export_password")?.map(|secret| secret.value),
        export_hosts: text("export_hosts"),
        archive_url: text("archive_url").unwrap_or_default(),
        archive_csv: switch(s, "archive_csv")?,
        archive_recipient: text("archive_recipient").filter(|text| !text.is_empty()),
        spool: text("spool").map(PathBuf::from),
        spool_max: bytes(s, "spool_max", 1)?,
        spool_reserve: bytes(s, "spool_reserve", 0)?,
        export_max: bytes(s, "export_max", 1)?,
        packaging_memory: usize::try_from(bytes(s, "packaging_memory", LEAST_MEMORY)?)
            .unwrap_or(usize::MAX),
        packaging_threads: number(s, "packaging_threads", 0..=64)?,
        archive_retention: duration(s, "archive_retention")?,
        request_interval: duration(s, "request_interval")?,
        rules: rules(s)?,
        poll_min: duration(s, "poll_min")?,
        poll_max: duration(s, "poll_max")?,
        job_lease: duration(s, "job_lease")?,
        call_timeout: duration(s, "call_timeout")?,
        send_lease: duration(s, "send_lease")?,
        unknown_wait_deletion: duration(s, "unknown_wait_deletion")?,
        unknown_wait_retrieval: duration(s, "unknown_wait_retrieval")?,
        backoff_min: duration(s, "backoff_min")?,
        backoff_max: duration(s, "backoff_max")?,
        missing_window: duration(s, "missing_window")?,
        evidence: evidence::evidence(s)?,
        privacy: privacy::privacy(s)?,
        guard: guard::guard(s)?,
        application_key: privacy::application_key(s)?,
    };
    check_together(&config)?;
    Ok(config)
}

/// What the ledger goes by.
pub(super) fn rules(s: &Sources<'_>) -> Result<Rules, ConfigError> {
    Ok(Rules {
        record_retention: duration(s, "record_retention")?,
        linger: duration(s, "linger")?,
        full_retrieval: number(s, "batch_retrieval", 1..=2000)?,
        full_deletion: number(s, "batch_deletion", 1..=1999)?,
        consent_default: privacy::consent_default(s)?,
        event_retention: duration(s, "event_retention")?,
        deletions_per_day: guard::deletions_per_day(s)?,
    })
}

/// Rules that hold between settings.
fn check_together(c: &ProjectConfig) -> Result<(), ConfigError> {
    let ordered = [
        (
            "GDPR_SEND_LEASE",
            c.send_lease > c.call_timeout,
            "more than GDPR_CALL_TIMEOUT, or an answer on its way would be called lost",
        ),
        ("GDPR_POLL_MAX", c.poll_max >= c.poll_min, "at least GDPR_POLL_MIN"),
        ("GDPR_BACKOFF_MAX", c.backoff_max >= c.backoff_min, "at least GDPR_BACKOFF_MIN"),
    ];
    match ordered.into_iter().find(|(_, holds, _)| !holds) {
        Some((variable, _, expected)) => Err(ConfigError::invalid(variable, "too short", expected)),
        None => Ok(()),
    }
}

fn region(s: &Sources<'_>) -> Result<String, ConfigError> {
    let (text, _) = s.text("mixpanel_region").unwrap_or_default();
    if ["us", "eu", "in"].contains(&text.as_str()) {
        return Ok(text);
    }
    Err(ConfigError::invalid("MIXPANEL_REGION", format!("{text:?}"), "us, eu or in"))
}

pub(super) fn variable(key: &str) -> &'static str {
    SETTINGS.iter().find(|s| s.key == key).map_or("", |s| s.variable)
}

pub(super) fn duration(s: &Sources<'_>, key: &str) -> Result<Duration, ConfigError> {
    let (text, _) = s.text(key).unwrap_or_default();
    match humantime::parse_duration(&text) {
        Ok(duration) if !duration.is_zero() && duration <= LONGEST => Ok(duration),
        Ok(duration) if duration > LONGEST => Err(ConfigError::invalid(
            variable(key),
            format!("{text:?}"),
            "a time of 100 years (36525d) at most",
        )),
        _ => Err(ConfigError::invalid(
            variable(key),
            format!("{text:?}"),
            "a time with a unit, such as 1100ms, 5s, 30m or 7d",
        )),
    }
}

pub(super) fn number(
    s: &Sources<'_>,
    key: &str,
    allowed: RangeInclusive<usize>,
) -> Result<usize, ConfigError> {
    let (text, _) = s.text(key).unwrap_or_default();
    match text.parse() {
        Ok(n) if allowed.contains(&n) => Ok(n),
        _ => Err(ConfigError::invalid(
            variable(key),
            format!("{text:?}"),
            format!("a number from {} to {}", allowed.start(), allowed.end()),
        )),
    }
}

/// A size such as 64MiB.
pub(super) fn bytes(s: &Sources<'_>, key: &str, least: u64) -> Result<u64, ConfigError> {
    let (text, _) = s.text(key).unwrap_or_default();
    match text.parse::<ByteSize>() {
        Ok(size) if size.as_u64() >= least => Ok(size.as_u64()),
        _ => Err(ConfigError::invalid(
            variable(key),
            format!("{text:?}"),
            format!("a size with a unit, such as 64MiB or 1GiB, of {} or more", ByteSize(least)),
        )),
    }
}

pub(super) fn switch(s: &Sources<'_>, key: &str) -> Result<bool, ConfigError> {
    let (text, _) = s.text(key).unwrap_or_default();
    text.parse()
        .map_err(|_| ConfigError::invalid(variable(key), format!("{text:?}"), "true or false"))
}
