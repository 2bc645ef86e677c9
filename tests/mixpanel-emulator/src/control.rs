//! The emulator's own door: `/` and everything under `/_emulator/`. None of it is logged, limited
//! or touched by faults.

use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::call::{Call, Reply};
use crate::faults::RuleDocument;
use crate::ingested::Query;
use crate::state::State;
use crate::stats::{stats, tasks};
use crate::task::TaskStatus;

const ABOUT: &str = "mixpanel-emulator: a stand-in for Mixpanel's GDPR and ingestion APIs.\n\
    It holds made-up people only and forgets everything when it stops.\n\n\
    GDPR API       /api/app/data-retrievals/v3.0/  /api/app/data-deletions/v3.0/\n\
    Ingestion      /track  /import  /engage  /groups\n\
    Look inside    GET  /_emulator/log?since=SEQ  /_emulator/stats  /_emulator/tasks\n\
    \x20              GET  /_emulator/person?project=TOKEN&id=ID  /_emulator/health\n\
    \x20              GET  /_emulator/ingested?since=SEQ&kind=KIND&project=TOKEN\n\
    \x20              GET  /_emulator/delivered?task=ID\n\
    Command it     POST /_emulator/faults (GET lists, DELETE clears)  /_emulator/settings\n\
    \x20              POST /_emulator/clock  /_emulator/tasks  /_emulator/reset\n";

/// The answer to a control call; `None` if the path is not one.
pub(crate) fn answer(state: &mut State, call: &Call) -> Option<Reply> {
    if call.path != "/" && !call.path.starts_with("/_emulator") {
        return None;
    }
    let name = call.path.trim_start_matches("/_emulator").trim_matches('/');
    state.settle();
    Some(match (call.method.as_str(), name) {
        ("GET", "") => Reply::text(200, ABOUT),
        ("GET", "health") => Reply::json(200, &json!({"status": "ok"})),
        ("GET", "log") => log(state, call),
        ("GET", "ingested") => ingested(state, call),
        ("GET", "delivered") => {
            Reply::new(200, "application/x-ndjson", state.delivered(call.query("task")))
        }
        ("GET", "stats") => Reply::json(200, &stats(state)),
        ("GET", "tasks") => Reply::json(200, &tasks(state)),
        ("GET", "person") => person(state, call),
        ("GET", "faults") => Reply::json(200, &state.faults.list()),
        ("GET", "settings") => settings(state),
        ("GET", "clock") => clock(state),
        ("DELETE", "faults") => {
            state.faults.clear();
            Reply::json(200, &state.faults.list())
        }
        ("POST", "reset") => {
            state.reset();
            Reply::json(200, &json!({"status": "ok"}))
        }
        ("POST", command) => commanded(state, command, &call.body),
        _ => wrong(404, &format!("no {} {}; GET / lists what there is", call.method, call.path)),
    })
}

fn commanded(state: &mut State, command: &str, body: &Bytes) -> Reply {
    let outcome = match command {
        "faults" => parsed(body).and_then(|rules| add_rules(state, rules)),
        "settings" => parsed(body).and_then(|patch| patch_settings(state, patch)),
        "clock" => parsed(body).and_then(|advance| advance_clock(state, &advance)),
        "tasks" => parsed(body).and_then(|change| change_task(state, &change)),
        _ => return wrong(404, &format!("no POST {command}; GET / lists what there is")),
    };
    outcome.unwrap_or_else(|message| wrong(400, &message))
}

fn parsed<T: DeserializeOwned>(body: &Bytes) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

fn wrong(status: u16, message: &str) -> Reply {
    Reply::json(status, &json!({ "error": message }))
}

fn log(state: &State, call: &Call) -> Reply {
    let since = call.query("since").and_then(|seq| seq.parse().ok()).unwrap_or(0);
    Reply::new(200, "application/x-ndjson", state.log.lines_after(since))
}

/// A record that is missing from the answer must not look like one that never came.
fn ingested(state: &State, call: &Call) -> Reply {
    let query = Query {
        since: call.query("since").and_then(|seq| seq.parse().ok()).unwrap_or(0),
        kind: call.query("kind"),
        project: call.query("project"),
    };
    match state.ingested.lines(&query) {
        Ok(lines) => Reply::new(200, "application/x-ndjson", lines),
        Err(message) => wrong(409, &message),
    }
}

fn person(state: &State, call: &Call) -> Reply {
    let project = call.query("project").unwrap_or(&state.settings.project_token);
    match call.query("id") {
        Some(id) => Reply::export(state.person(project, id)),
        None => wrong(400, "id is missing: expected ?id=DISTINCT_ID"),
    }
}

/// One rule or a list of rules. A list with a wrong rule adds none.
fn add_rules(state: &mut State, rules: Value) -> Result<Reply, String> {
    let rules = if rules.is_array() { rules } else { json!([rules]) };
    let rules: Vec<RuleDocument> = serde_json::from_value(rules).map_err(|e| e.to_string())?;
    for rule in &rules {
        rule.clone().into_rule()?;
    }
    let numbers = rules.into_iter().map(|rule| state.faults.add(rule));
    let numbers = numbers.collect::<Result<Vec<u64>, String>>()?;
    Ok(Reply::json(201, &json!({ "numbers": numbers })))
}

fn patch_settings(state: &mut State, patch: Map<String, Value>) -> Result<Reply, String> {
    state.settings = state.settings.patched(patch)?;
    Ok(settings(state))
}

fn settings(state: &State) -> Reply {
    Reply::json(200, &serde_json::to_value(&state.settings).unwrap_or_default())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    advance_seconds: f64,
}

fn advance_clock(state: &mut State, advance: &Advance) -> Result<Reply, String> {
    state.clock.advance(advance.advance_seconds)?;
    state.settle();
    Ok(clock(state))
}

fn clock(state: &State) -> Reply {
    let now = state.clock.date().to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    Reply::json(200, &json!({"now": now, "seconds": state.clock.seconds()}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TaskChange {
    task: String,
    status: TaskStatus,
}

/// Gives a live task a status, with all that its end brings; a final task stays as it is.
fn change_task(state: &mut State, change: &TaskChange) -> Result<Reply, String> {
    match state.tasks.find(&change.task) {
        None => return Ok(wrong(404, "no such task")),
        Some(task) if task.status.is_final() => {
            return Err(format!("the task is {} and stays so", task.status.word()));
        }
        Some(_) => {}
    }
    state.tasks.set_status(&change.task, change.status, &state.settings, &mut state.people);
    Ok(Reply::json(200, &json!({"task": change.task, "status": change.status})))
}
