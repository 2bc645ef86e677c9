//! From a body to records: JSON, lines of JSON, or a form's `data`, plain, base64 or gzipped.

use std::borrow::Cow;
use std::io::Read;

use data_encoding::{BASE64, BASE64_NOPAD};
use flate2::read::GzDecoder;
use serde_json::value::RawValue;

use super::Record;
use crate::call::Call;
use crate::kind::Kind;

const MOST_RECORDS: usize = 2000;

/// Why a body gives no records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BodyError {
    TooLarge,
    Unreadable(String),
}

/// The records of a call, in their order. `most_bytes` is the largest body, uncompressed.
pub(crate) fn records(
    call: &Call,
    kind: Kind,
    most_bytes: usize,
) -> Result<Vec<Record>, BodyError> {
    let bytes = uncompressed(call, kind, most_bytes)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| unreadable("body is not UTF-8"))?;
    let is_form = call.content_type.starts_with("application/x-www-form-urlencoded");
    let records = match call.query("data") {
        Some(data) => decode(data)?,
        None if is_form || text.starts_with("data=") => decode(&form_data(text)?)?,
        None => parse(text)?,
    };
    if records.len() > MOST_RECORDS {
        return Err(BodyError::TooLarge);
    }
    Ok(records)
}

fn uncompressed(call: &Call, kind: Kind, most_bytes: usize) -> Result<Cow<'_, [u8]>, BodyError> {
    if call.gzipped && matches!(kind, Kind::Engage | Kind::Groups) {
        return Err(unreadable("gzip is not supported here"));
    }
    let mut bytes = Cow::Borrowed(&call.body[..]);
    if call.gzipped {
        let mut plain = Vec::new();
        let limit = (most_bytes as u64).saturating_add(1);
        let decoder = GzDecoder::new(&call.body[..]);
        decoder.take(limit).read_to_end(&mut plain).map_err(|_| unreadable("bad gzip"))?;
        bytes = Cow::Owned(plain);
    }
    if bytes.len() > most_bytes { Err(BodyError::TooLarge) } else { Ok(bytes) }
}

fn form_data(text: &str) -> Result<String, BodyError> {
    let mut pairs = url::form_urlencoded::parse(text.as_bytes());
    let data = pairs.find(|(name, _)| name == "data").map(|(_, value)| value.into_owned());
    data.ok_or_else(|| unreadable("the form has no data"))
}

/// JSON, or JSON in base64 as old senders have it.
fn decode(data: &str) -> Result<Vec<Record>, BodyError> {
    if data.trim_start().starts_with(['[', '{']) {
        return parse(data);
    }
    // A plus sign that was not escaped has become a space on its way through the form.
    let data = data.trim_end_matches('\n').replace(' ', "+");
    let bytes = BASE64.decode(data.as_bytes()).or_else(|_| BASE64_NOPAD.decode(data.as_bytes()));
    let bytes = bytes.map_err(|_| unreadable("data is neither JSON nor base64"))?;
    parse(std::str::from_utf8(&bytes).map_err(|_| unreadable("data is not UTF-8"))?)
}

/// One array, one object, or one object a line.
fn parse(text: &str) -> Result<Vec<Record>, BodyError> {
    let bad = |_| unreadable("bad JSON");
    let texts: Vec<&RawValue> = if let Ok(array) = serde_json::from_str(text) {
        array
    } else {
        let lines = serde_json::Deserializer::from_str(text).into_iter();
        let lines: Vec<_> = lines.collect::<Result<_, _>>().map_err(bad)?;
        if lines.is_empty() {
            return Err(unreadable("no data"));
        }
        lines
    };
    texts.into_iter().map(Record::read).collect::<Result<_, _>>().map_err(bad)
}

fn unreadable(message: &str) -> BodyError {
    BodyError::Unreadable(message.to_owned())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::time::Instant;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use serde_json::{Value, json};

    use super::*;

    fn call(content_type: &str, body: &[u8]) -> Call {
        Call {
            range: None,
            if_range: None,
            arrived: Instant::now(),
            whole: None,
            method: "POST".to_owned(),
            path: "/track".to_owned(),
            query: Vec::new(),
            authorization: None,
            content_type: content_type.to_owned(),
            gzipped: false,
            body: body.to_vec().into(),
        }
    }

    fn expected() -> Vec<Value> {
        vec![json!({"event": "A"}), json!({"event": "B"})]
    }

    fn values(records: &[Record]) -> Vec<Value> {
        records.iter().map(Record::value).collect()
    }

    fn records(call: &Call, kind: Kind) -> Result<Vec<Value>, BodyError> {
        super::records(call, kind, 10_000).as_deref().map(values).map_err(Clone::clone)
    }

    const ARRAY: &str = r#"[{"event":"A"},{"event":"B"}]"#;

    #[test]
    fn every_way_to_send_gives_the_same_records() {
        let form = "application/x-www-form-urlencoded";
        let escaped: String = url::form_urlencoded::byte_serialize(ARRAY.as_bytes()).collect();
        let base64: String =
            url::form_urlencoded::byte_serialize(BASE64.encode(ARRAY.as_bytes()).as_bytes())
                .collect();
        for (content_type, body) in [
            ("application/json", ARRAY.to_owned()),
            ("application/x-ndjson", "{\"event\":\"A\"}\n{\"event\":\"B\"}\n".to_owned()),
            (form, format!("data={escaped}")),
            (form, format!("data={base64}")),
        ] {
            assert_eq!(records(&call(content_type, body.as_bytes()), Kind::Track), Ok(expected()));
        }
    }

    #[test]
    fn gzip_is_read_for_events_and_refused_for_profiles() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        assert!(encoder.write_all(ARRAY.as_bytes()).is_ok());
        let body = encoder.finish().unwrap_or_default();
        let call = Call { gzipped: true, ..call("application/json", &body) };
        assert_eq!(records(&call, Kind::Import), Ok(expected()));
        assert!(matches!(records(&call, Kind::Engage), Err(BodyError::Unreadable(_))));
    }

    #[test]
    fn the_largest_body_counts_uncompressed() {
        let body = ARRAY.as_bytes();
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        assert!(encoder.write_all(body).is_ok());
        let gzipped = encoder.finish().unwrap_or_default();
        for (body, gzipped) in [(body, false), (&gzipped[..], true)] {
            let call = Call { gzipped, ..call("application/json", body) };
            let read = |most| {
                super::records(&call, Kind::Import, most)
                    .as_deref()
                    .map(values)
                    .map_err(Clone::clone)
            };
            assert_eq!(read(ARRAY.len()), Ok(expected()));
            assert_eq!(read(ARRAY.len() - 1), Err(BodyError::TooLarge));
        }
    }

    #[test]
    fn more_than_two_thousand_records_are_too_many() {
        let body = serde_json::to_vec(&vec![json!({}); 2001]).unwrap_or_default();
        assert_eq!(
            records(&call("application/json", &body), Kind::Track),
            Err(BodyError::TooLarge)
        );
    }
}
