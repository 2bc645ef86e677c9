//! `checkpoint`: signs what the ledger is now.

use std::path::Path;

use chrono::{SecondsFormat, Utc};

use super::{Outcome, failure::Failure, output::Output, proof, session::Session};
use crate::{config::Flags, evidence::Audit, steps};

/// Prints a signed checkpoint, or appends it to `out`.
pub(super) async fn checkpoint(
    flags: &Flags,
    out: Option<&Path>,
    output: &mut Output,
) -> Result<Outcome, Failure> {
    let session = Session::open(flags).await?;
    let key = proof::signing_key(&session.access)?;
    let mut audit = Audit::default();
    proof::walk(&session.ledger(), &mut audit, |_, _| false).await?;
    proof::refuse_if_changed(&audit)?;
    if audit.events() == 0 {
        return Err(Failure::told(
            "the ledger has no events yet: expected at least one to sign for",
        ));
    }
    let now = Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true);
    let checkpoint = audit.checkpoint(session.access.project.as_str(), now);
    let line = checkpoint.sign(key).map_err(|error| Failure::told(error.to_string()))?;
    match out {
        Some(file) => {
            steps::append_checkpoint(file, &line)
                .map_err(|error| proof::unwritten(file, &error))?;
        }
        None => output.line(line)?,
    }
    Ok(Outcome::Done)
}
