//! Judges gdpr-worker from outside.
//!
//! A *history* is a folder with what the parties saw: the producers, Mixpanel's emulator, Redis, the archive store.
//! [`History::load`] reads it, [`judge`] decides the invariants I1 to I18, and each that does not hold is told with
//! the requests and batches that show it, never with a distinct_id. [`collect`] fetches what can be fetched.
//!
//! No line is shared with the worker: documents, tags, the chain and zips are read by rules of this crate's own.
//!
//! | where | what |
//! | --- | --- |
//! | `history` | the files, read |
//! | `account` | the same, put together: each request's life, each batch's attempts, whose each call was |
//! | `invariants` | one file for each, with its rule |
//! | `verdict` | what was found, for people and programs |
//! | `collect` | from a running Redis and emulator to files |
//!
//! Imports run one way: `cli → {collect, invariants} → account → history`.

mod account;
pub mod cli;
pub mod collect;
pub mod history;
mod invariants;
mod verdict;

pub use history::{History, HistoryError};
pub use verdict::{Figures, Finding, Judgement, Ruling, Verdict};

/// Decides every invariant. Takes time and memory in proportion to the history.
pub fn judge(history: &History) -> Verdict {
    let account = account::Account::of(history);
    let judgements = invariants::ALL.iter().map(|invariant| Judgement {
        id: invariant.id,
        name: invariant.name,
        ruling: (invariant.judge)(&account),
    });
    Verdict { judgements: judgements.collect(), figures: account.figures() }
}
