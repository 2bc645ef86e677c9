//! Events and profile updates on their way out: what must not leave does not, whatever they look like.
//!
//! The first byte switches rules on, the rest is the JSON of an entry. Each record is read as an event and as a profile
//! update.
//!
//! Dictionary: json
#![no_main]

use std::{sync::LazyLock, time::Duration};

use fuzz::{each_object, items, members};
use gdpr_jobs::{ConsentState, DistinctId, Pepper};
use gdpr_worker::{
    config::{EventEndpoint, PrivacyConfig},
    consent::{Filter, Origin, Record, RecordKind, Verdict, records, verdict},
};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// Who opted out. Everybody else did not say anything.
const OUT: [&str; 3] = ["OUT", "$device:OUT", "42"];
const IDS: [&str; 11] = [
    "distinct_id",
    "$distinct_id",
    "$user_id",
    "$device_id",
    "$anon_id",
    "$anon_distinct_id",
    "$identified_id",
    "$distinct_id_before_identity",
    "mp_original_distinct_id",
    "alias",
    "$distinct_ids",
];
const PLACES: [&str; 10] = [
    "$city",
    "$region",
    "$country",
    "$country_code",
    "mp_country_code",
    "$timezone",
    "$geo_source",
    "$latitude",
    "$longitude",
    "$geolocation",
];
const ADDRESSES: [&str; 2] = ["ip", "$ip"];
const OPERATORS: [&str; 6] = ["$set", "$set_once", "$add", "$append", "$union", "$remove"];
/// What a profile deletion may leave with.
const WITH_A_DELETION: [&str; 9] = [
    "$token",
    "$distinct_id",
    "$user_id",
    "$device_id",
    "$delete",
    "$ip",
    "$ignore_alias",
    "$ignore_time",
    "$had_persisted_distinct_id",
];
/// None of these is protected anywhere.
const LISTED: [&str; 3] = ["plan", "secret", "$os"];
const TOKEN: &str = "project-token";

/// Which rules hold, by the bits of a byte.
#[derive(Clone, Copy)]
struct Rules(u8);

impl Rules {
    const ALL: u8 = 32;

    fn geolocation(self) -> bool {
        self.0 & 1 == 0
    }
    fn blacklist(self) -> bool {
        self.0 & 2 != 0
    }
    fn anonymize(self) -> bool {
        self.0 & 4 != 0
    }
    fn drop_personal(self) -> bool {
        self.0 & 8 != 0
    }
    fn track(self) -> bool {
        self.0 & 16 != 0
    }

    fn filter(self) -> Filter {
        let listed = if self.blacklist() { &LISTED[..] } else { &[] };
        let privacy = PrivacyConfig {
            consent_default: ConsentState::OptedIn,
            geolocation: self.geolocation(),
            property_blacklist: listed.iter().map(ToString::to_string).collect(),
            anonymize_ids: self.anonymize(),
            drop_personal_values: self.drop_personal(),
            event_endpoint: if self.track() { EventEndpoint::Track } else { EventEndpoint::Import },
            event_retention: Duration::ZERO,
            profile_retention: None,
            profile_deletions_per_day: 0,
        };
        let pepper = Pepper::new("0123456789abcdef0123456789abcdef".into()).expect("a pepper");
        Filter::new(&privacy, &pepper, &"p".parse().expect("a name"), &TOKEN.into())
    }
}

static FILTERS: LazyLock<Vec<Filter>> =
    LazyLock::new(|| (0..Rules::ALL).map(|rules| Rules(rules).filter()).collect());

fuzz_target!(|data: &[u8]| {
    let Some((&rules, json)) = data.split_first() else { return };
    let rules = Rules(rules % Rules::ALL);
    let Ok(records) = records(json) else { return };
    for (index, raw) in records.into_iter().enumerate().take(4) {
        for kind in [RecordKind::Event, RecordKind::Profile] {
            if let Ok(record) = Record::read(kind, raw) {
                leaving(rules, kind, &record, index, raw);
            }
        }
    }
});

fn leaving(rules: Rules, kind: RecordKind, record: &Record<'_>, index: usize, json: &str) {
    let filter = &FILTERS[usize::from(rules.0)];
    let origin =
        Origin { entry_ms: 1_700_000_000_000, entry_seq: 2, index, geolocation_off: false };
    let mut out = b"before".to_vec();
    let written = filter.write(record, &origin, &mut out);
    let left = out.strip_prefix(b"before").expect("what was there before");
    if written.is_err() {
        assert!(left.is_empty(), "a refusal leaves something");
        return;
    }
    let left = std::str::from_utf8(left).expect("text");
    let mut again = Vec::new();
    filter.write(record, &origin, &mut again).expect("written once");
    assert_eq!(left.as_bytes(), again, "the same record is written otherwise");
    // An id of one byte becomes a hash of 64 with its prefix.
    assert!(left.len() <= 80 * json.len() + 1024, "{} bytes of {}", left.len(), json.len());

    wanted(rules, kind, left);
    consented(rules, kind, record, left);
    if rules.anonymize() {
        hashed(left);
    } else {
        settled(kind, filter, &origin, left);
    }
}

/// It has what it must have, each name once, and nothing that was to be left out.
fn wanted(rules: Rules, kind: RecordKind, left: &str) {
    let top = members(left).expect("one object");
    let get = |name: &str| top.iter().find(|(other, _)| other == name).map(|(_, value)| *value);
    match kind {
        RecordKind::Event => {
            let properties = members(get("properties").expect("properties")).expect("an object");
            let get = |name: &str| properties.iter().find(|(n, _)| n == name).map(|(_, v)| *v);
            let time = get("time").expect("a time");
            assert!(serde_json::from_str::<f64>(time).is_ok(), "{time}");
            let insert_id: String = text(get("$insert_id").expect("an insert id"));
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            assert!((1..=36).contains(&insert_id.len()) && insert_id.bytes().all(plain));
            assert!(get("distinct_id").is_some_and(|id| id != "null"), "nobody's event");
            assert!(!rules.track() || get("token").is_some());
            assert!(get("token").is_none_or(|token| text(token) == TOKEN));
        }
        RecordKind::Profile => {
            assert_eq!(text(get("$token").expect("a token")), TOKEN);
            assert!(get("$distinct_id").is_some());
        }
    }
    each_object(left, &mut |_, members| {
        for (at, (name, value)) in members.iter().enumerate() {
            let name = name.as_str();
            assert!(
                members[at + 1..].iter().all(|(other, _)| other != name),
                "{name} stands twice"
            );
            assert!(!rules.blacklist() || !LISTED.contains(&name), "{name} leaves");
            if !rules.geolocation() {
                assert!(!PLACES.contains(&name), "{name} leaves");
                assert!(!ADDRESSES.contains(&name) || *value == "\"0\"", "{name} leaves: {value}");
            }
        }
    });
}

fn text(value: &str) -> String {
    serde_json::from_str(value).expect("a text")
}

/// The members of a record and of what is opened in it: the places where ids count.
fn places<'a>(kind: RecordKind, json: &'a str) -> Vec<(String, &'a str)> {
    let mut all = Vec::new();
    for (name, value) in members(json).expect("an object") {
        let opened = match kind {
            RecordKind::Event => name == "properties",
            RecordKind::Profile => OPERATORS.contains(&name.as_str()),
        };
        match members(value).filter(|_| opened) {
            Some(inner) => all.extend(inner),
            None => all.push((name, value)),
        }
    }
    all
}

/// A record that names somebody who opted out is forbidden; a deletion of a profile leaves with nothing else.
fn consented(rules: Rules, kind: RecordKind, record: &Record<'_>, left: &str) {
    if record.is_profile_deletion() {
        let names = members(left).expect("an object");
        let alone = names.iter().all(|(name, _)| WITH_A_DELETION.contains(&name.as_str()));
        assert!(alone, "something leaves with a deletion");
        return;
    }
    let people = record.people();
    let said = people.iter().map(|id| OUT.contains(&id.expose()).then_some(ConsentState::OptedOut));
    if verdict(said, ConsentState::OptedIn) == Verdict::Forbidden || rules.anonymize() {
        return;
    }
    for (name, value) in places(kind, left) {
        if IDS.contains(&name.as_str()) {
            each_id(value, &mut |id| assert!(!is_out(id), "{name} names who opted out"));
        }
    }
}

/// The texts and numbers in the value of an id, in lists and in lists that stand in a text.
fn each_id(value: &str, look: &mut dyn FnMut(&str)) {
    match value.as_bytes().first() {
        Some(b'[') => items(value).expect("a list").into_iter().for_each(|one| each_id(one, look)),
        Some(b'"') => {
            look(value);
            let text = text(value);
            if text.trim_start().starts_with('[') && items(&text).is_some() {
                each_id(text.trim(), look);
            }
        }
        _ => look(value),
    }
}

fn is_out(id: &str) -> bool {
    match serde_json::from_str(id) {
        Ok(Value::String(id)) => OUT.contains(&id.as_str()),
        #[expect(clippy::float_cmp, reason = "the very number")]
        Ok(Value::Number(id)) => id.as_f64() == Some(42.0),
        _ => false,
    }
}

/// No id leaves but as a hash, at any depth.
fn hashed(left: &str) {
    each_object(left, &mut |_, members| {
        for (name, value) in members {
            if IDS.contains(&name.as_str()) && !value.starts_with('{') {
                only_hashes(name, value);
            }
        }
    });
}

fn only_hashes(name: &str, value: &str) {
    match value.as_bytes().first() {
        Some(b'[') => {
            items(value).expect("a list").into_iter().for_each(|one| only_hashes(name, one));
        }
        Some(b'"') => {
            let id = text(value);
            let list = name == "$distinct_ids" && id.starts_with('[');
            if let Some(list) = items(&id).filter(|_| list) {
                list.into_iter().for_each(|one| only_hashes(name, one));
                return;
            }
            let bare = id.strip_prefix("$device:").unwrap_or(&id);
            let is_hash = bare.len() == 64 && bare.bytes().all(|b| b.is_ascii_hexdigit());
            assert!(is_hash || DistinctId::new(&*id).is_reserved(), "{name} leaves as it was");
        }
        // Numbers that name nobody.
        Some(b'-' | b'0'..=b'9') => {
            let number: f64 = value.parse().expect("a number");
            assert!(number == 0.0 || number == -1.0, "{name} leaves as it was");
        }
        // A list in a value that is no place of people may hold objects, which are looked at by themselves.
        Some(b'{') => {}
        _ => assert!(matches!(value, "null" | "true" | "false"), "{name} has {value}"),
    }
}

/// What was filtered once is left alone. (The first time may move what was absent to the end.)
fn settled(kind: RecordKind, filter: &Filter, origin: &Origin, left: &str) {
    let twice = filtered(kind, filter, origin, left);
    assert_eq!(filtered(kind, filter, origin, &twice), twice, "it is never done");
}

fn filtered(kind: RecordKind, filter: &Filter, origin: &Origin, json: &str) -> String {
    let raw = records(json.as_bytes()).expect("what left is a record");
    let record = Record::read(kind, raw[0]).expect("what left can be read");
    let mut out = Vec::new();
    filter.write(&record, origin, &mut out).expect("what left may leave");
    String::from_utf8(out).expect("text")
}
