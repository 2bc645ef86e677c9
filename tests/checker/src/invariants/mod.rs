//! The invariants, one file each: its rule in the first comment, as `reliability.md` §5.3 words it, adapted to this
//! implementation's words (states of a request; events of the ledger that name many).
//!
//! Each decides its own rule and nothing that another one decides, so that a fault has one name.

mod i01_no_loss;
mod i02_one_end;
mod i03_legal;
mod i04_submitted;
mod i05_no_foreign_ids;
mod i06_explained;
mod i07_size;
mod i08_rate;
mod i09_archive_and_ledger;
mod i10_retention;
mod i11_completeness;
mod i12_opt_out;
mod i13_deletion_opts_out;
mod i14_secrecy;
mod i15_chain;
mod i16_deadline;
mod i17_idempotent_replay;
mod i18_quiet;
mod stays_out;

use crate::{account::Account, verdict::Ruling};

/// One invariant.
pub(crate) struct Invariant {
    pub(crate) id: &'static str,
    /// In a few words.
    pub(crate) name: &'static str,
    pub(crate) judge: fn(&Account<'_>) -> Ruling,
}

macro_rules! invariants {
    ($($id:literal $name:literal $module:ident),* $(,)?) => {
        /// All of them, in order.
        pub(crate) const ALL: &[Invariant] =
            &[$(Invariant { id: $id, name: $name, judge: $module::judge }),*];
    };
}

invariants! {
    "I1" "no loss" i01_no_loss,
    "I2" "one end" i02_one_end,
    "I3" "legal moves" i03_legal,
    "I4" "completed deletions were sent and succeeded" i04_submitted,
    "I5" "no foreign ids" i05_no_foreign_ids,
    "I6" "every task is explained" i06_explained,
    "I7" "size" i07_size,
    "I8" "rate" i08_rate,
    "I9" "archives and ledger agree" i09_archive_and_ledger,
    "I10" "retention" i10_retention,
    "I11" "completeness" i11_completeness,
    "I12" "opt-out" i12_opt_out,
    "I13" "a deletion opts out" i13_deletion_opts_out,
    "I14" "secrecy" i14_secrecy,
    "I15" "chain" i15_chain,
    "I16" "deadline" i16_deadline,
    "I17" "a replay changes nothing" i17_idempotent_replay,
    "I18" "quiet" i18_quiet,
}
