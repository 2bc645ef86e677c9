//! Events: `/track` believes nearly all, `/import` checks each one.

use data_encoding::BASE64;
use serde_json::{Value, json};

use super::body::BodyError;
use super::{too_large, validate};
use crate::call::{Call, Reply};
use crate::gdpr::shapes::project_id;
use crate::log::Entry;
use crate::settings::Settings;
use crate::state::State;

/// Stores the events of `/track`. One valid event is success; an unknown token is not noticed.
pub(super) fn track(state: &mut State, records: &[Value]) -> Result<(), String> {
    let mut valid = 0_usize;
    for record in records {
        let token = record["properties"]["token"].as_str().unwrap_or_default();
        if record["event"].is_string() && !token.is_empty() {
            valid += 1;
            if state.settings.oauth_of(token).is_some() {
                store(state, token, record);
            }
        }
    }
    if valid > 0 {
        Ok(())
    } else {
        Err("no valid event: 'event' and 'token' are needed".to_owned())
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

/// Carries out an `/import`. Good events are stored even if others are not.
pub(super) fn import(
    state: &mut State,
    call: &Call,
    records: Result<&[Value], &BodyError>,
    entry: &mut Entry,
) -> Reply {
    let Some(project) = importer(&state.settings, call) else {
        entry.acted = false;
        return answer(401, json!({"error": "Invalid credentials", "status": "Unauthorized"}));
    };
    entry.project = Some(project.clone());
    match records {
        Err(BodyError::TooLarge) => too_large(),
        Err(BodyError::Unreadable(message)) => {
            answer(400, json!({"error": message, "status": "Bad Request"}))
        }
        Ok(records) => import_all(state, call, &project, records),
    }
}

fn import_all(state: &mut State, call: &Call, project: &str, records: &[Value]) -> Reply {
    let (now, mut failed) = (state.clock.date().timestamp(), Vec::new());
    for (index, record) in records.iter().enumerate() {
        match validate::import_fault(record, now) {
            None => store(state, project, record),
            Some((field, message)) => failed.push(json!({
                "index": index, "$insert_id": record["properties"]["$insert_id"],
                "field": field, "message": message,
            })),
        }
    }
    let imported = records.len() - failed.len();
    if failed.is_empty() || !call.flag("strict") {
        return answer(200, json!({"num_records_imported": imported, "status": "OK"}));
    }
    answer(
        400,
        json!({
            "error": "some data points in the request failed validation",
            "status": "Bad Request", "num_records_imported": imported, "failed_records": failed,
        }),
    )
}

fn answer(status: u16, mut body: Value) -> Reply {
    body["code"] = json!(status);
    Reply::json(status, &body)
}

/// The project of an import: its token as Basic user without password, or a service account
/// (any user with a secret) that names the project's number.
fn importer(settings: &Settings, call: &Call) -> Option<String> {
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
