//! `--seed-people`: known people from a file, in the form of an export of lines.

use std::path::Path;

use serde_json::Value;

use crate::ingest::{store_event, store_profile};
use crate::state::State;

/// Gives every project the people of a file. Errors name the line, never what it holds.
pub(crate) fn load(state: &mut State, path: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let tokens = state.settings.all_projects().map(|(token, _)| token.to_owned());
    let tokens: Vec<String> = tokens.collect();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let record = serde_json::from_str::<Value>(line).ok().filter(Value::is_object);
        let record = record.ok_or_else(|| format!("line {}: expected a JSON object", index + 1))?;
        for token in &tokens {
            store(state, token, &record).map_err(|what| format!("line {}: {what}", index + 1))?;
        }
    }
    Ok(())
}

fn store(state: &mut State, project: &str, record: &Value) -> Result<(), &'static str> {
    if record["event"].is_string() && record["properties"]["distinct_id"].is_string() {
        store_event(state, project, record);
        return Ok(());
    }
    match (record["$distinct_id"].as_str(), record["$properties"].as_object()) {
        (Some(id), Some(properties)) => {
            store_profile(state, project, id, properties);
            Ok(())
        }
        _ => Err("expected an event with properties.distinct_id, or $distinct_id and $properties"),
    }
}
