//! From the bytes of a call to the text of its records, however an SDK packs them.
//!
//! | sender | what it sends |
//! | --- | --- |
//! | mixpanel-js | form `data=` with JSON (older: base64); by beacon the same form as `text/plain`; GET with `data` in the query |
//! | Python, Go (identify) | form `data=` with JSON, and `verbose` and `ip` in the form |
//! | Ruby, Java, Android | form `data=` with base64, the form gzipped if so configured |
//! | Node, PHP | form `data=` with base64 that is not percent-encoded: its plus signs arrive as blanks |
//! | Swift, Go, Java (`/import`) | JSON, gzipped if so configured |
//! | mixpanel-rs | GET with base64 in the query |
//! | `/import` by hand | JSON or a JSON object a line |

mod encoding;
mod gunzip;
mod parameters;
mod surrogates;

use std::borrow::Cow;

use url::form_urlencoded;

pub(super) use parameters::{Parameters, Voice};

use super::{budget::Paid, refusal::Refusal};

/// What a call brought, before its records are looked at.
pub(super) struct Payload {
    /// JSON: an object, an array, or objects one after the other.
    pub(super) text: String,
    /// What the query and the form say beside the records.
    pub(super) parameters: Parameters,
}

/// The parts of a call that matter here. The content type is not among them: senders get it wrong, and the body shows
/// what it is.
pub(super) struct Packed<'a> {
    pub(super) query: &'a str,
    pub(super) content_encoding: &'a str,
    pub(super) body: &'a [u8],
    /// Most bytes, unpacked.
    pub(super) most: usize,
}

/// Unpacks a call; `paid` pays for what it takes.
pub(super) fn unpack(packed: &Packed<'_>, paid: &mut Paid) -> Result<Payload, Refusal> {
    let (mut parameters, in_query) = Parameters::from_query(packed.query);
    let body = gunzip::plain(packed.body, packed.content_encoding, packed.most, paid)?;
    let body =
        std::str::from_utf8(&body).map_err(|_| Refusal::Unreadable("the body is not UTF-8"))?;
    let body = body.trim_start_matches('\u{feff}').trim();
    let data: Cow<'_, str> = if looks_like_json(body) {
        body.into()
    } else {
        let mut in_form = None;
        for (name, value) in form_urlencoded::parse(body.as_bytes()) {
            if name == "data" {
                in_form.get_or_insert(value);
            } else {
                parameters.absorb(&name, &value);
            }
        }
        parameters.form = in_form.is_some() || in_query.is_some();
        let data = in_form.or(in_query.map(Cow::Owned));
        data.ok_or(Refusal::Unreadable("no JSON, and no form or query with data="))?
    };
    let text = encoding::json(data, packed.most, paid)?;
    paid.pay_more(text.len())?;
    Ok(Payload { text: surrogates::replaced(text.into_owned()), parameters })
}

fn looks_like_json(text: &str) -> bool {
    text.starts_with(['{', '['])
}

#[cfg(test)]
mod tests;
