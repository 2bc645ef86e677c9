//! The settings of consent and of the privacy filter.

use std::time::Duration;

use gdpr_jobs::ConsentState;
use secrecy::{ExposeSecret, SecretString};

use super::{
    ConfigError,
    project::{duration, number, switch, variable},
    source::Sources,
};

/// A shorter key could be guessed.
const LEAST_KEY_BYTES: usize = 32;

/// Where events are delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventEndpoint {
    /// `/import`: Mixpanel checks each event and says which it refuses.
    Import,
    /// `/track`: what the SDKs use; an event that Mixpanel drops is not told of.
    Track,
}

/// Consent and the privacy filter of one project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivacyConfig {
    /// What holds for a person nobody has asked.
    pub consent_default: ConsentState,
    /// Whether Mixpanel may derive a place from an address.
    pub geolocation: bool,
    /// Names of properties that never leave.
    pub property_blacklist: Vec<String>,
    /// Whether ids leave as keyed hashes.
    pub anonymize_ids: bool,
    /// Whether properties that look like e-mail addresses, phone or card numbers are dropped.
    pub drop_personal_values: bool,
    /// Where events are delivered.
    pub event_endpoint: EventEndpoint,
    /// How long Mixpanel keeps events.
    pub event_retention: Duration,
    /// After how long without an event a profile is deleted.
    pub profile_retention: Option<Duration>,
    /// Most profiles that end that way in a day; none is a dry run.
    pub profile_deletions_per_day: usize,
}

pub(super) fn privacy(s: &Sources<'_>) -> Result<PrivacyConfig, ConfigError> {
    let text = |key: &str| s.text(key).map(|(text, _)| text).unwrap_or_default();
    Ok(PrivacyConfig {
        consent_default: consent_default(s)?,
        geolocation: one_of(
            s,
            "geolocation",
            &[("on", true), ("off", false), ("true", true), ("false", false)],
        )?,
        property_blacklist: text("property_blacklist")
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect(),
        anonymize_ids: switch(s, "anonymize_ids")?,
        drop_personal_values: one_of(s, "personal_values", &[("count", false), ("drop", true)])?,
        event_endpoint: one_of(
            s,
            "event_endpoint",
            &[("import", EventEndpoint::Import), ("track", EventEndpoint::Track)],
        )?,
        event_retention: duration(s, "event_retention")?,
        profile_retention: match text("profile_retention").as_str() {
            "never" => None,
            _ => Some(duration(s, "profile_retention")?),
        },
        profile_deletions_per_day: number(s, "profile_deletions_per_day", 0..=10_000_000)?,
    })
}

pub(super) fn application_key(s: &Sources<'_>) -> Result<Option<SecretString>, ConfigError> {
    let Some(secret) = s.secret("application_key")? else { return Ok(None) };
    let bytes = secret.value.expose_secret().len();
    if bytes >= LEAST_KEY_BYTES {
        return Ok(Some(secret.value));
    }
    Err(ConfigError::invalid(
        "GDPR_APPLICATION_KEY",
        format!("a text of {bytes} bytes"),
        format!("{LEAST_KEY_BYTES} bytes or more (gdpr-worker check --make-pepper prints some)"),
    ))
}

pub(super) fn consent_default(s: &Sources<'_>) -> Result<ConsentState, ConfigError> {
    let words = [("opted_in", ConsentState::OptedIn), ("opted_out", ConsentState::OptedOut)];
    one_of(s, "consent_default", &words)
}

/// One word of a few, and what it stands for.
fn one_of<T: Copy>(s: &Sources<'_>, key: &str, words: &[(&str, T)]) -> Result<T, ConfigError> {
    let (text, _) = s.text(key).unwrap_or_default();
    if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
        return Ok(*meaning);
    }
    let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    Err(ConfigError::invalid(variable(key), format!("{text:?}"), words.join(" or ")))
}
