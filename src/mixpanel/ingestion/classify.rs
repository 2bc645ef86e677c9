//! From an attempt to its delivery: the one place that decides what an answer means.
//!
//! A status beats what the body says of itself; a body only tells more about what the status leaves open
//! (`reference/import-events.mdx`, `reference/track-event.mdx`; types differ between their examples, so nothing is
//! expected to have one).

use std::{cell::OnceCell, collections::HashMap};

use serde::Deserialize;
use serde_json::Value;

use super::{
    client::Attempt,
    delivery::{Delivery, Outage, RefusedRecord},
    parcel::{Channel, Parcel},
    reason::{Reason, field},
};
use crate::mixpanel::{
    classify::{StatusClass, class},
    exchange::{Answer, Body},
    wire,
};

/// What became of a parcel.
pub(super) fn delivery(attempt: &Attempt, parcel: &Parcel) -> Delivery {
    match attempt {
        Attempt::Answered(answer) => answered(answer, parcel),
        Attempt::Late => Delivery::Late,
        Attempt::Unreachable => unavailable(Outage::Unreachable, false),
        Attempt::TimedOut { sent } => unavailable(Outage::Timeout, *sent),
        Attempt::Lost { sent } => unavailable(Outage::ConnectionLost, *sent),
    }
}

fn answered(answer: &Answer, parcel: &Parcel) -> Delivery {
    let (status, retry_after) = (answer.status, answer.retry_after);
    match class(status) {
        StatusClass::Success => success(answer, parcel),
        StatusClass::Conflict | StatusClass::Invalid => invalid(answer, parcel),
        StatusClass::Credentials => Delivery::Unauthorized { status },
        StatusClass::TooLarge => Delivery::TooLarge,
        StatusClass::Throttled => Delivery::Throttled { retry_after },
        StatusClass::Redirect
        | StatusClass::Missing
        | StatusClass::MethodRefused
        | StatusClass::Protocol => unavailable(Outage::Misdirected { status }, true),
        StatusClass::GaveUp | StatusClass::Server => {
            unavailable(Outage::Server { status, retry_after }, true)
        }
        StatusClass::Nonsense => unavailable(Outage::Unreadable { status }, true),
    }
}

const fn unavailable(why: Outage, sent: bool) -> Delivery {
    Delivery::Unavailable { why, sent }
}

/// 2xx. The word counts: `/track` and `/engage` say 200 to everything.
fn success(answer: &Answer, parcel: &Parcel) -> Delivery {
    let Some(said) = Said::read(&answer.body) else {
        return unavailable(Outage::Unreadable { status: answer.status }, true);
    };
    if !said.failed.is_empty() {
        return partly(&said, parcel);
    }
    match said.word {
        Word::Yes => {
            let counted = said.imported.filter(|_| parcel.channel() == Channel::Import);
            let uncounted = counted.map_or(0, |count| parcel.len().saturating_sub(count));
            Delivery::Accepted { uncounted }
        }
        Word::No if said.is_about_the_rate() => {
            Delivery::Throttled { retry_after: answer.retry_after }
        }
        Word::No => Delivery::Refused { reason: said.reason() },
        // `/import` answers with a count; the others always say yes or no.
        Word::None if parcel.channel() == Channel::Import && said.imported.is_some() => {
            let uncounted = parcel.len().saturating_sub(said.imported.unwrap_or_default());
            Delivery::Accepted { uncounted }
        }
        Word::None => unavailable(Outage::Unreadable { status: answer.status }, true),
    }
}

/// 400 and its like: about the records, unless it is a page from something in between.
fn invalid(answer: &Answer, parcel: &Parcel) -> Delivery {
    if is_page(answer.body.bytes()) {
        return unavailable(Outage::Misdirected { status: answer.status }, true);
    }
    match Said::read(&answer.body) {
        Some(said) if said.is_about_the_rate() => {
            Delivery::Throttled { retry_after: answer.retry_after }
        }
        Some(said) if !said.failed.is_empty() => partly(&said, parcel),
        Some(said) => Delivery::Refused { reason: said.reason() },
        None => Delivery::Refused { reason: Reason::default() },
    }
}

/// A record may be given up only if Mixpanel names it, and the rest may be counted in only if its number fits.
/// Otherwise the parcel is as good as refused: halving it finds out, and what is in already is recognised.
fn partly(said: &Said, parcel: &Parcel) -> Delivery {
    let (mut refused, ids) = (Vec::<RefusedRecord>::new(), InsertIds::of(parcel));
    for failed in &said.failed {
        let Some(index) = failed.place(parcel, &ids) else {
            return Delivery::Refused { reason: failed.reason() };
        };
        if !refused.iter().any(|known| known.index == index) {
            let (field, reason) = (field(&failed.field), failed.reason());
            refused.push(RefusedRecord { index, field, reason });
        }
    }
    let rest = parcel.len() - refused.len();
    if said.imported.is_some_and(|imported| imported != rest) {
        return Delivery::Refused { reason: said.reason() };
    }
    refused.sort_by_key(|record| record.index);
    Delivery::Partly { refused }
}

/// What an answer says, whatever its types.
struct Said {
    word: Word,
    error: String,
    imported: Option<usize>,
    failed: Vec<Failed>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Yes,
    No,
    None,
}

/// A record that Mixpanel names as refused.
struct Failed {
    index: Option<usize>,
    insert_id: Option<String>,
    field: String,
    message: String,
}

impl Said {
    /// The plain `1` and `0`, or an object.
    fn read(body: &Body) -> Option<Self> {
        let Body::Whole(bytes) = body else { return None };
        let value: Value = serde_json::from_slice(bytes).ok()?;
        let Value::Object(answer) = &value else {
            let word = Word::of(&value);
            let said = Self { word, error: String::new(), imported: None, failed: Vec::new() };
            return (word != Word::None).then_some(said);
        };
        let failed = answer.get("failed_records").and_then(Value::as_array);
        Some(Self {
            word: answer.get("status").map_or(Word::None, Word::of),
            error: text(answer.get("error")),
            imported: whole(answer.get("num_records_imported")),
            failed: failed.into_iter().flatten().map(Failed::read).collect(),
        })
    }

    /// Seen with `"status":0` and without a code (mixpanel-node#231).
    fn is_about_the_rate(&self) -> bool {
        self.word == Word::No && self.error.to_ascii_lowercase().contains("rate limit")
    }

    fn reason(&self) -> Reason {
        Reason::from_complaint(&self.error)
    }
}

impl Word {
    /// `status` is text or a number.
    fn of(value: &Value) -> Self {
        let text = match value {
            Value::Bool(yes) => return if *yes { Self::Yes } else { Self::No },
            other => wire::text(other).unwrap_or_default(),
        };
        match text.trim().to_ascii_lowercase().as_str() {
            "1" | "ok" | "200" => Self::Yes,
            "0" | "error" | "bad request" | "400" => Self::No,
            _ => Self::None,
        }
    }
}

impl Failed {
    fn read(value: &Value) -> Self {
        let id = ["$insert_id", "insert_id"].iter().find_map(|name| value.get(name)?.as_str());
        Self {
            index: whole(value.get("index")),
            insert_id: id.map(str::to_owned),
            field: text(value.get("field")),
            message: text(value.get("message")),
        }
    }

    /// Which record of the parcel it is: by its index, else by its `$insert_id`.
    fn place(&self, parcel: &Parcel, ids: &InsertIds<'_>) -> Option<usize> {
        match self.index {
            Some(index) => (index < parcel.len()).then_some(index),
            None => ids.place(self.insert_id.as_deref()?),
        }
    }

    fn reason(&self) -> Reason {
        Reason::from_complaint(&self.message)
    }
}

/// Where each `$insert_id` of a parcel stands; read only if somebody asks.
struct InsertIds<'a> {
    parcel: &'a Parcel,
    /// `None`: several records have it.
    places: OnceCell<HashMap<String, Option<usize>>>,
}

impl<'a> InsertIds<'a> {
    const fn of(parcel: &'a Parcel) -> Self {
        Self { parcel, places: OnceCell::new() }
    }

    fn place(&self, id: &str) -> Option<usize> {
        *self.places.get_or_init(|| places(self.parcel)).get(id)?
    }
}

fn places(parcel: &Parcel) -> HashMap<String, Option<usize>> {
    #[derive(Deserialize)]
    struct Event {
        properties: Properties,
    }
    #[derive(Deserialize)]
    struct Properties {
        #[serde(rename = "$insert_id")]
        insert_id: String,
    }
    let mut places = HashMap::with_capacity(parcel.len());
    for (index, record) in parcel.records().iter().enumerate() {
        if let Ok(event) = serde_json::from_slice::<Event>(record) {
            let id = event.properties.insert_id;
            places.entry(id).and_modify(|place| *place = None).or_insert(Some(index));
        }
    }
    places
}

fn is_page(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"<")
}

fn text(value: Option<&Value>) -> String {
    value.and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A count written as a number or as text.
fn whole(value: Option<&Value>) -> Option<usize> {
    wire::text(value?)?.trim().parse().ok()
}

#[cfg(test)]
mod tests;
