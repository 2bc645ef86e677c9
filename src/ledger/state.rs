//! The life of a request as pure data: which status may follow which.
//!
//! The Lua scripts get this very table in front of them ([`as_lua`]), so that there is one truth.

use std::fmt::Write as _;

use gdpr_jobs::Status;

use Status::{
    Cancelled, Completed, Expired, Failed, Held, Merged, Packaging, Queued, Rejected, Submitted,
    Submitting,
};

/// The statuses that may follow `from`.
///
/// `queued → completed | failed` is for requests that need no task (cancellations);
/// `held → submitted` is for an answer that was thought lost and turned up after all, `held → packaging` for an
/// export that was kept until a person mended what was in its way; `packaging → queued` sends a person alone once
/// more whose records could not be told from others' with certainty.
pub const fn next(from: Status) -> &'static [Status] {
    match from {
        Queued => &[Submitting, Cancelled, Held, Completed, Failed],
        Submitting => &[Submitted, Queued, Held, Failed],
        Submitted => &[Packaging, Completed, Queued, Cancelled, Held],
        Packaging => &[Completed, Queued, Held],
        Completed => &[Expired],
        Held => &[Queued, Failed, Submitted, Packaging],
        Expired | Cancelled | Rejected | Failed | Merged => &[],
    }
}

/// Whether a request may go from `from` to `to`.
pub fn is_legal(from: Status, to: Status) -> bool {
    next(from).contains(&to)
}

/// The table as a Lua statement that defines `LEGAL[from][to]`.
pub(super) fn as_lua() -> String {
    let mut lua = String::from("local LEGAL = {");
    for from in Status::ALL {
        let _ = write!(lua, " {from} = {{");
        for to in next(from) {
            let _ = write!(lua, " {to} = true,");
        }
        lua.push_str(" },");
    }
    lua.push_str(" }\n");
    lua
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn final_statuses_lead_nowhere_and_open_ones_can_always_end() {
        for status in Status::ALL {
            if status.is_open() {
                assert!(!next(status).is_empty(), "{status} is a dead end");
            } else if status != Completed {
                assert!(next(status).is_empty(), "{status} is final");
            }
        }
    }

    #[test]
    fn nothing_is_completed_before_mixpanel_had_it_or_an_archive_exists() {
        assert!(!is_legal(Submitting, Completed));
        assert!(!is_legal(Held, Completed));
        assert!(is_legal(Submitted, Completed) && is_legal(Packaging, Completed));
    }

    #[test]
    fn the_lua_table_says_the_same() {
        let lua = as_lua();
        assert!(lua.contains("packaging = { completed = true, queued = true, held = true, }"));
        assert!(lua.contains("merged = { }"));
    }
}
