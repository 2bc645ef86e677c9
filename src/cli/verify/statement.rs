//! A receipt, or a file of checkpoints: checked with the signer's public key, without Redis.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use serde_json::json;

use crate::{
    cli::{
        Outcome,
        failure::Failure,
        output::Output,
        proof::{self, Keys},
        table::Table,
    },
    config::{Access, Flags},
    evidence::{Checkpoint, Deadline, Opened, Receipt},
};

/// What to do about a key that nobody vouched for.
const UNKNOWN_KEY: &str = "UNKNOWN: only named by the statement itself, which anybody could have made; get the public key from \
     who signs, by another way, and give it with --public-key";

/// Whether a file looks like a statement: archives begin otherwise.
pub(super) fn is_one(place: &str) -> bool {
    let mut first = [0];
    File::open(place).and_then(|mut file| file.read_exact(&mut first)).is_ok() && first == *b"{"
}

/// Verifies the statement, or statements, in a file.
pub(super) fn verify(
    flags: &Flags,
    place: &str,
    files: &[PathBuf],
    public_keys: &[String],
    output: &mut Output,
) -> Result<Outcome, Failure> {
    let access = Access::load(flags).ok();
    let keys = Keys::of(public_keys, access.as_ref())?;
    let text = proof::read(Path::new(place))?;
    let mut outcome = Outcome::Done;
    for (number, line) in (1..).zip(text.lines()) {
        let not =
            |why: String| Failure::told(format!("{place}, line {number}: not verified: {why}"));
        let opened = Opened::read(line).map_err(|error| not(error.to_string()))?;
        let verified = if opened.kind() == Receipt::KIND {
            let receipt = Receipt::of(&opened).map_err(|error| not(error.to_string()))?;
            if let Some(event) = receipt.stray_event() {
                return Err(not(format!(
                    "its event {event} is not in the ledger that it names: expected a proof that leads to the root"
                )));
            }
            let project = &receipt.project;
            let cover = if files.is_empty() {
                Cover::NotAsked
            } else {
                let found = proof::checkpoints(files, project, &keys)?;
                receipt.cover(&found).map_or(Cover::None, |id| Cover::By(id.to_owned()))
            };
            tell_receipt(&receipt, &opened, &keys, &cover, output)?
        } else {
            let checkpoint = Checkpoint::of(&opened).map_err(|error| not(error.to_string()))?;
            tell_checkpoint(&checkpoint, &opened, &keys, output)?
        };
        outcome = outcome.and(verified);
    }
    if text.is_empty() {
        return Err(Failure::told(format!("{place} is empty: expected a statement")));
    }
    Ok(outcome)
}

/// What the checkpoints that were given say of the ledger of a receipt.
enum Cover {
    /// None was given.
    NotAsked,
    /// None of them says the same.
    None,
    /// The one with this id says the same.
    By(String),
}

fn tell_receipt(
    receipt: &Receipt,
    opened: &Opened,
    keys: &Keys,
    cover: &Cover,
    output: &mut Output,
) -> Result<Outcome, Failure> {
    let trusted = keys.have(opened.key());
    let verified = Outcome::done_if(trusted && !matches!(cover, Cover::None));
    if output.is_json() {
        output.json(&json!({
            "verified": verified == Outcome::Done, "id": opened.id(), "key_id": opened.key().id(), "key_known": trusted,
            "checkpoint_given": if let Cover::By(id) = cover { Some(id) } else { None }, "receipt": receipt,
        }))?;
        return Ok(verified);
    }
    let covered = match cover {
        Cover::By(id) => format!("{id}, among those given"),
        Cover::None => "NONE of those given says the same of the ledger".to_owned(),
        Cover::NotAsked => match &receipt.ledger.checkpoint {
            Some(id) => format!("{id}, by the receipt; not compared (--checkpoint)"),
            None => "none: the receipt alone vouches for the ledger that it names".to_owned(),
        },
    };
    let or_none = |text: &Option<String>| text.clone().unwrap_or_default();
    let deadline = match receipt.deadline {
        Deadline::Met => "met",
        Deadline::Missed => "MISSED",
        Deadline::Open => "open",
        Deadline::NotApplicable => "does not apply",
    };
    let tasks: Vec<&str> = receipt.tasks.iter().map(|task| task.tracking_id.as_str()).collect();
    let mut table = Table::of_values();
    table.row(["receipt", "unchanged since it was signed"]);
    table.row(["signed by", &signer(opened, keys)]);
    table.row(["signed at", &receipt.issued_at]);
    table.row(["request", &receipt.request]);
    table.row(["project", &receipt.project]);
    table.row(["kind", &receipt.kind]);
    table.row(["tags", &receipt.tags.join(" ")]);
    table.row(["conclusion", &receipt.conclusion]);
    table.row(["received_at", &or_none(&receipt.received_at)]);
    table.row(["accepted_at", &receipt.accepted_at]);
    table.row(["sent_at", &or_none(&receipt.sent_at)]);
    table.row(["confirmed_at", &or_none(&receipt.confirmed_at)]);
    table.row(["completed_at", &or_none(&receipt.completed_at)]);
    table.row(["due_at", &or_none(&receipt.due_at)]);
    table.row(["deadline", deadline]);
    table.row(["tasks", &tasks.join(" ")]);
    table.row([
        "history",
        &format!("events: {}, all in the ledger that it names", receipt.history.len()),
    ]);
    table.row(["checkpoint", &covered]);
    for what in &receipt.not_covered {
        table.row(["not covered", what]);
    }
    output.table(&table)?;
    Ok(verified)
}

fn tell_checkpoint(
    checkpoint: &Checkpoint,
    opened: &Opened,
    keys: &Keys,
    output: &mut Output,
) -> Result<Outcome, Failure> {
    let trusted = keys.have(opened.key());
    if output.is_json() {
        output.json(&json!({
            "verified": trusted, "id": opened.id(), "key_id": opened.key().id(), "key_known": trusted,
            "checkpoint": checkpoint,
        }))?;
        return Ok(Outcome::done_if(trusted));
    }
    let mut table = Table::of_values();
    table.row(["checkpoint", opened.id()]);
    table.row(["signed by", &signer(opened, keys)]);
    table.row(["signed at", &checkpoint.at]);
    table.row(["project", &checkpoint.project]);
    table.row(["events", &checkpoint.events.to_string()]);
    table.row(["last event", &checkpoint.last_event]);
    table.row(["root", &checkpoint.root]);
    output.table(&table)?;
    Ok(Outcome::done_if(trusted))
}

fn signer(opened: &Opened, keys: &Keys) -> String {
    let id = opened.key().id();
    let known = if keys.have(opened.key()) { keys.origin() } else { UNKNOWN_KEY };
    format!("key {id} ({known})")
}
