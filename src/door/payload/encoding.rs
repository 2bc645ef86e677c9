//! `data`: JSON as it is, or in base64 of either alphabet, with or without padding, perhaps gzipped inside.

use std::borrow::Cow;

use data_encoding::BASE64_NOPAD;

use super::{gunzip, looks_like_json};
use crate::door::{budget::Paid, refusal::Refusal};

const NEITHER: Refusal = Refusal::Unreadable("data is neither JSON nor base64 of JSON");

/// The JSON in `data`, of at most `most` bytes; `paid` pays for what is unpacked.
pub(super) fn json<'a>(
    data: Cow<'a, str>,
    most: usize,
    paid: &mut Paid,
) -> Result<Cow<'a, str>, Refusal> {
    if looks_like_json(data.trim_start()) {
        return Ok(data);
    }
    let bytes = BASE64_NOPAD.decode(&standard(&data)).map_err(|_| NEITHER)?;
    let bytes = gunzip::plain(&bytes, "", most, paid)?.into_owned();
    String::from_utf8(bytes).map(Cow::Owned).map_err(|_| NEITHER)
}

/// Base64 in the standard alphabet, without line ends and padding. A plus sign that was not escaped has become a
/// blank on its way through the form.
fn standard(data: &str) -> Vec<u8> {
    let data = data.trim_matches(['\r', '\n', '\t']).trim_end_matches('=');
    let one = |byte: u8| match byte {
        b' ' | b'-' => Some(b'+'),
        b'_' => Some(b'/'),
        b'\r' | b'\n' => None,
        other => Some(other),
    };
    data.bytes().filter_map(one).collect()
}
