//! `verify`: whether an archive, the ledger, a receipt or a checkpoint is what it was made to be.
//!
//! | file | what it looks at |
//! | --- | --- |
//! | `archive` | an archive, and whether it is the one that the ledger has |
//! | `ledger` | the whole ledger, and what checkpoints said of it |
//! | `statement` | a receipt, or a file of checkpoints, without Redis |

mod archive;
mod ledger;
mod statement;

pub(super) use archive::read_identity;

use super::{Outcome, args::VerifyArgs, failure::Failure, output::Output};
use crate::config::Flags;

/// Verifies what the arguments name.
pub(super) async fn verify(
    flags: &Flags,
    args: &VerifyArgs,
    output: &mut Output,
) -> Result<Outcome, Failure> {
    let Some(place) = &args.place else {
        return ledger::verify(flags, &args.checkpoint, &args.public_key, output).await;
    };
    if statement::is_one(place) {
        return statement::verify(flags, place, &args.checkpoint, &args.public_key, output);
    }
    if !args.checkpoint.is_empty() || !args.public_key.is_empty() {
        return Err(Failure::told(format!(
            "{place} is not there, or no statement: expected a receipt or checkpoints with --checkpoint or --public-key"
        )));
    }
    archive::verify(flags, place, args.identity.as_deref(), args.ledger, output).await
}
