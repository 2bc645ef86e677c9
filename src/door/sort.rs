//! From a call's bytes to entries for the streams: pure, so that a large call can be worked on beside the others.

use std::{collections::BTreeMap, net::IpAddr};

use data_encoding::BASE64;

use super::{
    budget::Paid,
    payload::{self, Packed, Parameters, Voice},
    place,
    projects::Projects,
    record::{self, ImportFault, Record, Rules},
    refusal::Refusal,
    stream::Entries,
};

/// One endpoint of Mixpanel's ingestion API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Track,
    Engage,
    Groups,
    Import,
}

impl Endpoint {
    /// Its path.
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Track => "/track",
            Self::Engage => "/engage",
            Self::Groups => "/groups",
            Self::Import => "/import",
        }
    }

    fn rules(self, now: i64, strict: bool) -> Result<Rules, Refusal> {
        match self {
            Self::Track => Ok(Rules::Track),
            Self::Engage => Ok(Rules::Engage),
            Self::Import => Ok(Rules::Import { now, strict }),
            Self::Groups => Err(Refusal::Groups),
        }
    }
}

/// All that a call is, beside its method.
pub(super) struct Call<'a> {
    pub(super) endpoint: Endpoint,
    pub(super) packed: Packed<'a>,
    /// The header `Authorization`.
    pub(super) authorization: &'a str,
    /// The client's address.
    pub(super) client: IpAddr,
    /// Unix seconds.
    pub(super) now: i64,
}

/// What of a call may go on.
pub(super) struct Sorted {
    /// By place of the project.
    pub(super) projects: BTreeMap<usize, Entries>,
    pub(super) faults: Vec<ImportFault>,
    pub(super) geolocation_off: bool,
    pub(super) strict: bool,
}

/// Sorts a call, and says how to answer it; `paid` pays for the memory.
pub(super) fn sort(
    call: &Call<'_>,
    projects: &Projects,
    paid: &mut Paid,
) -> (Voice, Result<Sorted, Refusal>) {
    let is_import = call.endpoint == Endpoint::Import;
    match payload::unpack(&call.packed, paid) {
        Ok(payload) => {
            let sorted = sort_text(call, projects, &payload.text, &payload.parameters);
            (payload.parameters.voice(is_import), sorted)
        }
        Err(refusal) => {
            (Parameters::from_query(call.packed.query).0.voice(is_import), Err(refusal))
        }
    }
}

fn sort_text(
    call: &Call<'_>,
    projects: &Projects,
    text: &str,
    parameters: &Parameters,
) -> Result<Sorted, Refusal> {
    let strict = parameters.strict == Some(true);
    let rules = call.endpoint.rules(call.now, strict)?;
    let importer = match call.endpoint {
        Endpoint::Import => basic_user(call.authorization).and_then(|user| projects.of(&user)),
        _ => None,
    };
    let mut sorted = Sorted {
        projects: BTreeMap::new(),
        faults: Vec::new(),
        geolocation_off: parameters.ip == Some(false),
        strict,
    };
    for (index, raw) in record::several(text)?.into_iter().enumerate() {
        let record: Record<'_> = match record::check(raw, rules) {
            Ok(record) => record,
            Err(fault) => {
                sorted.faults.push(ImportFault { index, fault });
                continue;
            }
        };
        let named = || record.token.as_deref().and_then(|token| projects.of(token));
        let project = importer.or_else(named).ok_or(Refusal::UnknownToken)?;
        let entries = sorted.projects.entry(project).or_default();
        let wants_place = parameters.ip == Some(true) && projects.geolocates(project);
        match record.address_at.filter(|_| wants_place) {
            Some(at) => entries.push(&place::located(record.json, at, rules.kind(), call.client)),
            None => entries.push(record.json),
        }
    }
    // As at Mixpanel, a call is bad as a whole when nothing in it is good; an import is told record by record.
    let by_record = parameters.voice(call.endpoint == Endpoint::Import) == Voice::Import;
    if let (true, Some(first), false) =
        (sorted.projects.is_empty(), sorted.faults.first(), by_record)
    {
        return Err(Refusal::Invalid(first.fault.message));
    }
    Ok(sorted)
}

/// The user of Basic credentials: at `/import` the project's token, if it is one that is known. The password is not
/// looked at: no API secret and no service account can be checked here, the token is what a sender must know.
fn basic_user(authorization: &str) -> Option<String> {
    let (scheme, credentials) = authorization.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let credentials = credentials.trim();
    // Mixpanel also takes them as they are, without base64.
    let decoded =
        BASE64.decode(credentials.as_bytes()).ok().and_then(|b| String::from_utf8(b).ok());
    let pair = decoded.unwrap_or_else(|| credentials.to_owned());
    Some(pair.split_once(':').map_or(pair.as_str(), |(user, _)| user).to_owned())
}
