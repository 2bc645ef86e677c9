//! The ingestion API: `/track`, `/import`, `/engage` and `/groups`, as far as a sender can tell.

mod body;
mod events;
mod members;
mod profiles;
mod record;
mod validate;

use serde_json::{Value, json};

pub(crate) use body::{BodyError, records};
pub(crate) use events::store as store_event;
pub(crate) use profiles::store as store_profile;
pub(crate) use record::Record;

use crate::call::{Call, Reply};
use crate::content::Content;
use crate::faults::{Bad, Occasion};
use crate::kind::Kind;
use crate::log::Entry;
use crate::settings::Settings;
use crate::state::State;

/// The project that a call is about: whose credentials it has, or whose token its first record holds.
pub(crate) fn project(
    settings: &Settings,
    call: &Call,
    kind: Kind,
    content: &Content,
) -> Option<String> {
    if kind == Kind::Import {
        return events::importer(settings, call);
    }
    let Content::Records { records: Ok(records), .. } = content else { return None };
    records.first()?.token(kind).map(str::to_owned)
}

/// Stores what is valid and answers as the endpoint does.
pub(crate) fn act(
    state: &mut State,
    call: &Call,
    kind: Kind,
    content: &Content,
    entry: &mut Entry,
) -> Reply {
    let Content::Records { records, .. } = content else {
        return plain(call, Err("no data".to_owned()));
    };
    entry.acted = true;
    if kind == Kind::Import && entry.project.is_none() {
        entry.acted = false;
        return events::no_credentials();
    }
    let records = match records {
        Ok(records) => records,
        Err(BodyError::TooLarge) => return too_large(state.settings.ingestion_bytes),
        Err(BodyError::Unreadable(message)) if kind == Kind::Import => {
            return events::unreadable(message);
        }
        Err(BodyError::Unreadable(message)) => return plain(call, Err(message.clone())),
    };
    let at = Occasion { kind, project: entry.project.as_deref() };
    let bad = state.faults.bad_records(at, records, &mut state.dice);
    entry.fault = bad.as_ref().map(|_| "bad-records");
    if let Some(Bad { status: Some(status), .. }) = bad {
        entry.acted = false;
        return refused(call, kind, status);
    }
    let bad = bad.map(|bad| bad.indices).unwrap_or_default();
    let (accepted, reply) = match kind {
        Kind::Import => {
            let project = entry.project.clone().unwrap_or_default();
            events::import(state, call, &project, records, &bad)
        }
        Kind::Track => {
            let (accepted, any_valid) = events::track(state, records, &bad);
            let none = "no valid event: 'event' and 'token' are needed";
            (accepted, plain(call, any_valid.then_some(()).ok_or_else(|| none.to_owned())))
        }
        _ => {
            let (accepted, any_valid) = profiles::update(state, records, kind, &bad);
            let none = "no valid update: token, id and operator needed";
            (accepted, plain(call, any_valid.then_some(()).ok_or_else(|| none.to_owned())))
        }
    };
    if let Some(ingestion) = &mut entry.ingestion {
        ingestion.stored = accepted.iter().filter(|accepted| **accepted).count();
        ingestion.accepted = accepted;
    }
    reply
}

/// The refusal of a whole call that names no record.
fn refused(call: &Call, kind: Kind, status: u16) -> Reply {
    match (kind, status) {
        (Kind::Import, 400..) => {
            let body = json!({"code": status, "error": "bad data", "status": "Bad Request"});
            Reply::json(status, &body)
        }
        _ => Reply { status, ..plain(call, Err("bad data".to_owned())) },
    }
}

/// The answer of all endpoints but `/import`: `1` or `0`, in words if asked.
fn plain(call: &Call, outcome: Result<(), String>) -> Reply {
    let (status, error) = match outcome {
        Ok(()) => (1, Value::Null),
        Err(message) => (0, json!(message)),
    };
    if call.flag("verbose") || call.flag("strict") {
        Reply::json(200, &json!({"status": status, "error": error}))
    } else {
        Reply::text(200, status.to_string())
    }
}

/// The refusal of a body over the limit.
fn too_large(most_bytes: usize) -> Reply {
    let message = format!("request exceeds max limit of {most_bytes} bytes");
    let body = json!({"code": 413, "error": message, "status": "Request Entity Too Large"});
    Reply::json(413, &body)
}
