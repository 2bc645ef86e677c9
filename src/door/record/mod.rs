//! From text to records: each one is looked at, none is rewritten. A record goes on byte for byte.

mod event;
mod import;
mod profile;
mod readable;
mod several;

use std::fmt;

use serde_json::value::RawValue;

pub(super) use import::Fault as ImportFault;
pub(super) use several::several;

/// What a record is about; the name of its field in an entry of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Kind {
    Event,
    Profile,
}

impl Kind {
    /// The field of the entry.
    pub(super) const fn field(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Profile => "profile",
        }
    }
}

/// By which rules records are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rules {
    /// `/track`: an event needs a name and a token.
    Track,
    /// `/import`: also a time, and an `$insert_id` if `strict`; `now` is in Unix seconds.
    Import { now: i64, strict: bool },
    /// `/engage`: a profile update needs an id and a token.
    Engage,
}

impl Rules {
    pub(super) const fn kind(self) -> Kind {
        match self {
            Self::Track | Self::Import { .. } => Kind::Event,
            Self::Engage => Kind::Profile,
        }
    }
}

/// Largest record, in bytes. [import-events, "High-level requirements"]
const MAX_RECORD_BYTES: usize = 1024 * 1024;

/// A record that may go on.
pub(super) struct Record<'a> {
    /// Its JSON.
    pub(super) json: &'a str,
    /// The token of its project, if it names one.
    pub(super) token: Option<String>,
    /// Where in `json` an address could be put: after the brace of the object that has none yet.
    pub(super) address_at: Option<usize>,
}

/// Hides the person.
impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").field("bytes", &self.json.len()).finish_non_exhaustive()
    }
}

/// Why a record may not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// The field.
    pub(super) field: &'static str,
    /// What was expected.
    pub(super) message: &'static str,
    /// The record's `$insert_id`, if it has one: the caller's own word, for the answer to the caller.
    pub(super) insert_id: Option<String>,
}

impl Fault {
    const fn new(field: &'static str, message: &'static str) -> Self {
        Self { field, message, insert_id: None }
    }
}

/// Looks at one record.
pub(super) fn check(raw: &RawValue, rules: Rules) -> Result<Record<'_>, Fault> {
    let json = raw.get();
    if json.len() > MAX_RECORD_BYTES {
        return Err(Fault::new("", "the record is larger than 1 MB"));
    }
    readable::check(json)?;
    match rules {
        Rules::Track => event::check(json, None),
        Rules::Import { now, strict } => event::check(json, Some((now, strict))),
        Rules::Engage => profile::check(json),
    }
}

/// The text in a value, if it is one.
fn text(value: Option<&RawValue>) -> Option<String> {
    serde_json::from_str(value?.get()).ok()
}

/// The place after the opening brace of `object`, which lies within `json`.
fn after_brace(json: &str, object: &RawValue) -> usize {
    (object.get().as_ptr() as usize).saturating_sub(json.as_ptr() as usize) + 1
}

#[cfg(test)]
mod tests;
