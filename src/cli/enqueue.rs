//! `enqueue`: one request.

use gdpr_jobs::{DistinctId, Document, Enqueued, Kind};
use serde_json::json;

use super::{Outcome, args::EnqueueArgs, failure::Failure, output::Output, session::Session};
use crate::config::Flags;

/// Puts the request on the stream, and prints its id and whether it is new.
pub(super) async fn enqueue(
    flags: &Flags,
    args: EnqueueArgs,
    output: &mut Output,
) -> Result<Outcome, Failure> {
    // clap sees to it that there is a kind unless there is a file.
    let kind = args.kind.ok_or_else(|| Failure::told("no kind given: expected one"))?;
    let document = document(kind, args);
    let session = Session::open(flags).await?;
    let enqueued = session.producer().enqueue(&document).await;
    let enqueued = enqueued.map_err(|e| Failure::told(e.to_string()))?;
    let word = outcome_word(&enqueued);
    if output.is_json() {
        output.json(&json!({ "id": enqueued.id(), "outcome": word }))?;
    } else {
        output.line(format_args!("{}  {}", enqueued.id(), word.replace('_', " ")))?;
    }
    Ok(Outcome::Done)
}

fn document(kind: Kind, args: EnqueueArgs) -> Document {
    Document {
        id: args.id,
        request_id: args.request_id,
        regulation: args.regulation,
        disclosure: args.disclosure_type,
        received_at: args.received_at,
        ..Document::new(kind, args.distinct_ids.into_iter().map(DistinctId::new))
    }
}

/// How an enqueued request is called in JSON.
pub(super) const fn outcome_word(enqueued: &Enqueued) -> &'static str {
    match enqueued {
        Enqueued::New(_) => "new",
        Enqueued::AlreadyKnown(_) => "already_known",
    }
}
