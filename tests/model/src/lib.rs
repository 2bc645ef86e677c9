//! The protocol by which gdpr-worker sends a request to Mixpanel, as a model that is walked through exhaustively:
//! every order in which workers, Redis, the network and Mixpanel can act, every crash, every lost reply.
//!
//! | where | what |
//! | --- | --- |
//! | [`Rules`] | what is possible, and what the protocol does about it |
//! | `state` | all that matters of Redis, workers, network and API |
//! | `scripts` | what the Lua scripts in `src/ledger/lua` do, one function each |
//! | `steps` | what can happen next |
//! | `search` | the walk, and what must hold everywhere |
//!
//! What is left out: a batch is one request; times are left open (a lease or quarantine may end at any moment, also much
//! too early); a live task outlasts the attempts to send its batch (Mixpanel takes days, a quarantine minutes); polls
//! are one step; a bisection is a batch of its own that follows the same protocol.

mod scripts;
mod search;
mod state;
mod steps;

pub use search::{Report, Violation, explore};

/// What is possible, and what the protocol does.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Rules {
    /// Workers, 1 to 3.
    pub workers: usize,
    /// How many unknown answers may be repeated (U).
    pub budget: u8,
    /// Whether Mixpanel refuses what has a live task (409), as it does for deletions.
    pub conflicts: bool,
    /// How often a call may be refused for a passing reason (429, 401, no slot left).
    pub refusals: u8,
    /// Whether Redis may lose what it had not synced.
    pub rollback: bool,
    /// Whether somebody comes round and asks for forgotten jobs.
    pub sweep: bool,
    /// Whether an attempt is on the disk before its first byte goes out.
    pub sync_before_sending: bool,
    /// Whether a refusal of a later attempt leaves earlier ones unknown, instead of beginning anew.
    pub refusal_keeps_unknown: bool,
}

impl Rules {
    /// The protocol as it is: two workers, a budget, everything that can go wrong, two refusals.
    pub fn of(budget: u8) -> Self {
        Self {
            workers: 2,
            budget,
            conflicts: false,
            refusals: 1,
            rollback: true,
            sweep: true,
            sync_before_sending: true,
            refusal_keeps_unknown: true,
        }
    }
}
