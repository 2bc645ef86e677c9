//! `opt-out-link`: an address under which one person opts out, to put into a mail or on a page.

use std::time::Duration;

use chrono::{SecondsFormat, Utc};
use gdpr_jobs::{DistinctId, Document, Kind};
use serde_json::json;

use super::{Outcome, failure::Failure, output::Output};
use crate::{
    config::{Flags, LinkSettings},
    door::opt_out::{LinkKey, OptOutLink},
};

/// Longest time of a link.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 86_400);

/// Prints the link for the person with these ids. Asks neither Redis nor Mixpanel.
pub(super) fn opt_out_link(
    flags: &Flags,
    ids: &[String],
    valid_for: Duration,
    output: &mut Output,
) -> Result<Outcome, Failure> {
    let settings = LinkSettings::load(flags)?;
    let distinct_ids: Vec<DistinctId> = ids.iter().map(DistinctId::new).collect();
    let now = Utc::now();
    Document::new(Kind::OptOut, distinct_ids.clone())
        .validate(now)
        .map_err(|rejection| Failure::told(rejection.to_string()))?;
    if valid_for.is_zero() || valid_for > LONGEST {
        return Err(Failure::told("--valid-for: expected a time from 1s to 3650d"));
    }
    let link = OptOutLink { project: settings.project, distinct_ids, expires: now + valid_for };
    let url = LinkKey::new(&settings.application_key)
        .url(&settings.public_url, &link)
        .map_err(|error| Failure::told(error.to_string()))?;
    let ends = link.expires.to_rfc3339_opts(SecondsFormat::Secs, true);
    if output.is_json() {
        output.json(&json!({ "url": url.as_str(), "expires_at": ends }))?;
    } else {
        output.line(&url)?;
        super::output::complain(format_args!(
            "works until {ends}; whoever has it can opt this person out, and learns nothing else"
        ));
    }
    Ok(Outcome::Done)
}
