//! A record is written anew, member by member, under the rules that hold everywhere in it.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::{
    changes::Changes,
    filter::{Filter, Refusal},
    ids::{self, IdValue},
    members::{Member, Members},
    names::{Meaning, Place},
    personal::{self, Personal},
    records::Unreadable,
};

/// What is written so far.
pub(super) struct Draft<'f, 'o> {
    pub(super) filter: &'f Filter,
    pub(super) geolocation: bool,
    changes: Changes,
    /// How often something was written otherwise than it was read.
    altered: u32,
    out: &'o mut Vec<u8>,
}

/// A length of the output to come back to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark(usize);

impl<'f, 'o> Draft<'f, 'o> {
    pub(super) fn new(filter: &'f Filter, geolocation: bool, out: &'o mut Vec<u8>) -> Self {
        Self { filter, geolocation, changes: Changes::default(), altered: 0, out }
    }

    pub(super) fn changes(&self) -> Changes {
        self.changes
    }

    pub(super) fn mark(&self) -> Mark {
        Mark(self.out.len())
    }

    pub(super) fn back_to(&mut self, mark: Mark) {
        self.out.truncate(mark.0);
    }

    pub(super) fn raw(&mut self, json: &[u8]) {
        self.out.extend_from_slice(json);
    }

    /// Begins a member: its name, after a comma if it is not the first.
    pub(super) fn name(&mut self, name: &str) {
        if self.out.last() != Some(&b'{') {
            self.out.push(b',');
        }
        self.text(name);
        self.out.push(b':');
    }

    /// Writes a text as JSON.
    pub(super) fn text(&mut self, text: &str) {
        if text.bytes().any(|byte| byte < 0x20 || byte == b'"' || byte == b'\\') {
            // Writing text into memory cannot fail.
            let _ = serde_json::to_writer(&mut *self.out, text);
        } else {
            self.out.push(b'"');
            self.out.extend_from_slice(text.as_bytes());
            self.out.push(b'"');
        }
    }

    /// Writes one member as far as it may leave.
    pub(super) fn member(&mut self, place: Place, member: &Member<'_>) -> Result<(), Refusal> {
        let Some(raw) = member.value.raw() else { return Ok(()) };
        let meaning = member.meaning;
        if !self.geolocation && meaning.is_geographic() {
            self.remove(|changes| &mut changes.geolocation);
            return Ok(());
        }
        if !place.protects(meaning) && self.filter.blacklist.contains(&*member.name) {
            self.remove(|changes| &mut changes.blacklisted);
            return Ok(());
        }
        let mark = self.mark();
        self.name(&member.name);
        let stays = match meaning {
            _ if meaning.id_name().is_some() => self.id(meaning, raw)?,
            Meaning::Email if is_something(raw) => self.personal(Personal::Email, raw),
            Meaning::Phone if is_something(raw) => self.personal(Personal::Phone, raw),
            _ => self.value(raw, true)?,
        };
        if !stays {
            self.back_to(mark);
        }
        Ok(())
    }

    /// Writes a value that stands under the name of an id.
    fn id(&mut self, meaning: Meaning, raw: &str) -> Result<bool, Refusal> {
        if !self.filter.hashes_ids() {
            return self.value(raw, false);
        }
        match IdValue::read(meaning, raw) {
            IdValue::One(id) => {
                if self.alias(&id) {
                    return Ok(true);
                }
                self.raw(raw.as_bytes());
            }
            IdValue::Nobody => self.raw(raw.as_bytes()),
            IdValue::List(members) => {
                self.out.push(b'[');
                self.items(&members, |draft, raw| draft.id(meaning, raw))?;
                self.out.push(b']');
            }
            IdValue::ListInText(json) => {
                let mark = self.mark();
                self.id(meaning, &json)?;
                let list = self.out.split_off(mark.0);
                self.text(&String::from_utf8_lossy(&list));
            }
            // Only below the places that people are read from: there an object is one like any other.
            IdValue::NoId if raw.starts_with('{') => return self.value(raw, true),
            IdValue::NoId => {
                return Err(Unreadable::Id(meaning.id_name().unwrap_or_default()).into());
            }
        }
        Ok(true)
    }

    /// Writes the alias of an id, if it has one.
    pub(super) fn alias(&mut self, id: &str) -> bool {
        let alias = self.filter.leaving_aliases.as_ref().and_then(|aliases| aliases.of(id));
        if let Some(alias) = &alias {
            self.text(alias);
            self.changes.anonymized += 1;
            self.altered += 1;
        }
        alias.is_some()
    }

    /// Writes a value as far as it may leave; says whether anything of it does.
    pub(super) fn value(&mut self, raw: &str, looked_at: bool) -> Result<bool, Refusal> {
        match raw.as_bytes().first() {
            Some(b'"') if looked_at => {
                let text = ids::text(raw).unwrap_or(Cow::Borrowed(raw));
                if let Some(personal) = personal::looks_like(&text) {
                    return Ok(self.personal(personal, raw));
                }
                self.raw(raw.as_bytes());
                Ok(true)
            }
            Some(b'{') => {
                let Members { members, repeated } = Members::read(raw, |_| false)?;
                self.nested(raw, *b"{}", members.is_empty(), |draft| {
                    draft.altered += u32::from(repeated > 0);
                    members.iter().try_for_each(|m| draft.member(Place::Nested, m))
                })
            }
            Some(b'[') => {
                // What was read once is valid, so only nesting could make this fail.
                let items: Vec<&RawValue> =
                    serde_json::from_str(raw).map_err(|_| Unreadable::TooDeep)?;
                self.nested(raw, *b"[]", items.is_empty(), |draft| {
                    draft.items(&items, |draft, raw| draft.value(raw, looked_at))
                })
            }
            _ => {
                self.raw(raw.as_bytes());
                Ok(true)
            }
        }
    }

    /// Writes an object or array: byte for byte if nothing in it changed, not at all if nothing is left.
    fn nested(
        &mut self,
        raw: &str,
        brackets: [u8; 2],
        was_empty: bool,
        write: impl FnOnce(&mut Self) -> Result<(), Refusal>,
    ) -> Result<bool, Refusal> {
        let (mark, altered) = (self.mark(), self.altered);
        self.out.push(brackets[0]);
        write(self)?;
        if self.altered == altered {
            self.back_to(mark);
            self.raw(raw.as_bytes());
            return Ok(true);
        }
        let is_empty = self.out.len() == mark.0 + 1;
        self.out.push(brackets[1]);
        Ok(was_empty || !is_empty)
    }

    fn items(
        &mut self,
        items: &[&RawValue],
        write: impl Fn(&mut Self, &str) -> Result<bool, Refusal>,
    ) -> Result<(), Refusal> {
        for item in items {
            let mark = self.mark();
            if self.out.last() != Some(&b'[') {
                self.out.push(b',');
            }
            if !write(self, item.get())? {
                self.back_to(mark);
            }
        }
        Ok(())
    }

    /// Counts a value that looks personal; writes it unless such values are dropped.
    fn personal(&mut self, personal: Personal, raw: &str) -> bool {
        let count = match personal {
            Personal::Email => &mut self.changes.email,
            Personal::Phone => &mut self.changes.phone,
            Personal::Card => &mut self.changes.card,
        };
        *count += 1;
        if self.filter.drop_personal_values {
            self.changes.dropped_values += 1;
            self.altered += 1;
            return false;
        }
        self.raw(raw.as_bytes());
        true
    }

    /// Counts a member that is not written.
    fn remove(&mut self, count: fn(&mut Changes) -> &mut u32) {
        *count(&mut self.changes) += 1;
        self.altered += 1;
    }

    /// Writes the address that stands for none, and counts the one that was there.
    pub(super) fn no_address(&mut self, name: &str, was: Option<&str>) {
        self.changes.geolocation += u32::from(was.is_some_and(|was| was != "\"0\""));
        self.name(name);
        self.text("0");
    }
}

/// Whether a value under a name that is personal by itself says something: text or a number.
fn is_something(raw: &str) -> bool {
    raw != "\"\""
        && raw.starts_with(|first: char| first == '"' || first == '-' || first.is_ascii_digit())
}
