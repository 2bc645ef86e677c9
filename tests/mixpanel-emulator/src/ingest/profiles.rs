//! Profiles: the operators of `/engage`; `/groups` is only checked, people are what counts here.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::Record;
use crate::kind::Kind;
use crate::state::State;

const OPERATORS: [&str; 8] =
    ["$set", "$set_once", "$add", "$append", "$remove", "$union", "$unset", "$delete"];

/// Carries updates out and says which, and whether any was valid: an unknown token is not noticed.
pub(super) fn update(
    state: &mut State,
    records: &[Record],
    kind: Kind,
    bad: &HashSet<usize>,
) -> (Vec<bool>, bool) {
    let (mut accepted, mut any_valid) = (Vec::with_capacity(records.len()), false);
    for (index, record) in records.iter().enumerate() {
        let owner = record.owner(kind).unwrap_or_default();
        let token = record.token(kind).unwrap_or_default();
        let record = record.value();
        let operators = OPERATORS.iter().any(|operator| record.get(operator).is_some());
        let valid = operators && ![owner, token].contains(&"") && !bad.contains(&index);
        let known = valid && state.settings.oauth_of(token).is_some();
        accepted.push(known);
        any_valid |= valid;
        if let (true, Kind::Engage, Some(update)) = (known, kind, record.as_object()) {
            apply(state, token, owner, update);
        }
    }
    (accepted, any_valid)
}

/// Stores a profile in the form of the exports.
pub(crate) fn store(state: &mut State, project: &str, id: &str, properties: &Map<String, Value>) {
    state.people.profile(project, id).extend(properties.clone());
}

fn apply(state: &mut State, project: &str, id: &str, record: &Map<String, Value>) {
    if record.contains_key("$delete") {
        state.people.delete_profile(project, id);
        return;
    }
    let profile = state.people.profile(project, id);
    for operator in OPERATORS {
        match record.get(operator) {
            Some(Value::Object(values)) => {
                for (name, value) in values {
                    operate(profile, operator, name, value);
                }
            }
            Some(Value::Array(names)) if operator == "$unset" => {
                profile.retain(|name, _| !names.iter().any(|unset| unset == name.as_str()));
            }
            _ => {}
        }
    }
}

fn operate(profile: &mut Map<String, Value>, operator: &str, name: &str, value: &Value) {
    let old = profile.get(name).cloned();
    let list = || old.as_ref().and_then(Value::as_array).cloned().unwrap_or_default();
    let new = match operator {
        "$set_once" => old.unwrap_or_else(|| value.clone()),
        "$add" => add(old.as_ref(), value),
        "$append" => list().into_iter().chain([value.clone()]).collect(),
        "$remove" => list().into_iter().filter(|member| member != value).collect(),
        "$union" => {
            let mut members = list();
            for member in value.as_array().into_iter().flatten() {
                if !members.contains(member) {
                    members.push(member.clone());
                }
            }
            members.into()
        }
        _ => value.clone(),
    };
    profile.insert(name.to_owned(), new);
}

/// Whole numbers stay whole.
fn add(old: Option<&Value>, value: &Value) -> Value {
    let old = old.cloned().unwrap_or_else(|| json!(0));
    match (old.as_i64(), value.as_i64()) {
        (Some(old), Some(value)) => json!(old.saturating_add(value)),
        _ => json!(old.as_f64().unwrap_or(0.0) + value.as_f64().unwrap_or(0.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(operator: &str, old: &Value, value: &Value) -> Value {
        let mut profile = Map::new();
        if !old.is_null() {
            profile.insert("x".to_owned(), old.clone());
        }
        operate(&mut profile, operator, "x", value);
        profile["x"].clone()
    }

    #[test]
    fn operators_do_what_their_names_say() {
        for (operator, old, value, expected) in [
            ("$set", json!(1), json!(2), json!(2)),
            ("$set_once", json!(1), json!(2), json!(1)),
            ("$set_once", Value::Null, json!(2), json!(2)),
            ("$add", json!(1), json!(2), json!(3)),
            ("$add", Value::Null, json!(0.5), json!(0.5)),
            ("$append", json!([1]), json!(2), json!([1, 2])),
            ("$remove", json!([1, 2]), json!(1), json!([2])),
            ("$union", json!([1]), json!([1, 2]), json!([1, 2])),
        ] {
            assert_eq!(after(operator, &old, &value), expected, "{operator}");
        }
    }
}
