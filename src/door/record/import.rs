//! What `/import` asks of one event. [import-events]

use gdpr_jobs::DistinctId;
use serde_json::{Value, value::RawValue};

use super::{Fault as RecordFault, event::Properties, text};

/// The first second that is taken: 1971-01-01.
const FIRST_SECOND: f64 = 365.0 * 86_400.0;
/// How far a time may lie ahead, in seconds.
const MOST_AHEAD: f64 = 3600.0;
/// Larger numbers are milliseconds.
const MOST_SECONDS: f64 = 1e11;
const MAX_INSERT_ID: usize = 36;

/// A record that was refused, and where it stood in the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::door) struct Fault {
    /// Its place, from 0.
    pub(in crate::door) index: usize,
    /// What is wrong.
    pub(in crate::door) fault: RecordFault,
}

/// Checks time, `$insert_id` and distinct_id. `now` is in Unix seconds. Unless `strict`, an event may be without an
/// `$insert_id`, as Node sends them: the delivery gives it one.
pub(super) fn check(
    properties: &Properties<'_>,
    now: i64,
    strict: bool,
) -> Result<(), RecordFault> {
    #[expect(clippy::cast_precision_loss, reason = "a second more or less at the end of time")]
    if !is_in_time(properties.time, now as f64) {
        return Err(RecordFault::new(
            "properties.time",
            "'properties.time' is invalid: must be specified as seconds or milliseconds since epoch, after 1971-01-01 and at most an hour ahead",
        ));
    }
    match properties.insert_id {
        None if strict => {
            return Err(RecordFault::new("properties.$insert_id", "'$insert_id' is required"));
        }
        Some(id) if !text(Some(id)).is_some_and(|id| is_insert_id(&id)) => {
            return Err(RecordFault::new(
                "properties.$insert_id",
                "'$insert_id' is invalid: expected 1 to 36 letters, digits or dashes",
            ));
        }
        _ => {}
    }
    // An empty distinct_id is allowed: such an event belongs to nobody.
    if text(properties.distinct_id).is_some_and(|id| !id.is_empty() && is_reserved(&id)) {
        return Err(RecordFault::new(
            "properties.distinct_id",
            "'distinct_id' is a reserved value",
        ));
    }
    Ok(())
}

fn is_insert_id(id: &str) -> bool {
    (1..=MAX_INSERT_ID).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !is_reserved(id)
}

/// Mixpanel's list has no values with a prefix, as ours for deletions has.
fn is_reserved(id: &str) -> bool {
    !id.starts_with('$') && DistinctId::new(id).is_reserved()
}

fn is_in_time(time: Option<&RawValue>, now: f64) -> bool {
    let number = time.and_then(|time| serde_json::from_str::<Value>(time.get()).ok()?.as_f64());
    number.is_some_and(|number| {
        let seconds = if number.abs() > MOST_SECONDS { number / 1000.0 } else { number };
        (FIRST_SECOND..=now + MOST_AHEAD).contains(&seconds)
    })
}
