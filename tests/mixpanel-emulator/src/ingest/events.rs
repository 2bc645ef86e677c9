//! Events: `/track` believes nearly all, `/import` checks each one.

use std::collections::HashSet;

use data_encoding::BASE64;
use serde_json::{Value, json};

use super::{Record, validate};
use crate::call::{Call, Reply};
use crate::forms::Toggle;
use crate::gdpr::shapes::project_id;
use crate::kind::Kind;
use crate::settings::Settings;
use crate::state::State;

/// Stores the events of `/track` and says which it stored, and whether any was valid: an unknown token is not noticed.
pub(super) fn track(
    state: &mut State,
    records: &[Record],
    bad: &HashSet<usize>,
) -> (Vec<bool>, bool) {
    let (mut accepted, mut any_valid) = (Vec::with_capacity(records.len()), false);
    for (index, record) in records.iter().enumerate() {
        let token = record.token(Kind::Track).unwrap_or_default();
        let valid = record.event().is_string() && !token.is_empty() && !bad.contains(&index);
        let known = valid && state.settings.oauth_of(token).is_some();
        if known {
            ingest(state, token, record);
        }
        accepted.push(known);
        any_valid |= valid;
    }
    (accepted, any_valid)
}

fn ingest(state: &mut State, project: &str, record: &Record) {
    if state.settings.store_events.pick(&mut state.dice) == Toggle::On {
        store(state, project, &record.value());
    }
}

/// Stores an event in the form of the exports: whole seconds, no token, no address. An event
/// without an id belongs to nobody that a retrieval could name, and `$ignore` drops it.
pub(crate) fn store(state: &mut State, project: &str, record: &Value) {
    let mut properties = record["properties"].as_object().cloned().unwrap_or_default();
    let Some(id) = properties.get("distinct_id").and_then(Value::as_str).map(str::to_owned) else {
        return;
    };
    if properties.contains_key("$ignore") {
        return;
    }
    let now = state.clock.date().timestamp();
    let time = properties.get("time").and_then(Value::as_f64).map_or(now, validate::in_seconds);
    properties.insert("time".to_owned(), time.into());
    properties.retain(|name, _| name != "token" && name != "ip");
    let event = json!({ "event": record["event"], "properties": properties });
    state.people.add_event(project, &id, event);
}

/// The answer to an import without credentials that fit.
pub(super) fn no_credentials() -> Reply {
    answer(401, json!({"error": "Invalid credentials", "status": "Unauthorized"}))
}

/// The answer to an import that cannot be read.
pub(super) fn unreadable(message: &str) -> Reply {
    answer(400, json!({"error": message, "status": "Bad Request"}))
}

/// Carries out an `/import` and says which events were good. They are stored even if others are not.
pub(super) fn import(
    state: &mut State,
    call: &Call,
    project: &str,
    records: &[Record],
    bad: &HashSet<usize>,
) -> (Vec<bool>, Reply) {
    let (now, mut failed) = (state.clock.date().timestamp(), Vec::new());
    let mut accepted = Vec::with_capacity(records.len());
    for (index, record) in records.iter().enumerate() {
        let fault = validate::import_fault(record, now)
            .map(|(field, message)| (field, message.to_owned()))
            .or_else(|| bad.contains(&index).then(|| quoting(record)));
        accepted.push(fault.is_none());
        match fault {
            None => ingest(state, project, record),
            Some((field, message)) => failed.push(json!({
                "index": index, "$insert_id": record.insert_id(),
                "field": field, "message": message,
            })),
        }
    }
    let imported = records.len() - failed.len();
    if failed.is_empty() || !call.flag("strict") {
        let reply = answer(200, json!({"num_records_imported": imported, "status": "OK"}));
        return (accepted, reply);
    }
    let reply = answer(
        400,
        json!({
            "error": "some data points in the request failed validation",
            "status": "Bad Request", "num_records_imported": imported, "failed_records": failed,
        }),
    );
    (accepted, reply)
}

/// A complaint that repeats the person's id, as a real one may.
fn quoting(record: &Record) -> (&'static str, String) {
    let id = record.distinct_id().as_str().unwrap_or_default();
    ("properties.distinct_id", format!("'distinct_id' is invalid: {id}, \"{id}\""))
}

fn answer(status: u16, mut body: Value) -> Reply {
    body["code"] = json!(status);
    Reply::json(status, &body)
}

/// The project of an import: its token as Basic user without password, or a service account
/// (any user with a secret) that names the project's number.
pub(super) fn importer(settings: &Settings, call: &Call) -> Option<String> {
    let basic = call.authorization.as_deref()?.strip_prefix("Basic ")?;
    let decoded = BASE64.decode(basic.as_bytes()).ok().and_then(|b| String::from_utf8(b).ok());
    let pair = decoded.unwrap_or_else(|| basic.to_owned());
    let (user, secret) = pair.split_once(':')?;
    if secret.is_empty() {
        return settings.oauth_of(user).map(|_| user.to_owned());
    }
    let number = call.query("project_id")?;
    let mut tokens = settings.all_projects().map(|(token, _)| token);
    tokens.find(|token| project_id(token).to_string() == number).map(str::to_owned)
}
