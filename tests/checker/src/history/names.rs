//! Whom a record names, and its digest. Both are this crate's own reading of Mixpanel's documents.

use std::fmt::Write as _;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// Members that name a person, in the record, its `properties` or an operation on a profile.
const NAMING: [&str; 9] = [
    "distinct_id",
    "$distinct_id",
    "$user_id",
    "$identified_id",
    "$anon_id",
    "alias",
    "$alias",
    "$distinct_ids",
    "$device_id",
];

/// Every id that a record names, without repeats. A device counts with and without its prefix.
pub(super) fn of(record: &Value) -> Vec<String> {
    let mut ids = Vec::new();
    for part in [record, &record["properties"]] {
        for name in NAMING {
            let texts = part[name].as_str().into_iter();
            let lists = part[name].as_array().into_iter().flatten().filter_map(Value::as_str);
            for id in texts.chain(lists) {
                ids.push(id.to_owned());
                if name == "$device_id" {
                    ids.push(format!("$device:{id}"));
                }
            }
        }
    }
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// A digest of a record that does not depend on blanks or the order of members.
pub(super) fn digest(record: &Value) -> u128 {
    let mut text = String::new();
    write_sorted(record, &mut text);
    let hash = Sha256::digest(text.as_bytes());
    hash.iter().take(16).fold(0, |sum, byte| sum << 8 | u128::from(*byte))
}

fn write_sorted(value: &Value, out: &mut String) {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            out.push('{');
            for (name, value) in members {
                let _ = write!(out, "{name:?}:");
                write_sorted(value, out);
                out.push(',');
            }
            out.push('}');
        }
        Value::Array(values) => {
            out.push('[');
            for value in values {
                write_sorted(value, out);
                out.push(',');
            }
            out.push(']');
        }
        other => {
            let _ = write!(out, "{other}");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_record_names_everybody_in_it() {
        let record = json!({"event": "A", "properties": {"distinct_id": "u", "$device_id": "d", "$distinct_ids": ["x", "y"]}});
        assert_eq!(of(&record), ["$device:d", "d", "u", "x", "y"]);
        assert_eq!(of(&json!({"$distinct_id": "u", "$set": {}})), ["u"]);
    }

    #[test]
    fn a_digest_forgets_the_order_of_members_but_not_of_lists() {
        let one: Value = serde_json::from_str(r#"{"a":1,"b":[1,2]}"#).unwrap_or_default();
        let two: Value = serde_json::from_str(r#"{ "b": [1, 2], "a": 1 }"#).unwrap_or_default();
        assert_eq!(digest(&one), digest(&two));
        assert_ne!(digest(&one), digest(&json!({"a": 1, "b": [2, 1]})));
    }
}
