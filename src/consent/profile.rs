//! A profile update as it may leave.

use super::{
    draft::Draft,
    filter::Refusal,
    members::{Member, Value},
    names::{Meaning, Place},
    record::Record,
};

pub(super) fn write(draft: &mut Draft<'_, '_>, record: &Record<'_>) -> Result<(), Refusal> {
    let deletion_only = record.is_profile_deletion();
    let (mut operators, mut address) = (0, None);
    draft.raw(b"{");
    draft.name("$token");
    draft.raw(draft.filter.token_json());
    for member in &record.members {
        match (member.meaning, &member.value) {
            (Meaning::ProfileToken, _) => {}
            (Meaning::ProfileAddress, value) if !draft.geolocation => address = value.raw(),
            // A deletion may be of somebody who opted out: nothing else leaves with it.
            (Meaning::ProfileAddress | Meaning::Envelope, _) if deletion_only => {}
            (Meaning::Operator(_), Value::Object(properties)) => {
                operators += usize::from(operator(draft, &member.name, properties)?);
            }
            (Meaning::Unset, Value::Raw(names)) => {
                operators += 1;
                draft.name(&member.name);
                draft.raw(names.as_bytes());
            }
            (Meaning::Delete, Value::Raw(value)) => {
                operators += 1;
                draft.name(&member.name);
                draft.raw(meaningless(value).as_bytes());
            }
            _ => draft.member(Place::Profile, member)?,
        }
    }
    if !draft.geolocation {
        draft.no_address("$ip", address);
    }
    draft.raw(b"}");
    if operators == 0 { Err(Refusal::NothingLeft) } else { Ok(()) }
}

/// Writes an operator; says whether it has anything left to do.
fn operator(
    draft: &mut Draft<'_, '_>,
    name: &str,
    properties: &[Member<'_>],
) -> Result<bool, Refusal> {
    let start = draft.mark();
    draft.name(name);
    draft.raw(b"{");
    let first = draft.mark();
    for property in properties {
        draft.member(Place::Operator, property)?;
    }
    if !properties.is_empty() && draft.mark() == first {
        draft.back_to(start);
        return Ok(false);
    }
    draft.raw(b"}");
    Ok(true)
}

/// The value of `$delete`, which Mixpanel does not read. Some SDKs put the id there: that leaves as empty text.
fn meaningless(value: &str) -> &str {
    if matches!(value, "null" | "true" | "\"\"" | "\"null\"" | "{}") { value } else { "\"\"" }
}
