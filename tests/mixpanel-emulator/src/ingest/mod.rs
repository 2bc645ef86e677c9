//! The ingestion API: `/track`, `/import`, `/engage` and `/groups`, as far as a sender can tell.

mod body;
mod events;
mod profiles;
mod validate;

use serde_json::{Value, json};

pub(crate) use body::{BodyError, records};
pub(crate) use events::store as store_event;
pub(crate) use profiles::store as store_profile;

use crate::call::{Call, Reply};
use crate::content::Content;
use crate::kind::Kind;
use crate::log::Entry;
use crate::state::State;

/// The id that a record is about, if it names one.
pub(crate) fn owner(record: &Value, kind: Kind) -> Option<&str> {
    match kind {
        Kind::Engage => record["$distinct_id"].as_str(),
        Kind::Groups => record["$group_id"].as_str(),
        _ => record["properties"]["distinct_id"].as_str(),
    }
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
    match (kind, records) {
        (Kind::Import, records) => events::import(state, call, records.as_deref(), entry),
        (_, Err(BodyError::TooLarge)) => too_large(),
        (_, Err(BodyError::Unreadable(message))) => plain(call, Err(message.clone())),
        (Kind::Track, Ok(records)) => plain(call, events::track(state, records)),
        (_, Ok(records)) => plain(call, profiles::update(state, records, kind)),
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
fn too_large() -> Reply {
    let message = format!("request exceeds max limit of {} bytes", body::MOST_BYTES);
    let body = json!({"code": 413, "error": message, "status": "Request Entity Too Large"});
    Reply::json(413, &body)
}
