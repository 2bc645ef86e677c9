//! `receipt`: the signed statement of what became of one request.

use std::path::PathBuf;

use chrono::Utc;

use super::{
    Outcome,
    args::ReceiptArgs,
    failure::Failure,
    output::{self, Output},
    proof::{self, Keys},
    session::Session,
};
use crate::{
    config::{Access, Flags},
    evidence::{Audit, Checkpoints, Draft},
    ledger::{HistoryFilter, Trail},
};

/// Prints the receipt of a request, or writes it into a file. Only the ledger is asked: it knows the request even when its hash is
/// gone.
pub(super) async fn receipt(
    flags: &Flags,
    args: &ReceiptArgs,
    output: &mut Output,
) -> Result<Outcome, Failure> {
    let session = Session::open(flags).await?;
    let access = &session.access;
    let (key, project) = (proof::signing_key(access)?, access.project.as_str());
    let checkpoints = checkpoints(access, &args.checkpoint)?;
    let mut audit = Audit::against(&checkpoints);
    let mut trail = Trail::new(&HistoryFilter::Request(args.id.clone()));
    let mut draft = Draft::new(args.id.as_str());
    let ledger = session.ledger();
    proof::walk(&ledger, &mut audit, |entry, index| {
        let ours = trail.follow(entry).is_some();
        if ours {
            draft.see(entry, index);
        }
        ours
    })
    .await?;
    proof::refuse_if_changed(&audit)?;
    let (ground, proofs) = audit.proven();
    let receipt = draft.finish(project, ground, &proofs, Utc::now()).ok_or_else(|| {
        Failure::told(format!(
            "the ledger does not know the request {}: expected the id that enqueue or XADD returned, or your own",
            args.id
        ))
    })?;
    let line = receipt.sign(key).map_err(|error| Failure::told(error.to_string()))?;
    match &args.out {
        Some(file) => proof::write(file, &line)?,
        None => output.line(line)?,
    }
    output::complain(format_args!("{}: {}", receipt.request, receipt.conclusion));
    Ok(Outcome::Done)
}

/// Those in the files given, else those that the workers here write.
fn checkpoints(access: &Access, files: &[PathBuf]) -> Result<Checkpoints, Failure> {
    let keys = Keys::known(&[], Some(access))?;
    let usual = access.evidence.checkpoint_file.clone().filter(|file| file.exists());
    let usual: Vec<PathBuf> = usual.into_iter().collect();
    let files = if files.is_empty() { &usual } else { files };
    proof::checkpoints(files, access.project.as_str(), &keys)
}
