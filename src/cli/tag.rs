//! `tag`: how people are named in keys, logs and history.

use serde_json::json;

use super::{Outcome, failure::Failure, output::Output, session};
use crate::config::{Access, Flags};

/// Prints the tag of each id, in the order given. Asks nobody: the pepper is enough.
pub(super) fn tag(
    flags: &Flags,
    distinct_ids: &[String],
    output: &mut Output,
) -> Result<Outcome, Failure> {
    let access = Access::load(flags)?;
    for distinct_id in distinct_ids {
        let tag = session::tag(&access, distinct_id)?;
        if output.is_json() {
            output.json(&json!({ "tag": tag.as_str() }))?;
        } else {
            output.line(tag)?;
        }
    }
    Ok(Outcome::Done)
}
