//! One event or profile update: whom it names, whose and when it is.

use gdpr_jobs::DistinctId;

use super::{
    ids::{self, DEVICE_PREFIX, IdValue},
    members::{Member, Members, Value},
    moment,
    names::Meaning,
    records::{MAX_DEPTH, MAX_PEOPLE, MAX_RECORD_BYTES, Unreadable, depth},
};

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// An event, as `/track` and `/import` take it.
    Event,
    /// An update of a person's profile, as `/engage` takes it.
    Profile,
}

/// A record that was read: its own members, and those of an event's `properties` or a profile's operators.
/// Borrows the text; `Debug` shows nothing of it.
pub struct Record<'a> {
    pub(super) kind: RecordKind,
    pub(super) members: Vec<Member<'a>>,
}

impl<'a> Record<'a> {
    /// Reads the text of a record. Where a name stands twice, the last one counts.
    ///
    /// Refused is what Mixpanel does not understand, and what ids could hide in: an id that is an object, an
    /// operator that is a list, updates of groups.
    pub fn read(kind: RecordKind, json: &'a str) -> Result<Self, Unreadable> {
        if json.len() > MAX_RECORD_BYTES {
            return Err(Unreadable::TooLong(json.len()));
        }
        if !json.starts_with('{') {
            return Err(Unreadable::NotAnObject);
        }
        let opens = match kind {
            RecordKind::Event => |meaning| meaning == Meaning::Properties,
            RecordKind::Profile => |meaning| matches!(meaning, Meaning::Operator(_)),
        };
        let record = Self { kind, members: Members::read(json, opens)?.members };
        let mut named = 0;
        record.every_member().try_for_each(|member| check(member, &mut named))?;
        match kind {
            RecordKind::Event => record.check_event()?,
            RecordKind::Profile => record.check_profile()?,
        }
        Ok(record)
    }

    /// Every id that the record names, without repeats: `distinct_id` and its like in the record, in its
    /// properties and in its operators. A device's id stands here with and without `$device:`.
    pub fn people(&self) -> Vec<DistinctId> {
        let mut people: Vec<DistinctId> = Vec::with_capacity(4);
        for (meaning, raw) in self.id_values() {
            // What is no id was refused when the record was read.
            let _ = ids::each(meaning, raw, &mut |id| {
                note(&mut people, id);
                if let Some(device) = id.strip_prefix(DEVICE_PREFIX) {
                    note(&mut people, device);
                } else if meaning == Meaning::DeviceId && !id.is_empty() {
                    note(&mut people, &format!("{DEVICE_PREFIX}{id}"));
                }
            });
        }
        people
    }

    /// Whose event or profile this is: the distinct_id that it has or leaves with.
    pub fn owner(&self) -> Option<DistinctId> {
        let id = match self.kind {
            RecordKind::Event => self.event_owner(),
            RecordKind::Profile => self.one_id(Meaning::ProfileId),
        };
        id.filter(|id| !id.is_empty()).map(DistinctId::new)
    }

    /// When the event was, in Unix milliseconds, if it says so.
    pub fn time(&self) -> Option<u64> {
        self.properties()
            .find(|m| m.meaning == Meaning::Time)?
            .value
            .raw()
            .and_then(moment::milliseconds)
    }

    /// Whether this deletes a profile and does nothing else, so that it may leave even when the person is
    /// opted out. What the SDKs send with it is left out by [`super::Filter::write`].
    pub fn is_profile_deletion(&self) -> bool {
        self.kind == RecordKind::Profile
            && self.members.iter().any(|m| m.meaning == Meaning::Delete)
            && self.members.iter().all(|m| match m.meaning {
                Meaning::Switch => m.value.raw().is_some_and(is_switch),
                Meaning::Delete
                | Meaning::ProfileToken
                | Meaning::ProfileId
                | Meaning::UserId
                | Meaning::DeviceId
                | Meaning::ProfileAddress
                | Meaning::Envelope => true,
                _ => false,
            })
    }

    /// The members of an event's `properties`; none for a profile.
    pub(super) fn properties(&self) -> impl Iterator<Item = &Member<'a>> {
        let properties = self.members.iter().filter(|m| m.meaning == Meaning::Properties);
        properties.flat_map(|m| within(&m.value))
    }

    /// The distinct_id of an event, or what stands for it.
    pub(super) fn event_owner(&self) -> Option<String> {
        if self.properties().any(|m| m.meaning == Meaning::DistinctId && !is_null(m)) {
            return self.one_id(Meaning::DistinctId);
        }
        let known = |meaning| self.one_id(meaning).filter(|id| !id.is_empty());
        known(Meaning::ProfileId).or_else(|| known(Meaning::UserId)).or_else(|| {
            let device = known(Meaning::DeviceId)?;
            let has_prefix = device.starts_with(DEVICE_PREFIX);
            Some(if has_prefix { device } else { format!("{DEVICE_PREFIX}{device}") })
        })
    }

    /// The one id under a name: in the properties of an event, in a profile update itself.
    fn one_id(&self, meaning: Meaning) -> Option<String> {
        let is_it = |m: &&Member<'_>| m.meaning == meaning;
        let member = match self.kind {
            RecordKind::Event => self.properties().find(is_it),
            RecordKind::Profile => self.members.iter().find(is_it),
        };
        match IdValue::read(meaning, member?.value.raw()?) {
            IdValue::One(id) => Some(id.into_owned()),
            _ => None,
        }
    }

    /// Its own members and those that were opened.
    fn every_member(&self) -> impl Iterator<Item = &Member<'a>> {
        self.members.iter().flat_map(|m| std::iter::once(m).chain(within(&m.value)))
    }

    fn id_values(&self) -> impl Iterator<Item = (Meaning, &'a str)> {
        let ids = self.every_member().filter(|m| m.meaning.id_name().is_some());
        ids.filter_map(|m| Some((m.meaning, m.value.raw()?)))
    }

    fn check_event(&self) -> Result<(), Unreadable> {
        let mut name = self.members.iter().filter(|m| m.meaning == Meaning::Event);
        if !name.any(|m| m.value.raw().is_some_and(|raw| raw.starts_with('"'))) {
            return Err(Unreadable::NoEventName);
        }
        let closed = self.members.iter().any(|m| matches!(m.value, Value::NoObject));
        if closed { Err(Unreadable::Properties) } else { Ok(()) }
    }

    fn check_profile(&self) -> Result<(), Unreadable> {
        for member in &self.members {
            match (member.meaning, &member.value) {
                (Meaning::Group, _) => return Err(Unreadable::Group),
                (Meaning::Operator(name), Value::NoObject) => {
                    return Err(Unreadable::Operator(name));
                }
                (Meaning::Unset, Value::Raw(raw)) if !are_names(raw) => {
                    return Err(Unreadable::Operator("$unset"));
                }
                _ => {}
            }
        }
        if self.owner().is_some() { Ok(()) } else { Err(Unreadable::NobodysProfile) }
    }
}

impl std::fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Record").field("kind", &self.kind).finish_non_exhaustive()
    }
}

fn within<'m, 'a>(value: &'m Value<'a>) -> &'m [Member<'a>] {
    if let Value::Object(members) = value { members } else { &[] }
}

pub(super) fn is_null(member: &Member<'_>) -> bool {
    member.value.raw() == Some("null")
}

fn note(people: &mut Vec<DistinctId>, id: &str) {
    if !id.is_empty() && people.iter().all(|known| known.expose() != id) {
        people.push(DistinctId::new(id));
    }
}

/// What holds for every value that was not opened; counts the ids `named` so far.
fn check(member: &Member<'_>, named: &mut usize) -> Result<(), Unreadable> {
    let Some(raw) = member.value.raw() else { return Ok(()) };
    // The record and what was opened in it are two levels more.
    if raw.starts_with(['{', '[']) && depth(raw) > MAX_DEPTH - 2 {
        return Err(Unreadable::TooDeep);
    }
    if let Some(name) = member.meaning.id_name() {
        ids::each(member.meaning, raw, &mut |_| *named += 1).map_err(|_| Unreadable::Id(name))?;
    }
    if *named > MAX_PEOPLE { Err(Unreadable::Crowd) } else { Ok(()) }
}

/// Whether a value of `$unset` has only names in it.
fn are_names(raw: &str) -> bool {
    raw.starts_with('"') || serde_json::from_str::<Vec<String>>(raw).is_ok()
}

/// Whether a value switches something and can say nothing else.
fn is_switch(raw: &str) -> bool {
    let text = raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')).unwrap_or(raw);
    matches!(text, "true" | "false" | "null" | "0" | "1" | "")
}
