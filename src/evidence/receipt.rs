//! A receipt: the signed statement of what became of one request, made from the ledger alone, without an identifier.

mod draft;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use super::{
    audit::Ground,
    checkpoint::Checkpoints,
    key::SigningKey,
    merkle::Proof,
    statement::{self, Opened, StatementError},
};

pub use draft::Draft;

/// Whether the request was answered in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deadline {
    /// Done, and in time.
    Met,
    /// Not done in time.
    Missed,
    /// Not done, and the time is not over.
    Open,
    /// Nothing is due any more: cancelled, rejected, or merged into another request.
    NotApplicable,
}

/// What became of one request. Times are RFC 3339 in UTC, hashes hex. Absent means that the ledger does not say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// Whose ledger.
    pub project: String,
    /// The request.
    pub request: String,
    /// What was asked for.
    pub kind: String,
    /// The law that was invoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regulation: Option<String>,
    /// The tags of the person: keyed hashes that only the holder of the pepper can make from an identifier.
    pub tags: Vec<String>,
    /// Its last status.
    pub status: String,
    /// Whether what was asked for was done.
    pub done: bool,
    /// The same in a sentence.
    pub conclusion: String,
    /// The request that stands for it, if it was merged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<String>,
    /// When the person asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received_at: Option<String>,
    /// When the ledger took it in.
    pub accepted_at: String,
    /// When it was first being sent: the intent, recorded before the first byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<String>,
    /// When Mixpanel confirmed with a task that it has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_at: Option<String>,
    /// When it was completed: Mixpanel reported SUCCESS, and for a retrieval the archive was there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<String>,
    /// By when it has to be answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<String>,
    /// Whether it was.
    pub deadline: Deadline,
    /// SHA-256 of the archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive_sha256: Option<String>,
    /// Mixpanel's tasks.
    pub tasks: Vec<Task>,
    /// What is known of each attempt to send it.
    pub attempts: Vec<Attempt>,
    /// Every event of the ledger about it.
    pub history: Vec<Step>,
    /// The beginning of the ledger in which the proofs of `history` hold.
    pub ledger: Ground,
    /// What this receipt says nothing about.
    pub not_covered: Vec<String>,
    /// When it was signed.
    pub issued_at: String,
}

/// A task of Mixpanel's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// Mixpanel's id of it.
    pub tracking_id: String,
    /// Since when it is known.
    pub known_since: String,
    /// How it came to be known: accepted, adopted after a conflict, or come to light later.
    pub how: String,
    /// Mixpanel's last word about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mixpanel_status: Option<String>,
}

/// Something known of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attempt {
    /// When.
    pub at: String,
    /// The batch.
    pub batch: String,
    /// Its number in the batch, from 1.
    pub number: String,
    /// What: sent, answered, lost, sent again.
    pub what: String,
}

/// An event of the ledger about the request, as far as it is about it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Step {
    /// Its id.
    pub event: String,
    /// Its place in the ledger, from 0.
    pub index: u64,
    /// When.
    pub at: String,
    /// The status the request came from.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub from: String,
    /// The status it went to.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub to: String,
    /// Why.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// Its batch.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub batch: String,
    /// The attempt at sending the batch.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub attempt: String,
    /// Mixpanel's id of the task.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tracking_id: String,
    /// Mixpanel's word about the task.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub mixpanel_status: String,
    /// Its hash in the chain.
    pub hash: String,
    /// Its hash as a leaf of the Merkle tree.
    pub leaf: String,
    /// The way from there to the root.
    pub path: Vec<String>,
}

impl Receipt {
    /// The word in `statement`.
    pub const KIND: &str = "gdpr-worker/receipt/1";

    /// Signs it; returns one line of JSON, without a line feed.
    pub fn sign(&self, key: &SigningKey) -> Result<String, StatementError> {
        statement::sign(Self::KIND, self, key)
    }

    /// Reads it from a statement whose signature fits.
    pub fn of(opened: &Opened) -> Result<Self, StatementError> {
        opened.content(Self::KIND)
    }

    /// The first of its events that is not in the ledger that it names, if there is one.
    pub fn stray_event(&self) -> Option<&str> {
        let stray = |step: &&Step| {
            let root = step.proof().and_then(|proof| proof.root(self.ledger.events));
            root.map(|root| HEXLOWER.encode(&root)).as_ref() != Some(&self.ledger.root)
        };
        self.history.iter().find(stray).map(|step| step.event.as_str())
    }

    /// The checkpoint among these that says the same of the ledger, by its id.
    pub fn cover<'a>(&self, checkpoints: &'a Checkpoints) -> Option<&'a str> {
        let same = checkpoints.usable.iter().find(|(checkpoint, _)| {
            checkpoint.project == self.project
                && checkpoint.events == self.ledger.events
                && checkpoint.root == self.ledger.root
        });
        same.map(|(_, id)| id.as_str())
    }
}

impl Step {
    fn proof(&self) -> Option<Proof> {
        let hash = |hex: &String| HEXLOWER.decode(hex.as_bytes()).ok()?.try_into().ok();
        let path = self.path.iter().map(hash).collect::<Option<_>>()?;
        Some(Proof { index: self.index, leaf: hash(&self.leaf)?, path })
    }
}
