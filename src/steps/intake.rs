//! From documents on the stream to requests in the ledger, or to visible rejections. Many at a time.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use gdpr_jobs::{Disbelief, Document, DocumentSignature, Kind, RequestId, due_at};
use serde_json::{Value, json};

use super::{Context, StepError};
use crate::{
    failpoint,
    ledger::{Accepted, IdForms, Intake, IntakeCounts, Nonce, TakenIn, Unopenable, opt_in_seal},
    queue::{Decode, Delivery, Entry, Fields, Undecodable},
};

/// The consumer group of the request stream.
pub const INTAKE_GROUP: &str = "workers";
/// From this many documents on, their sealing is worth a thread of its own.
const OFF_THREAD_FROM: usize = 16;

/// What stands in an entry of the request stream. Anything decodes: a document that cannot be accepted
/// becomes a request in status `rejected`, not a dead letter.
pub struct Incoming {
    document: Option<Vec<u8>>,
    signature: Result<DocumentSignature, Disbelief>,
}

impl Decode for Incoming {
    fn decode(fields: &Fields) -> Result<Self, Undecodable> {
        Ok(Self {
            document: fields.get("request").map(<[u8]>::to_vec),
            signature: signature(fields),
        })
    }
}

/// What stands beside a document to show who wrote it.
fn signature(fields: &Fields) -> Result<DocumentSignature, Disbelief> {
    let names = ["key", "time", "nonce", "signature"];
    if names.iter().all(|name| fields.get(name).is_none()) {
        return Err(Disbelief::Unsigned);
    }
    let text = |name| {
        let text = fields.get(name).and_then(|value| std::str::from_utf8(value).ok());
        text.map(str::to_owned).ok_or(Disbelief::Incomplete)
    };
    let [key, time, nonce, signature] = names.map(text);
    Ok(DocumentSignature { key: key?, time: time?, nonce: nonce?, signature: signature? })
}

/// Takes in the entries of one delivery.
pub async fn intake(ctx: &Arc<Context>, delivery: Delivery<Incoming>) -> Result<(), StepError> {
    let entries = Arc::new(delivery.into_entries());
    let counts = loop {
        let forms = ctx.id_forms();
        let read = read_all(ctx, &entries, forms).await?;
        failpoint::reached("intake.read");
        match ctx.ledger.intake(INTAKE_GROUP, forms, &read).await? {
            TakenIn::Counts(counts) => break counts,
            TakenIn::BothFormsNeeded => ctx.note_hashed_ids(),
        }
    };
    failpoint::reached("intake.recorded");
    tell(ctx, counts);
    Ok(())
}

fn tell(ctx: &Context, counts: IntakeCounts) {
    tracing::debug!(project = %ctx.project, new = counts.new, known = counts.known, rejected = counts.rejected, "taken in");
    if counts.rejected > 0 {
        tracing::warn!(project = %ctx.project, rejected = counts.rejected, "documents were rejected: see XRANGE of the stream rejected");
    }
}

async fn read_all(
    ctx: &Arc<Context>,
    entries: &Arc<Vec<Entry<Incoming>>>,
    forms: IdForms,
) -> Result<Vec<Intake>, StepError> {
    // A replica's own clock may be wrong: deadlines, and what is in the future, go by the one that all share.
    let now = ctx.ledger.now().await?;
    if entries.len() < OFF_THREAD_FROM {
        return Ok(entries.iter().map(|entry| read(ctx, entry, forms, now)).collect());
    }
    let (ctx, entries) = (Arc::clone(ctx), Arc::clone(entries));
    let reading = move || entries.iter().map(|entry| read(&ctx, entry, forms, now)).collect();
    tokio::task::spawn_blocking(reading).await.map_err(|_| StepError::Lost)
}

fn read(ctx: &Context, entry: &Entry<Incoming>, forms: IdForms, now: DateTime<Utc>) -> Intake {
    let name = entry.id.to_string();
    let outcome = match &entry.job.document {
        None => Err(gdpr_jobs::Rejection::NoRequestField.to_string()),
        Some(json) => believe(ctx, &name, json, &entry.job.signature, now)
            .map_err(|disbelief| disbelief.to_string())
            .and_then(|nonce| Ok(Accepted { nonce, ..accept(ctx, &name, json, forms, now)? })),
    };
    Intake { entry: name, outcome }
}

/// Whether the document is from whom it should be. Returns its nonce, if it is signed.
fn believe(
    ctx: &Context,
    entry: &str,
    json: &[u8],
    signature: &Result<DocumentSignature, Disbelief>,
    now: DateTime<Utc>,
) -> Result<Option<Nonce>, Disbelief> {
    let guard = &ctx.config.guard;
    // Without keys nobody can say whether a signature is right, and none is asked for.
    let signature = match signature {
        Err(disbelief) if guard.require_signature || *disbelief != Disbelief::Unsigned => {
            return Err(*disbelief);
        }
        Err(_) => return Ok(None),
        Ok(_) if guard.document_keys.is_empty() => return Ok(None),
        Ok(signature) => signature,
    };
    let added_at = added_at(entry, now).timestamp();
    let time = signature.verify(&guard.document_keys, &ctx.project, json, added_at)?;
    let signed_at = DateTime::from_timestamp(time, 0).ok_or(Disbelief::Malformed)?;
    Ok(Some(Nonce { signed_at, name: format!("{}:{}", signature.key, signature.nonce) }))
}

fn accept(
    ctx: &Context,
    entry: &str,
    json: &[u8],
    forms: IdForms,
    now: DateTime<Utc>,
) -> Result<Accepted, String> {
    let document = Document::parse(json, now).map_err(|rejection| rejection.to_string())?;
    let own_id: RequestId =
        entry.parse().map_err(|_| "the entry id is no request id".to_owned())?;
    let id = document.id.clone().unwrap_or(own_id);
    let received_at = document.received_at.unwrap_or_else(|| added_at(entry, now));
    let (sealed, sealed_ids) = seal(ctx, &id, &document, forms, received_at)
        .map_err(|_| "the identifiers could not be sealed".to_owned())?;
    let named = if document.kind == Kind::Cancellation { &[][..] } else { &document.distinct_ids };
    Ok(Accepted {
        id,
        kind: document.kind,
        regulation: document.regulation,
        disclosure: document.disclosure,
        tags: named.iter().map(|id| ctx.config.pepper.tag(&ctx.project, id)).collect(),
        sealed,
        sealed_ids,
        received_at,
        due_at: due_at(document.regulation, received_at),
        target: document.request_id,
        nonce: None,
    })
}

/// What later steps need of the document in clear, sealed, and how many identifiers that are.
fn seal(
    ctx: &Context,
    id: &RequestId,
    document: &Document,
    forms: IdForms,
    received_at: DateTime<Utc>,
) -> Result<(Vec<u8>, usize), Unopenable> {
    match document.kind {
        Kind::Retrieval | Kind::Deletion => {
            let mut ids = document.distinct_ids.clone();
            if forms == IdForms::Both {
                let filter = &ctx.delivery.filter;
                ids.extend(document.distinct_ids.iter().filter_map(|id| filter.alias_of(id)));
            }
            Ok((ctx.vault.seal(id, &ids)?, ids.len()))
        }
        Kind::OptIn => {
            let event = opt_in_event(id, document, received_at);
            Ok((ctx.vault.seal_bytes(&opt_in_seal(id.as_str()), event.to_string().as_bytes())?, 0))
        }
        Kind::Cancellation | Kind::OptOut => Ok((Vec::new(), 0)),
    }
}

/// The event that tells Mixpanel of an opt-in, as its SDKs send it; the same however often it is made.
fn opt_in_event(id: &RequestId, document: &Document, received_at: DateTime<Utc>) -> Value {
    let mut properties = document.properties.clone().unwrap_or_default();
    let person = document.distinct_ids.first().map_or("", |id| id.expose());
    properties.insert("distinct_id".to_owned(), person.into());
    properties.insert("time".to_owned(), received_at.timestamp_millis().into());
    properties.insert("$insert_id".to_owned(), format!("opt-in-{id}").into());
    json!({ "event": "$opt_in", "properties": properties })
}

/// The time of the XADD. A producer that chose the entry id itself may have put no time into it.
fn added_at(entry: &str, now: DateTime<Utc>) -> DateTime<Utc> {
    const LAST_YEARS: chrono::TimeDelta = chrono::TimeDelta::days(366);
    entry
        .split_once('-')
        .and_then(|(ms, _)| ms.parse().ok())
        .and_then(DateTime::from_timestamp_millis)
        .filter(|time| *time <= now && now - *time < LAST_YEARS)
        .unwrap_or(now)
}
