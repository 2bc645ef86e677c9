//! `retry` and `fail`: what to do with requests that wait for a person's decision.

use gdpr_jobs::RequestId;
use serde_json::json;

use super::{Outcome, failure::Failure, output::Output, session::Session};
use crate::{
    config::Flags,
    ledger::{Decision, Verdict},
};

/// Carries out one decision about each request; without `ids`, about each deletion that is over the day's number.
pub(super) async fn decide(
    flags: &Flags,
    ids: Option<Vec<RequestId>>,
    decision: &Decision,
    output: &mut Output,
) -> Result<Outcome, Failure> {
    let session = Session::open(flags).await?;
    let ledger = session.ledger();
    let ids = match ids {
        Some(ids) => ids,
        None => ledger.capped_deletions().await?,
    };
    let mut outcome = Outcome::Done;
    for id in &ids {
        let verdict = ledger.decide(id, decision).await?;
        if verdict != Verdict::Done {
            outcome = Outcome::Failed;
        }
        tell(id, decision, &verdict, session.access.project.as_str(), output)?;
    }
    Ok(outcome)
}

fn tell(
    id: &RequestId,
    decision: &Decision,
    verdict: &Verdict,
    project: &str,
    output: &mut Output,
) -> std::io::Result<()> {
    let (done, text) = in_words(decision, verdict, project);
    if output.is_json() {
        return output.json(&json!({ "id": id, "done": done, "text": text }));
    }
    output.line(format_args!("{id}  {text}"))
}

fn in_words(decision: &Decision, verdict: &Verdict, project: &str) -> (bool, String) {
    match verdict {
        Verdict::Done if matches!(decision, Decision::Retry | Decision::Renew) => {
            (true, "is tried again".to_owned())
        }
        Verdict::Done => (true, "failed, as you decided".to_owned()),
        Verdict::Absent => {
            (false, format!("no such request in project {project}: check the id and --project"))
        }
        Verdict::NotHeld(status) => {
            (false, format!("is {status}: expected held; only a held request waits for a decision"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_decision_that_was_carried_out_counts_as_done() {
        let fail = Decision::Fail("answered by hand".to_owned());
        for decision in [&Decision::Retry, &Decision::Renew, &fail] {
            assert!(in_words(decision, &Verdict::Done, "p").0);
            assert!(!in_words(decision, &Verdict::Absent, "p").0);
            let (done, text) = in_words(decision, &Verdict::NotHeld("completed".to_owned()), "p");
            assert!(!done && text.contains("is completed"));
        }
    }
}
