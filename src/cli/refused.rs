//! `refused`: events and profile updates that could not be delivered, and what to do with them.

use std::str::FromStr;

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Outcome,
    args::RefusedArgs,
    failure::Failure,
    output::{self, Output},
    session::Session,
    table::presentable,
};
use crate::{
    config::Flags,
    ledger::{Ledger, LedgerError, RefusedEntry, RefusedEvent, Vault},
    queue::{EntryId, NotAnEntryId},
};

/// Which refused records a decision is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chosen {
    /// All that are there now.
    All,
    /// One.
    One(EntryId),
}

impl FromStr for Chosen {
    type Err = NotAnEntryId;

    fn from_str(text: &str) -> Result<Self, NotAnEntryId> {
        if text == "all" { Ok(Self::All) } else { text.parse().map(Self::One) }
    }
}

/// Lists what was refused, or carries a decision about it out.
pub(super) async fn refused(
    flags: &Flags,
    args: &RefusedArgs,
    output: &mut Output,
) -> Result<Outcome, Failure> {
    let session = Session::open(flags).await?;
    let ledger = session.ledger();
    if !args.retry.is_empty() {
        let decision = Decision::Retry(session.vault()?);
        return decide(&ledger, &args.retry, &decision, output).await;
    }
    if !args.drop.is_empty() {
        return decide(&ledger, &args.drop, &Decision::Drop, output).await;
    }
    let vault = if args.show { Some(session.vault()?) } else { None };
    list(&ledger, vault.as_ref(), output).await
}

/// An entry as JSON.
#[derive(Serialize)]
struct Row<'a> {
    id: String,
    at: &'a str,
    kind: &'a str,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    source: &'a str,
    tags: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<Value>,
}

async fn list(
    ledger: &Ledger,
    vault: Option<&Vault>,
    output: &mut Output,
) -> Result<Outcome, Failure> {
    let (mut after, mut readable) = (None, true);
    loop {
        let page = ledger.refused_events(after).await?;
        let Some((last, _)) = page.last() else { break };
        after = Some(*last);
        for (id, event) in &page {
            let record = match (event, vault) {
                (Some(event), Some(vault)) => Some(event.open(vault)),
                _ => None,
            };
            readable &= event.is_some() && !matches!(record, Some(Err(_)));
            tell(*id, event.as_ref(), record, output)?;
        }
        if output.is_closed() {
            return Ok(Outcome::Done);
        }
    }
    if after.is_none() {
        output::complain("nothing was refused");
    }
    Ok(Outcome::done_if(readable))
}

fn tell(
    id: EntryId,
    event: Option<&RefusedEvent>,
    record: Option<Result<String, LedgerError>>,
    output: &mut Output,
) -> std::io::Result<()> {
    let Some(event) = event else {
        output::complain(format_args!("{id}: {UNREADABLE}"));
        return Ok(());
    };
    let record = match record {
        Some(Err(error)) => {
            output::complain(format_args!("{id}: {error}"));
            None
        }
        Some(Ok(record)) => Some(record),
        None => None,
    };
    if !output.is_json() {
        output.line(in_words(id, event))?;
        return record.map_or(Ok(()), |record| output.line(presentable(&record)));
    }
    output.json(&Row {
        id: id.to_string(),
        at: &event.at,
        kind: event.kind.as_str(),
        reason: &event.reason,
        field: event.field.as_deref(),
        source: &event.source,
        tags: &event.tags,
        record: record.map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text))),
    })
}

/// One line. Its columns have fixed widths: the entries to come are not known yet.
fn in_words(id: EntryId, event: &RefusedEvent) -> String {
    let field = event.field.as_ref().map(|field| format!(" ({field})"));
    format!(
        "{:20}  {:20}  {:7}  {}{}",
        id.to_string(),
        presentable(&event.at),
        event.kind.as_str(),
        presentable(&event.reason),
        field.as_deref().map(presentable).unwrap_or_default(),
    )
}

/// What is to be done with a refused record.
enum Decision {
    /// Back on the stream; the vault opens it.
    Retry(Vault),
    /// Away.
    Drop,
}

const UNREADABLE: &str =
    "the entry cannot be read: was it changed by hand, or by another version? --drop removes it";

async fn decide(
    ledger: &Ledger,
    chosen: &[Chosen],
    decision: &Decision,
    output: &mut Output,
) -> Result<Outcome, Failure> {
    let mut outcome = Outcome::Done;
    if chosen.contains(&Chosen::All) {
        // What is refused again meanwhile is not tried again in the same go.
        let Some(last) = ledger.last_refused_event().await? else {
            output::complain("nothing was refused");
            return Ok(Outcome::Done);
        };
        let mut after = None;
        loop {
            let page = ledger.refused_events(after).await?;
            for entry in page.iter().filter(|(id, _)| *id <= last) {
                outcome = outcome.and(carry_out(ledger, entry, decision, output).await?);
            }
            match page.last() {
                Some((id, _)) if *id < last => after = Some(*id),
                _ => return Ok(outcome),
            }
        }
    }
    for chosen in chosen {
        let Chosen::One(id) = chosen else { continue };
        let done = match ledger.refused_event(*id).await? {
            Some(entry) => carry_out(ledger, &entry, decision, output).await?,
            None => told(*id, Err(GONE.to_owned()), output)?,
        };
        outcome = outcome.and(done);
    }
    Ok(outcome)
}

const GONE: &str = "no such entry: check the id and --project; it may be done already";

async fn carry_out(
    ledger: &Ledger,
    (id, event): &RefusedEntry,
    decision: &Decision,
    output: &mut Output,
) -> Result<Outcome, Failure> {
    let gone_unless = |there: bool, text| if there { Ok(text) } else { Err(GONE.to_owned()) };
    let result = match (decision, event) {
        (Decision::Drop, _) => gone_unless(ledger.drop_refused_event(*id).await?, "is dropped"),
        (Decision::Retry(_), None) => Err(UNREADABLE.to_owned()),
        (Decision::Retry(vault), Some(event)) => match event.open(vault) {
            Ok(record) => gone_unless(
                ledger.retry_event(*id, event, &record).await?,
                "is on the stream again",
            ),
            Err(error) => Err(error.to_string()),
        },
    };
    Ok(told(*id, result, output)?)
}

fn told(
    id: EntryId,
    result: Result<&str, String>,
    output: &mut Output,
) -> std::io::Result<Outcome> {
    let done = result.is_ok();
    let text = result.map_or_else(|why| why, str::to_owned);
    if output.is_json() {
        output.json(&json!({ "id": id.to_string(), "done": done, "text": text }))?;
    } else {
        output.line(format_args!("{id}  {text}"))?;
    }
    Ok(Outcome::done_if(done))
}
