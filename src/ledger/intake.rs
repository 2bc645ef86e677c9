//! From stream entries to requests, many in one call.

use std::num::NonZeroU32;

use chrono::{DateTime, SecondsFormat, Utc};
use gdpr_jobs::{Disclosure, Kind, Regulation, RequestId};

use super::{Ledger, LedgerError, Tag};

/// A document that was accepted, with nothing in clear.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// The document's own id, or the entry's.
    pub id: RequestId,
    /// What is asked for.
    pub kind: Kind,
    /// The law that sets the deadline.
    pub regulation: Regulation,
    /// What to disclose.
    pub disclosure: Disclosure,
    /// The person's tags, one for each id.
    pub tags: Vec<Tag>,
    /// The identifiers, sealed; of an opt-in, its event.
    pub sealed: Vec<u8>,
    /// How many identifiers are sealed: more than were named when each has two forms.
    pub sealed_ids: usize,
    /// When the person asked.
    pub received_at: DateTime<Utc>,
    /// When the answer is due.
    pub due_at: DateTime<Utc>,
    /// For a cancellation: the request to withdraw.
    pub target: Option<RequestId>,
    /// Of a signed document: what no other may have.
    pub nonce: Option<Nonce>,
}

/// What makes a signed document unlike any other, as it is remembered.
#[derive(Clone, Debug)]
pub struct Nonce {
    /// When it was signed: nonces are remembered day by day.
    pub signed_at: DateTime<Utc>,
    /// Key and nonce.
    pub name: String,
}

/// One entry of the request stream.
#[derive(Clone, Debug)]
pub struct Intake {
    /// The entry's id in the stream.
    pub entry: String,
    /// What it became: a request, or a refusal with its reason.
    pub outcome: Result<Accepted, String>,
}

/// What an intake call did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IntakeCounts {
    /// Requests that did not exist before.
    pub new: u64,
    /// Documents whose id was known: nothing happened.
    pub known: u64,
    /// Documents that were refused.
    pub rejected: u64,
}

/// In which forms identifiers are sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdForms {
    /// As they are: Mixpanel knows no others of this project.
    Plain,
    /// As they are, and as keyed hashes: Mixpanel may know a person by either.
    Both,
}

/// What an intake came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakenIn {
    /// All is recorded.
    Counts(IntakeCounts),
    /// Nothing is: ids of this project have left as keyed hashes, so both forms must be sealed ([`IdForms`]).
    BothFormsNeeded,
}

/// A time as it stands in Redis: RFC 3339, UTC, whole seconds.
fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

impl Ledger {
    /// Records entries as requests or rejections and takes them off the stream, in one step.
    /// `group` is the consumer group that they were read with, `forms` what is sealed of each identifier.
    pub async fn intake(
        &self,
        group: &str,
        forms: IdForms,
        entries: &[Intake],
    ) -> Result<TakenIn, LedgerError> {
        let call = self.call(|s| &s.intake).arg(group).arg(self.rules.consent_default.as_str());
        let mut call = call.arg(self.rules.event_retention.as_secs()).arg(match forms {
            IdForms::Plain => "plain",
            IdForms::Both => "both",
        });
        call = call.arg(self.rules.deletions_per_day.map_or(0, NonZeroU32::get));
        for entry in entries {
            call = match &entry.outcome {
                Ok(accepted) => call.arg(&entry.entry).arg(&accepted_args(accepted)),
                Err(reason) => call.arg(&entry.entry).arg(&rejected_args(&entry.entry, reason)),
            };
        }
        match *self.run_kept::<Vec<i64>>(call).await? {
            [-1] => Ok(TakenIn::BothFormsNeeded),
            [new, known, rejected] => {
                let count = i64::unsigned_abs;
                let (new, known, rejected) = (count(new), count(known), count(rejected));
                Ok(TakenIn::Counts(IntakeCounts { new, known, rejected }))
            }
            _ => Err(LedgerError::Unexpected("intake")),
        }
    }
}

fn accepted_args(a: &Accepted) -> [Vec<u8>; 13] {
    let tags: Vec<&str> = a.tags.iter().map(Tag::as_str).collect();
    [
        a.id.as_str().into(),
        a.kind.as_str().into(),
        a.regulation.as_str().into(),
        a.disclosure.as_str().into(),
        a.tags.len().to_string().into(),
        rfc3339(a.received_at).into(),
        rfc3339(a.due_at).into(),
        a.due_at.timestamp().to_string().into(),
        tags.join(" ").into(),
        a.sealed.clone(),
        a.target.as_ref().map_or(Vec::new(), |id| id.as_str().into()),
        a.sealed_ids.to_string().into(),
        a.nonce
            .as_ref()
            .map_or(Vec::new(), |n| format!("{} {}", n.signed_at.format("%F"), n.name).into()),
    ]
}

fn rejected_args(entry: &str, reason: &str) -> [Vec<u8>; 13] {
    let mut args: [Vec<u8>; 13] = std::array::from_fn(|_| Vec::new());
    args[0] = entry.into();
    args[1] = b"rejected".to_vec();
    args[10] = reason.into();
    args
}
