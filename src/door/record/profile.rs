//! A profile update of `/engage`. Which operators it has is Mixpanel's to judge.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Fault, Record, text};

#[derive(Deserialize)]
struct Profile<'a> {
    #[serde(borrow, rename = "$token")]
    token: Option<&'a RawValue>,
    #[serde(borrow, rename = "$distinct_id")]
    distinct_id: Option<&'a RawValue>,
    #[serde(borrow, rename = "$ip")]
    ip: Option<&'a RawValue>,
}

/// Checks one update.
pub(super) fn check(json: &str) -> Result<Record<'_>, Fault> {
    if !json.starts_with('{') {
        return Err(Fault::new("", "a profile update must be a JSON object"));
    }
    let profile: Profile<'_> = serde_json::from_str(json)
        .map_err(|_| Fault::new("", "a profile update must have each key once"))?;
    let names_somebody = profile.distinct_id.is_some_and(|id| {
        // Numbers stand for their decimal text.
        text(Some(id)).is_some_and(|id| !id.is_empty())
            || id.get().starts_with(|c: char| c == '-' || c.is_ascii_digit())
    });
    if !names_somebody {
        return Err(Fault::new("$distinct_id", "'$distinct_id' must be a non-empty string"));
    }
    let token = text(profile.token).filter(|token| !token.is_empty());
    Ok(Record { json, token, address_at: profile.ip.is_none().then_some(1) })
}
