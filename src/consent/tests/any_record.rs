//! What holds for any record.

use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*, sample::select};

use super::{super::members::Members, *};

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
    "mp_country_code",
    "$country_code",
    "$country",
    "$timezone",
    "$geo_source",
    "$latitude",
    "$longitude",
    "$geolocation",
];
const LISTED: [&str; 2] = ["plan", "secret"];
const OPERATORS: [&str; 6] = ["$set", "$set_once", "$add", "$append", "$union", "$remove"];
/// In every id that is made here, and in nothing else.
const RAW: &str = "ID";

/// A member: its name and its value as JSON.
type Written = (String, String);

fn id() -> impl Strategy<Value = String> {
    let one = prop_oneof![
        (0..9_u8).prop_map(|n| format!("\"{RAW}{n}\"")),
        (0..9_u8).prop_map(|n| format!("\"$device:{RAW}{n}\"")),
        (0..9_u8).prop_map(|n| format!("\"\\u0049D{n}\"")),
        select(vec!["null".to_owned(), "true".to_owned(), "\"\"".to_owned()]),
    ];
    prop_oneof![4 => one.clone(), 1 => vec(one, 0..3).prop_map(|ids| format!("[{}]", ids.join(", ")))]
}

fn scalar() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_filter("JSON has none", |n| n.is_finite()).prop_map(|n| format!("{n:e}")),
        "[a-z \\-]{0,12}".prop_map(|text| Value::from(text).to_string()),
        select(vec![
            "null",
            "true",
            "\"ada@example.test\"",
            "\"+49 30 123456\"",
            "\"4111111111111111\"",
            "\"\\u00e9\""
        ])
        .prop_map(str::to_owned),
    ]
}

/// A name, some of them with an escape in it.
fn name() -> impl Strategy<Value = String> {
    let special = [
        &PLACES[..],
        &LISTED,
        &["ip", "$ip", "token", "time", "$insert_id", "$email", "$phone", "$os"],
    ];
    let name = prop_oneof![select(special.concat()).prop_map(str::to_owned), "[a-z]{1,3}"];
    (name, prop::bool::weighted(0.2)).prop_map(|(name, escaped)| match name.chars().last() {
        Some(last) if escaped => {
            format!("{}\\u{:04x}", &name[..name.len() - last.len_utf8()], u32::from(last))
        }
        _ => name,
    })
}

fn object(members: &[Written]) -> String {
    let members: Vec<String> =
        members.iter().map(|(name, value)| format!("\"{name}\" : {value}")).collect();
    format!("{{ {} }}", members.join(", "))
}

fn value() -> impl Strategy<Value = String> {
    scalar().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|items| format!("[ {} ]", items.join(","))),
            vec((name(), inner), 0..4).prop_map(|members| object(&members)),
        ]
    })
}

fn members() -> impl Strategy<Value = Vec<Written>> {
    let member = prop_oneof![
        3 => (name(), value()),
        1 => (select(IDS.to_vec()).prop_map(str::to_owned), id()),
    ];
    vec(member, 0..12)
}

fn any_event() -> impl Strategy<Value = String> {
    (members(), vec((name(), value()), 0..3)).prop_map(|(properties, mut top)| {
        top.push(("event".into(), "\"A\"".into()));
        top.push(("properties".into(), object(&properties)));
        object(&top)
    })
}

fn any_profile() -> impl Strategy<Value = String> {
    let operators = vec((select(OPERATORS.to_vec()).prop_map(str::to_owned), members()), 0..4);
    (operators, members(), 0..9_u8).prop_map(|(operators, mut top, n)| {
        top.extend(operators.into_iter().map(|(name, members)| (name, object(&members))));
        top.push(("$distinct_id".into(), format!("\"{RAW}{n}\"")));
        top.push(("$unset".into(), "[\"plan\"]".into()));
        object(&top)
    })
}

fn any_record() -> impl Strategy<Value = (RecordKind, String)> {
    prop_oneof![
        any_event().prop_map(|json| (Event, json)),
        any_profile().prop_map(|json| (Profile, json))
    ]
}

/// Every name with its value, at any depth.
fn each_member(value: &Value, look: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                look(name, value);
                each_member(value, look);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| each_member(item, look)),
        _ => {}
    }
}

fn is_opened(kind: RecordKind, name: &str) -> bool {
    match kind {
        Event => name == "properties",
        Profile => OPERATORS.contains(&name),
    }
}

/// The members of a record and of its properties or operators, by place and name, as they are written.
fn shallow(kind: RecordKind, json: &str) -> BTreeMap<(String, String), String> {
    let parse =
        |json: &str| -> BTreeMap<String, Box<RawValue>> { serde_json::from_str(json).unwrap() };
    let mut all = BTreeMap::new();
    for (name, value) in parse(json) {
        if is_opened(kind, &name) {
            let inner = parse(value.get());
            all.extend(inner.into_iter().map(|(n, v)| ((name.clone(), n), v.get().to_owned())));
        } else {
            all.insert((String::new(), name), value.get().to_owned());
        }
    }
    all
}

fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

/// Whether a name stands twice in an object of a value that was made here.
fn repeats_a_name(json: &str) -> bool {
    let mut names = 0;
    each_member(&parsed(json), &mut |_, _| names += 1);
    json.matches(" : ").count() != names
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_must_not_leave_leaves((kind, json) in any_record()) {
        let (text, _) = write_text(&strictest(), kind, &json).unwrap();
        let mut written: Value = serde_json::from_str(&text).unwrap();
        let mut found = Vec::new();
        each_member(&written, &mut |name, value| {
            let address = ["ip", "$ip"].contains(&name) && value != "0";
            if LISTED.contains(&name) || PLACES.contains(&name) || address {
                found.push(name.to_owned());
            }
        });
        prop_assert!(found.is_empty(), "{found:?} in {text}");
        prop_assert!(!text.contains(RAW), "an id in {text}");
        // The one number that is kept whatever it looks like: see `a_number_at_time_is_the_time`.
        if let Some(time) = written.pointer_mut("/properties/time").filter(|time| kind == Event && time.is_number()) {
            *time = Value::Null;
        }
        let rest = written.to_string();
        for personal in ["ada@", "+49 30", "4111111111111111"] {
            prop_assert!(!rest.contains(personal), "{personal} in {text}");
        }
    }

    #[test]
    fn every_name_stands_once((kind, json) in any_record()) {
        let (text, _) = write_text(&defaults(), kind, &json).unwrap();
        prop_assert_eq!(Members::read(&text, |_| false).unwrap().repeated, 0);
        for (name, value) in serde_json::from_str::<BTreeMap<String, Box<RawValue>>>(&text).unwrap() {
            if is_opened(kind, &name) {
                prop_assert_eq!(Members::read(value.get(), |_| false).unwrap().repeated, 0, "{}", name);
            }
        }
    }

    #[test]
    fn with_the_defaults_all_but_the_required_stays_byte_for_byte((kind, json) in any_record()) {
        let (text, changes) = write_text(&defaults(), kind, &json).unwrap();
        let (before, after) = (shallow(kind, &json), shallow(kind, &text));
        let required = ["token", "$token", "time", "$insert_id", "distinct_id"];
        for (place, value) in &before {
            if required.contains(&place.1.as_str()) {
                continue;
            }
            let left = after.get(place);
            if repeats_a_name(value) {
                prop_assert_eq!(left.map(|left| parsed(left)), Some(parsed(value)), "{:?}", place);
            } else {
                prop_assert_eq!(left, Some(value), "{:?}", place);
            }
        }
        for place in after.keys() {
            prop_assert!(before.contains_key(place) || required.contains(&place.1.as_str()), "{:?}", place);
        }
        let Changes { email, phone, card, .. } = changes;
        prop_assert_eq!(changes, Changes { email, phone, card, ..Changes::default() });
    }

    #[test]
    fn what_was_filtered_once_is_left_alone((kind, json) in any_record()) {
        let privacy = PrivacyConfig { anonymize_ids: false, ..strictest() };
        let (once, _) = write_text(&privacy, kind, &json).unwrap();
        let (twice, changes) = write_text(&privacy, kind, &once).unwrap();
        prop_assert_eq!(changes, Changes::default());
        prop_assert_eq!(serde_json::from_str::<Value>(&once).unwrap(), serde_json::from_str::<Value>(&twice).unwrap());
    }

    #[test]
    fn the_aliases_that_leave_are_those_of_the_people_who_are_looked_up((kind, json) in any_record()) {
        let filter = filter(&anonymizing());
        let record = Record::read(kind, raw(&json)).unwrap();
        let known: Vec<String> = record.people().iter()
            .filter_map(|id| filter.alias_of(id))
            .map(|alias| alias.expose().to_owned())
            .collect();
        let (text, _) = write_text(&anonymizing(), kind, &json).unwrap();
        for ((_, name), value) in shallow(kind, &text) {
            if IDS.contains(&name.as_str()) {
                let value: Value = serde_json::from_str(&value).unwrap();
                let ids = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
                for id in ids.iter().filter_map(Value::as_str).filter(|id| !id.is_empty()) {
                    prop_assert!(known.iter().any(|alias| alias == id), "{name} has an id nobody looks up");
                }
            }
        }
    }

    #[test]
    fn any_text_is_read_or_refused_and_never_breaks(json in "[\\[\\]{}\",:a$\\\\u0-9 ]{0,40}") {
        for record in records(json.as_bytes()).unwrap_or_default() {
            for kind in [Event, Profile] {
                if let Ok(record) = Record::read(kind, record) {
                    let _ = filter(&strictest()).write(&record, &ENTRY, &mut Vec::new());
                }
            }
        }
    }
}
