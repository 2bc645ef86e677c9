//! An event as it may leave.

use super::{
    draft::Draft,
    filter::{Origin, Refusal},
    insert_id,
    members::Member,
    moment,
    names::{Meaning, Place},
    record::{Record, is_null},
};

/// The properties that are not copied but written as they must be.
#[derive(Default)]
struct Required<'a> {
    token: bool,
    distinct_id: bool,
    time: Option<&'a str>,
    insert_id: Option<&'a str>,
    address: Option<&'a str>,
}

pub(super) fn write(
    draft: &mut Draft<'_, '_>,
    record: &Record<'_>,
    origin: &Origin,
) -> Result<(), Refusal> {
    draft.raw(b"{");
    for member in &record.members {
        match member.meaning {
            Meaning::Event => {
                draft.name("event");
                draft.raw(member.value.raw().unwrap_or_default().as_bytes());
            }
            Meaning::Properties => {}
            _ => draft.member(Place::Event, member)?,
        }
    }
    draft.name("properties");
    draft.raw(b"{");
    let mut required = Required::default();
    for property in record.properties() {
        copy(draft, property, &mut required)?;
    }
    complete(draft, record, origin, &required);
    draft.raw(b"}}");
    Ok(())
}

fn copy<'a>(
    draft: &mut Draft<'_, '_>,
    property: &Member<'a>,
    required: &mut Required<'a>,
) -> Result<(), Refusal> {
    let raw = property.value.raw();
    match property.meaning {
        Meaning::EventToken => required.token = true,
        Meaning::Time => required.time = raw,
        Meaning::InsertId => required.insert_id = raw,
        Meaning::EventAddress if !draft.geolocation => required.address = raw,
        Meaning::DistinctId if is_null(property) => {}
        meaning => {
            required.distinct_id |= meaning == Meaning::DistinctId;
            draft.member(Place::Properties, property)?;
        }
    }
    Ok(())
}

/// Writes what every event must have. Without a distinct_id Mixpanel would make one of the address that the
/// call comes from, which is the worker's.
fn complete(
    draft: &mut Draft<'_, '_>,
    record: &Record<'_>,
    origin: &Origin,
    required: &Required<'_>,
) {
    let filter = draft.filter;
    if required.token || filter.events_need_token {
        draft.name("token");
        draft.raw(filter.token_json());
    }
    if !draft.geolocation {
        draft.no_address("ip", required.address);
    }
    if !required.distinct_id {
        let id = record.event_owner().unwrap_or_default();
        draft.name("distinct_id");
        if !draft.alias(&id) {
            draft.text(&id);
        }
    }
    draft.name("time");
    let time = required.time.and_then(moment::number);
    draft.raw(time.unwrap_or_else(|| origin.entry_ms.to_string()).as_bytes());

    // A valid one may be made of the very id that is to leave hashed.
    let tells = |own: &str| {
        filter.hashes_ids() && record.people().iter().any(|id| own.contains(id.expose()))
    };
    let insert_id = insert_id::of(required.insert_id, origin, &filter.insert_ids, tells);
    draft.name("$insert_id");
    draft.text(&insert_id);
}
