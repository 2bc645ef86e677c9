//! A split of its own, to compare with: it loads everything, and shares no code with the real one.

use std::{collections::BTreeMap, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::Value;

/// An object with all its pairs, also where a key stands twice.
struct Pairs<V>(Vec<(String, V)>);

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Pairs<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object<V>(PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for Object<V> {
            type Value = Pairs<V>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<V>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Object(PhantomData))
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Field {
    Object(Pairs<Value>),
    Other(Value),
}

const IDS: [&str; 5] =
    ["distinct_id", "$distinct_id", "$user_id", "$device_id", "$distinct_id_before_identity"];
const ONCE: [&str; 8] = [
    "event",
    "properties",
    "$properties",
    "distinct_id",
    "$distinct_id",
    "$user_id",
    "$device_id",
    "$distinct_id_before_identity",
];

#[derive(Default)]
struct Found {
    ids: Vec<String>,
    ambiguous: bool,
}

impl Found {
    fn keys<'k>(&mut self, keys: impl Iterator<Item = &'k str>) {
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        keys.filter(|key| ONCE.contains(key)).for_each(|key| *times.entry(key).or_default() += 1);
        self.ambiguous |= times.values().any(|&times| times > 1);
    }

    fn id(&mut self, key: &str, value: Option<&Value>) {
        let id = match value {
            Some(Value::String(id)) => id.clone(),
            Some(Value::Number(n)) if n.is_u64() || n.is_i64() => n.to_string(),
            Some(Value::Null) => return,
            Some(Value::Array(items)) => {
                self.ambiguous = true;
                for item in items {
                    self.id(key, Some(item));
                }
                return;
            }
            _ => {
                self.ambiguous = true;
                return;
            }
        };
        if key == "$device_id" {
            self.ids.push(match id.strip_prefix("$device:") {
                Some(bare) => bare.to_owned(),
                None => format!("$device:{id}"),
            });
        }
        self.ids.push(id);
    }
}

/// What a split should come to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::archive) struct Expected {
    /// Per request: its events, one a line; its profiles; what is no JSON.
    pub(in crate::archive) texts: Vec<[String; 3]>,
    pub(in crate::archive) quarantine: String,
    /// Requests that get no archive.
    pub(in crate::archive) in_doubt: Vec<usize>,
    pub(in crate::archive) given: u64,
    pub(in crate::archive) quarantined: u64,
}

/// Splits `records` among requests with these ids.
pub(in crate::archive) fn split(records: &[String], people: &[Vec<String>]) -> Expected {
    let person = |request: usize| {
        let mut of_person = vec![request];
        while let Some(next) = (0..people.len()).find(|other| {
            let shared =
                |known: &usize| people[*known].iter().any(|id| people[*other].contains(id));
            !of_person.contains(other) && of_person.iter().any(shared)
        }) {
            of_person.push(next);
        }
        of_person.sort_unstable();
        of_person
    };
    let alone = !people.is_empty() && person(0).len() == people.len();
    let mut expected =
        Expected { texts: vec![Default::default(); people.len()], ..Default::default() };
    let (mut doubt, mut stray) = (vec![false; people.len()], false);
    for record in records {
        let top = serde_json::from_str::<Pairs<Field>>(record).ok().map(|Pairs(top)| top);
        let mut found = Found::default();
        let has = |key: &str| top.iter().flatten().any(|(name, _)| name == key);
        let profile = !has("event") && (has("$distinct_id") || has("$properties"));
        found.keys(top.iter().flatten().map(|(key, _)| key.as_str()));
        for (key, field) in top.iter().flatten() {
            match field {
                Field::Object(Pairs(inner)) if key == "properties" => {
                    found.keys(inner.iter().map(|(key, _)| key.as_str()));
                    for (key, value) in inner.iter().filter(|(key, _)| IDS.contains(&key.as_str()))
                    {
                        found.id(key, Some(value));
                    }
                }
                _ if !IDS.contains(&key.as_str()) => {}
                Field::Object(_) => found.id(key, None),
                Field::Other(value) => found.id(key, Some(value)),
            }
        }
        if top.is_none() {
            let stands = |id: &&String| record.contains(&format!("\"distinct_id\":\"{id}\""));
            found.ids.extend(people.iter().flatten().filter(stands).cloned());
        }
        let holds = |request: &usize| people[*request].iter().any(|id| found.ids.contains(id));
        let mut named: Vec<usize> = (0..people.len()).filter(holds).collect();
        if alone && named.is_empty() {
            named = (0..people.len()).collect();
        }
        let several = named.first().is_some_and(|&first| {
            let one = person(first);
            named.iter().any(|request| !one.contains(request))
        });
        if alone || (top.is_some() && !found.ambiguous && !several && !named.is_empty()) {
            let part = if top.is_none() { 2 } else { usize::from(profile && !found.ambiguous) };
            for request in named {
                expected.texts[request][part].extend([record, "\n"]);
            }
            expected.given += 1;
            continue;
        }
        expected.quarantine.extend([record, "\n"]);
        expected.quarantined += 1;
        stray |= !several || found.ambiguous || top.is_none();
        for request in named {
            doubt[request] = true;
        }
        if found.ambiguous || top.is_none() {
            let bare = |id: &str| id.trim_start_matches("$device:").to_owned();
            let stands = |id: &String| {
                let of = [id.clone(), bare(id), format!("$device:{}", bare(id))];
                of.iter().any(|id| record.contains(&format!("\"{id}\"")))
            };
            for (request, ids) in people.iter().enumerate() {
                doubt[request] |= ids.iter().any(stands);
            }
        }
    }
    for (request, texts) in expected.texts.iter().enumerate() {
        if doubt[request] || (stray && !alone && texts.iter().all(String::is_empty)) {
            expected.in_doubt.push(request);
        }
    }
    expected
}
