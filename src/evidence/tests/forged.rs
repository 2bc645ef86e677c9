//! Statements that were changed after they were signed, or signed by somebody else.

use serde_json::{Map, Value};

use super::{super::*, checkpoints, key, ledger, receipts};

fn line_of_a_checkpoint() -> String {
    checkpoints(&ledger(5)).usable[0].0.sign(&key(1)).unwrap()
}

fn line_of_a_receipt() -> String {
    receipts::of_a_deletion().sign(&key(1)).unwrap()
}

#[test]
fn no_bit_can_be_flipped() {
    // Of the longer one, one bit of each byte.
    for (line, step) in [(line_of_a_checkpoint(), 1), (line_of_a_receipt(), 8)] {
        Opened::read(&line).unwrap();
        for at in 0..line.len() {
            for bit in (at % step..8).step_by(step) {
                let mut bytes = line.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                let Ok(flipped) = String::from_utf8(bytes) else { continue };
                assert!(Opened::read(&flipped).is_err(), "byte {at}, bit {bit}");
            }
        }
    }
}

/// Each way to another value, or to another member, anywhere within.
fn changed(value: &Value) -> Vec<Value> {
    match value {
        Value::Bool(truth) => vec![(!truth).into()],
        Value::Number(number) => vec![(number.as_u64().unwrap() + 1).into()],
        Value::String(text) => vec![format!("{text}0").into()],
        Value::Array(list) => {
            let mut all = vec![Value::Array(list.iter().skip(1).cloned().collect())];
            for (i, item) in list.iter().enumerate() {
                for other in changed(item) {
                    let mut list = list.clone();
                    list[i] = other;
                    all.push(list.into());
                }
            }
            all.retain(|other| other != value);
            all
        }
        Value::Object(object) => {
            let mut all = Vec::new();
            for (name, item) in object {
                let mut without = object.clone();
                without.remove(name);
                all.push(without.into());
                for other in changed(item) {
                    let mut object = object.clone();
                    object.insert(name.clone(), other);
                    all.push(object.into());
                }
            }
            all
        }
        Value::Null => Vec::new(),
    }
}

#[test]
fn no_field_can_be_changed_or_left_out() {
    for line in [line_of_a_checkpoint(), line_of_a_receipt()] {
        let whole: Value = serde_json::from_str(&line).unwrap();
        let all = changed(&whole);
        assert!(all.len() > 10);
        for other in all {
            let Value::Object(other) = other else { unreachable!() };
            let text = canonical::write(&other).unwrap();
            assert!(Opened::read(&text).is_err(), "{text}");
        }
    }
}

#[test]
fn the_same_content_in_another_form_is_refused() {
    let line = line_of_a_checkpoint();
    let pretty: Map<String, Value> = serde_json::from_str(&line).unwrap();
    let pretty = serde_json::to_string_pretty(&pretty).unwrap();
    assert_eq!(Opened::read(&pretty).unwrap_err(), StatementError::NotCanonical);
    // A reader that takes the first of two members would see something else than one that takes the last.
    let twice = line.replacen('{', r#"{"at":"2020-01-01T00:00:00Z","#, 1);
    assert_eq!(Opened::read(&twice).unwrap_err(), StatementError::NotCanonical);
}

#[test]
fn a_statement_of_one_kind_is_not_taken_for_another() {
    let checkpoint = Opened::read(&line_of_a_checkpoint()).unwrap();
    assert!(matches!(Receipt::of(&checkpoint), Err(StatementError::Kind(..))));
    let receipt = Opened::read(&line_of_a_receipt()).unwrap();
    assert!(matches!(Checkpoint::of(&receipt), Err(StatementError::Kind(..))));
    Receipt::of(&receipt).unwrap();
}

#[test]
fn a_good_signature_of_somebody_else_does_not_count() {
    let checkpoint = checkpoints(&ledger(5)).usable[0].0.clone();
    let line = checkpoint.sign(&key(2)).unwrap();
    Opened::read(&line).unwrap();
    let mut read = Checkpoints::default();
    read.add("c", &line, "p", &[key(1).public()]);
    assert!(read.usable.is_empty() && read.bad[0].1.contains("expected one of the keys given"));
}

#[test]
fn of_a_file_what_is_torn_or_of_another_project_is_left_out_and_what_is_forged_is_told() {
    let line = line_of_a_checkpoint();
    let forged = line.replace("\"events\":5", "\"events\":4");
    let text = format!("{line}\n{}\n{forged}\n\n{line}\n", &line[..40]);
    let mut read = Checkpoints::default();
    read.add("file", &text, "p", &[key(1).public()]);
    assert_eq!((read.usable.len(), read.ignored, read.foreign), (2, 1, 0));
    assert!(read.bad[0].0 == "file, line 3" && read.bad[0].1.contains("signature"));
    let mut other = Checkpoints::default();
    other.add("file", &line, "q", &[key(1).public()]);
    assert_eq!((other.usable.len(), other.foreign), (0, 1));
}
