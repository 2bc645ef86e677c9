//! Whose record it is.
//!
//! Records in the form that programs write are read by a fast reader, all others by a thorough one. Both must see the
//! same, and what they see for certain must be there for a reader that has nothing in common with them.
//!
//! Dictionary: json
#![no_main]

use fuzz::members;
use gdpr_worker::archive::fuzzing::{Owners, owners};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// Names under which ids stand, but for `$device_id`.
const IDS: [&str; 4] = ["distinct_id", "$distinct_id", "$user_id", "$distinct_id_before_identity"];
const DEVICE: &str = "$device_id";

fuzz_target!(|data: &[u8]| {
    let told = owners(data);
    // Only the thorough reader takes white space.
    assert_eq!(told, owners(&[b" ", data].concat()), "the readers disagree");
    assert_eq!(told, owners(&[data, b"\n"].concat()), "the readers disagree");
    if told.profile.is_some() {
        let text = std::str::from_utf8(data).expect("a record that was read");
        assert_eq!(sorted(told), sorted(expected(text)));
    }
});

fn sorted(mut owners: Owners) -> Owners {
    owners.ids.sort();
    owners.devices.sort();
    owners
}

/// What a record tells that is clear.
fn expected(text: &str) -> Owners {
    let mut owners = Owners::default();
    let Some(top) = members(text) else {
        // Half a character in a name: serde_json refuses to read it as text.
        panic!("a record was read for certain that is no object");
    };
    let has = |name: &str| top.iter().any(|(other, _)| other == name);
    owners.profile = Some(!has("event") && (has("$distinct_id") || has("$properties")));
    for (name, value) in &top {
        look(&mut owners, name, value);
        if name == "properties" && value.starts_with('{') {
            for (name, value) in members(value).expect("an object") {
                look(&mut owners, &name, value);
            }
        }
    }
    owners
}

fn look(owners: &mut Owners, name: &str, value: &str) {
    let ids = match name {
        DEVICE => &mut owners.devices,
        _ if IDS.contains(&name) => &mut owners.ids,
        _ => return,
    };
    match serde_json::from_str(value).expect("the value of an id") {
        Value::String(id) => ids.push(id),
        Value::Number(id) => {
            assert!(!id.is_f64(), "a fraction counts as an id");
            ids.push(id.to_string());
        }
        Value::Null => {}
        _ => panic!("an id that is none, and yet the record is clear"),
    }
}
