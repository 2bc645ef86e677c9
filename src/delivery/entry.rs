//! What an entry of the event stream asks to deliver.

use std::borrow::Cow;

use serde_json::json;

use super::Deliverer;
use crate::{
    consent::RecordKind,
    ledger::{EventEntry, opt_in_seal, seen_seal},
};

/// The records of an entry, as text.
pub(super) enum Content<'a> {
    /// JSON in the form of the kind.
    Records(RecordKind, Cow<'a, [u8]>),
    /// It cannot be delivered, for a reason.
    Unusable(&'static str),
}

/// Where an entry stands in the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) ms: u64,
    pub(super) seq: u64,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

impl Place {
    /// Reads it from an entry's id.
    pub(super) fn of(id: &str) -> Self {
        let (ms, seq) = id.split_once('-').unwrap_or((id, "0"));
        Self { ms: ms.parse().unwrap_or(0), seq: seq.parse().unwrap_or(0) }
    }
}

pub(super) fn place(entry: &EventEntry) -> Place {
    Place::of(&entry.id)
}

fn field<'a>(entry: &'a EventEntry, name: &str) -> Option<&'a [u8]> {
    let mut pairs = entry.fields.chunks_exact(2);
    pairs.find(|pair| pair[0] == name.as_bytes()).map(|pair| pair[1].as_slice())
}

/// Whether the producer asked that no place be derived from this payload.
pub(super) fn geolocation_off(entry: &EventEntry) -> bool {
    field(entry, "geolocation").is_some_and(|word| !matches!(word, b"on" | b"true" | b"1"))
}

/// Which lane an entry belongs to: profiles keep their order.
pub(super) fn is_profile(entry: &EventEntry) -> bool {
    field(entry, "profile").is_some() || field(entry, "profile_deletion").is_some()
}

/// The records of an entry. Our own entries hold nothing in clear; they are opened here.
pub(super) fn content<'a>(deliverer: &Deliverer, entry: &'a EventEntry) -> Content<'a> {
    const UNOPENABLE: &str =
        "it cannot be opened: was GDPR_PEPPER changed while events were waiting?";
    let payloads = entry.fields.chunks(2).filter(|pair| PAYLOADS.contains(&pair[0].as_slice()));
    if payloads.count() > 1 {
        return Content::Unusable("several fields with records: expected one entry for each");
    }
    let text = |name: &str| field(entry, name).and_then(|text| std::str::from_utf8(text).ok());
    if let Some(json) = field(entry, "event") {
        return Content::Records(RecordKind::Event, Cow::Borrowed(json));
    }
    if let Some(json) = field(entry, "profile") {
        return Content::Records(RecordKind::Profile, Cow::Borrowed(json));
    }
    if let (Some(sealed), Some(request)) = (field(entry, "opt_in"), text("request")) {
        return match deliverer.vault.open_bytes(&opt_in_seal(request), sealed) {
            Ok(json) => Content::Records(RecordKind::Event, Cow::Owned(json)),
            Err(_) => Content::Unusable(UNOPENABLE),
        };
    }
    if let (Some(sealed), Some(tag)) = (field(entry, "profile_deletion"), text("tag")) {
        return match deliverer.vault.open_bytes(&seen_seal(tag), sealed) {
            Ok(id) => {
                let id = String::from_utf8_lossy(&id);
                // Exactly this id: an alias must not take the profile that it stands for with it.
                let record = json!({"$distinct_id": id, "$delete": null, "$ignore_alias": true});
                Content::Records(RecordKind::Profile, Cow::Owned(record.to_string().into_bytes()))
            }
            Err(_) => Content::Unusable(UNOPENABLE),
        };
    }
    Content::Unusable(
        "no field event or profile: expected XADD … * event '<JSON>' or profile '<JSON>'",
    )
}

/// Fields that hold records; an entry has one of them.
const PAYLOADS: [&[u8]; 4] = [b"event", b"profile", b"opt_in", b"profile_deletion"];

/// What this service itself has put on the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ours<'a> {
    /// Nothing: it is a producer's.
    No,
    /// The event of an opt-in.
    OptIn,
    /// The deletion of a profile without events, by the tag of its person.
    ProfileDeletion(&'a str),
}

impl<'a> Ours<'a> {
    pub(super) fn of(entry: &'a EventEntry) -> Self {
        if field(entry, "opt_in").is_some() {
            return Self::OptIn;
        }
        let tag = field(entry, "tag").and_then(|tag| std::str::from_utf8(tag).ok());
        match (field(entry, "profile_deletion"), tag) {
            (Some(_), Some(tag)) => Self::ProfileDeletion(tag),
            _ => Self::No,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str, fields: &[&str]) -> EventEntry {
        EventEntry {
            id: id.to_owned(),
            fields: fields.iter().map(|f| f.as_bytes().to_vec()).collect(),
        }
    }

    #[test]
    fn the_place_is_read_from_the_id() {
        assert_eq!(place(&entry("1795000000000-7", &[])), Place { ms: 1_795_000_000_000, seq: 7 });
    }

    #[test]
    fn fields_are_found_by_name_and_not_by_value() {
        let tricky = entry("1-1", &["geolocation", "profile", "event", "{}"]);
        assert!(!is_profile(&tricky));
        // A word that nobody knows forbids.
        assert!(geolocation_off(&tricky));
        assert!(!geolocation_off(&entry("1-1", &["event", "{}", "geolocation", "on"])));
        assert!(geolocation_off(&entry("1-1", &["event", "{}", "geolocation", "off"])));
        assert!(is_profile(&entry("1-1", &["profile", "{}"])));
    }
}
