//! A checkpoint: the signed statement that a project's ledger had this beginning at this time.

use serde::{Deserialize, Serialize};

use super::{
    key::{PublicKey, SigningKey},
    statement::{self, Opened, StatementError},
};

/// What a ledger was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// Whose ledger.
    pub project: String,
    /// How many events it had.
    pub events: u64,
    /// The id of the last one.
    pub last_event: String,
    /// The hash of the last one, which covers those before it (SHA-1, as the chain is).
    pub chain_hash: String,
    /// The Merkle root over all of them (SHA-256, RFC 9162), in hex.
    pub root: String,
    /// When it was signed, in RFC 3339.
    pub at: String,
}

impl Checkpoint {
    /// The word in `statement`.
    pub const KIND: &str = "gdpr-worker/checkpoint/1";

    /// Signs it; returns one line of JSON, without a line feed.
    pub fn sign(&self, key: &SigningKey) -> Result<String, StatementError> {
        statement::sign(Self::KIND, self, key)
    }

    /// Reads it from a statement whose signature fits.
    pub fn of(opened: &Opened) -> Result<Self, StatementError> {
        opened.content(Self::KIND)
    }
}

/// The checkpoints in some files, as far as they prove something about one project's ledger.
#[derive(Clone, Debug, Default)]
pub struct Checkpoints {
    /// Those that do, each with the id of its statement.
    pub usable: Vec<(Checkpoint, String)>,
    /// Lines that look like statements and are damaged, forged, or signed with another key: where, and what is wrong.
    pub bad: Vec<(String, String)>,
    /// Lines that are no statements at all, such as one that was torn off when a disk was full.
    pub ignored: u64,
    /// Those of other projects.
    pub foreign: u64,
}

impl Checkpoints {
    /// Adds those in the text of a file, one a line; `name` is how the file is called, `trusted` are the keys that count.
    pub fn add(&mut self, name: &str, text: &str, project: &str, trusted: &[PublicKey]) {
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.is_empty()) {
            let mut bad = |what: String| self.bad.push((format!("{name}, line {number}"), what));
            let opened = match Opened::read(line) {
                Ok(opened) => opened,
                Err(StatementError::Other) => {
                    self.ignored += 1;
                    continue;
                }
                Err(error) => {
                    bad(error.to_string());
                    continue;
                }
            };
            if !trusted.contains(&opened.key()) {
                let id = opened.key().id();
                bad(format!("signed with the key {id}: expected one of the keys given"));
                continue;
            }
            match Checkpoint::of(&opened) {
                Ok(checkpoint) if checkpoint.project == project => {
                    self.usable.push((checkpoint, opened.id().to_owned()));
                }
                Ok(_) => self.foreign += 1,
                Err(error) => bad(error.to_string()),
            }
        }
    }
}
