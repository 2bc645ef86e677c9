//! The filter through its front door: a record goes in, and what leaves is looked at.

#![expect(clippy::unwrap_used, reason = "tests")]

mod any_record;
mod events;
mod hiding;
mod people;
mod profiles;

use std::time::Duration;

use gdpr_jobs::{ConsentState, DistinctId, Pepper};
use secrecy::SecretString;
use serde_json::{Value, value::RawValue};

use super::{Changes, Filter, Origin, Record, RecordKind, Refusal, Unreadable, records};
use crate::config::{EventEndpoint, PrivacyConfig};

use RecordKind::{Event, Profile};

const TOKEN: &str = "project-token";
const ENTRY: Origin =
    Origin { entry_ms: 1_700_000_000_000, entry_seq: 2, index: 5, geolocation_off: false };

/// Everything at its default.
fn defaults() -> PrivacyConfig {
    PrivacyConfig {
        consent_default: ConsentState::OptedIn,
        geolocation: true,
        property_blacklist: Vec::new(),
        anonymize_ids: false,
        drop_personal_values: false,
        event_endpoint: EventEndpoint::Import,
        event_retention: Duration::ZERO,
        profile_retention: None,
        profile_deletions_per_day: 0,
    }
}

/// Everything switched on.
fn strictest() -> PrivacyConfig {
    PrivacyConfig {
        anonymize_ids: true,
        drop_personal_values: true,
        ..no_places(&["plan", "secret"])
    }
}

fn no_places(blacklist: &[&str]) -> PrivacyConfig {
    PrivacyConfig { geolocation: false, ..blacklisting(blacklist) }
}

fn blacklisting(names: &[&str]) -> PrivacyConfig {
    let property_blacklist = names.iter().map(ToString::to_string).collect();
    PrivacyConfig { property_blacklist, ..defaults() }
}

fn anonymizing() -> PrivacyConfig {
    PrivacyConfig { anonymize_ids: true, ..defaults() }
}

fn dropping() -> PrivacyConfig {
    PrivacyConfig { drop_personal_values: true, ..defaults() }
}

fn filter(privacy: &PrivacyConfig) -> Filter {
    let pepper = Pepper::new(SecretString::from("0123456789abcdef0123456789abcdef")).unwrap();
    Filter::new(privacy, &pepper, &"p".parse().unwrap(), &SecretString::from(TOKEN))
}

/// The form in which an id leaves from [`anonymizing`].
fn alias(id: &str) -> String {
    filter(&anonymizing()).alias_of(&DistinctId::new(id)).unwrap().expose().to_owned()
}

fn raw(json: &str) -> &str {
    serde_json::from_str::<&RawValue>(json).unwrap().get()
}

fn refused(kind: RecordKind, json: &str) -> Option<Unreadable> {
    Record::read(kind, raw(json)).err()
}

/// What leaves, as text.
fn write_text(
    privacy: &PrivacyConfig,
    kind: RecordKind,
    json: &str,
) -> Result<(String, Changes), Refusal> {
    let record = Record::read(kind, raw(json)).unwrap();
    let mut out = b"before".to_vec();
    let written = filter(privacy).write(&record, &ENTRY, &mut out);
    let text = String::from_utf8(out).unwrap();
    let text = text.strip_prefix("before").unwrap();
    assert!(written.is_ok() || text.is_empty(), "a refusal leaves something");
    written.map(|changes| (text.to_owned(), changes))
}

/// What leaves, and what was changed.
fn write(privacy: &PrivacyConfig, kind: RecordKind, json: &str) -> (Value, Changes) {
    let (text, changes) = write_text(privacy, kind, json).unwrap();
    (serde_json::from_str(&text).unwrap(), changes)
}

/// An event with what every event has, and these properties.
fn event(properties: &str) -> String {
    format!(
        r#"{{"event":"A","properties":{{"distinct_id":"u1","time":1700000000,"$insert_id":"i-1"{}{properties}}}}}"#,
        if properties.is_empty() { "" } else { "," },
    )
}

/// What leaves of an event's properties beside what every event has.
fn properties(privacy: &PrivacyConfig, own: &str) -> (Value, Changes) {
    let (mut written, changes) = write(privacy, Event, &event(own));
    let properties = written["properties"].as_object_mut().unwrap();
    for name in ["distinct_id", "time", "$insert_id"] {
        assert!(properties.remove(name).is_some(), "{name}");
    }
    (written["properties"].take(), changes)
}

/// What leaves of a profile update beside the token and the id.
fn update(privacy: &PrivacyConfig, own: &str) -> (Value, Changes) {
    let (mut written, changes) =
        write(privacy, Profile, &format!(r#"{{"$distinct_id":"u1",{own}}}"#));
    let members = written.as_object_mut().unwrap();
    assert_eq!(members.remove("$token").unwrap(), TOKEN);
    assert!(members.remove("$distinct_id").is_some());
    (written, changes)
}
