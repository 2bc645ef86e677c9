//! **I12 opt-out.** After an opt-out was acknowledged (its request is `completed`) no record about that person arrives,
//! until an opt-in that was enqueued later is in force. Deletions of profiles pass always.

use super::stays_out::{self, Period};
use crate::{account::Account, verdict::Ruling};

pub(super) fn judge(account: &Account<'_>) -> Ruling {
    let outs = account.lives.iter().filter(|life| life.kind() == "opt_out");
    let periods = outs.filter_map(|life| Period::from(account, life, life.completed()?.ms));
    stays_out::judge(account, &periods.collect::<Vec<_>>())
}
