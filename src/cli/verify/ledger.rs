//! The whole ledger: every hash, and what checkpoints said of its beginnings.

use std::path::PathBuf;

use serde_json::json;

use crate::{
    cli::{
        Outcome,
        failure::Failure,
        output::Output,
        proof::{self, Keys},
        session::Session,
        table::Table,
    },
    config::Flags,
    evidence::{Audit, Checkpoints},
};

/// Verifies the ledger of the project, and prints what it found.
pub(super) async fn verify(
    flags: &Flags,
    files: &[PathBuf],
    public_keys: &[String],
    output: &mut Output,
) -> Result<Outcome, Failure> {
    let session = Session::open(flags).await?;
    let mut checkpoints = Checkpoints::default();
    if !files.is_empty() {
        let keys = Keys::known(public_keys, Some(&session.access))?;
        let project = session.access.project.as_str();
        checkpoints = proof::checkpoints(files, project, &keys)?;
    }
    let mut audit = Audit::against(&checkpoints);
    proof::walk(&session.ledger(), &mut audit, |_, _| false).await?;
    let useless = !files.is_empty() && checkpoints.usable.is_empty();
    if output.is_json() {
        print_json(&audit, &checkpoints, output)?;
    } else {
        print(&audit, &checkpoints, !files.is_empty(), output)?;
    }
    Ok(Outcome::done_if(audit.faults() == 0 && checkpoints.bad.is_empty() && !useless))
}

fn print_json(
    audit: &Audit,
    checkpoints: &Checkpoints,
    output: &mut Output,
) -> Result<(), Failure> {
    for finding in audit.findings() {
        output.json(finding)?;
    }
    for (place, found) in &checkpoints.bad {
        output.json(&json!({ "checkpoint": place, "found": found }))?;
    }
    let ground = audit.ground();
    output.json(&json!({
        "whole": audit.faults() == 0, "faults": audit.faults(), "events": ground.events,
        "last_event": ground.last_event, "chain_hash": ground.chain_hash, "root": ground.root,
        "checkpoints_proved": audit.proved(), "checkpoints_bad": checkpoints.bad.len(),
        "checkpoints_of_other_projects": checkpoints.foreign, "lines_ignored": checkpoints.ignored,
    }))?;
    Ok(())
}

fn print(
    audit: &Audit,
    checkpoints: &Checkpoints,
    asked: bool,
    output: &mut Output,
) -> Result<(), Failure> {
    for finding in audit.findings() {
        output.line(format_args!(
            "event {}: found {}; expected {}; {}",
            finding.event, finding.found, finding.expected, finding.advice
        ))?;
    }
    for (place, found) in &checkpoints.bad {
        output.line(format_args!("checkpoint in {place}: {found}"))?;
    }
    let ground = audit.ground();
    let mut table = Table::of_values();
    let faults = format!("NOT what was written: {} findings", audit.faults());
    let whole = "whole: every hash is that of its event and of the one before it";
    table.row(["ledger", if audit.faults() == 0 { whole } else { &faults }]);
    table.row(["events", &ground.events.to_string()]);
    table.row(["last event", &ground.last_event]);
    table.row(["chain hash", &ground.chain_hash]);
    table.row(["root", &ground.root]);
    table.row(["checkpoints", &told(audit, checkpoints, asked)]);
    output.table(&table)?;
    Ok(())
}

fn told(audit: &Audit, checkpoints: &Checkpoints, asked: bool) -> String {
    if !asked {
        return "none given: a chain that was cut off, or made anew as a whole, only shows next to one \
                (--checkpoint)"
            .to_owned();
    }
    let Checkpoints { usable, bad, ignored, foreign } = checkpoints;
    if usable.is_empty() {
        return format!(
            "none of this project that counts ({foreign} of others, {} bad, {ignored} lines that are none): \
             expected at least one",
            bad.len()
        );
    }
    format!(
        "{} of {} hold ({foreign} of other projects, {} bad, {ignored} lines that are none)",
        audit.proved(),
        usable.len(),
        bad.len()
    )
}
