#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::Write as _;

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD};
use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::door::budget::Budget;

const MOST: usize = 64 * 1024;

fn call<'a>(query: &'a str, body: &'a [u8]) -> Packed<'a> {
    Packed { query, content_encoding: "", body, most: MOST }
}

fn unpacked(packed: &Packed<'_>) -> Result<Payload, Refusal> {
    unpack(packed, &mut Budget::new(MOST).account())
}

fn text(packed: &Packed<'_>) -> String {
    unpacked(packed).map(|payload| payload.text).unwrap()
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn escaped(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// The texts are chosen so that base64 of them has `+` and `/`.
const EVENTS: &str = r#"[{"event":"Añ>>>???~~","properties":{"token":"t","distinct_id":"u1"}}]"#;

#[test]
fn base64_of_the_example_has_the_signs_that_forms_spoil() {
    let base64 = BASE64.encode(EVENTS.as_bytes());
    assert!(base64.contains('+') && base64.contains('/'), "{base64}");
}

#[test]
fn the_payload_of_every_sdk_is_unpacked() {
    let base64 = BASE64.encode(EVENTS.as_bytes());
    let form = format!("data={}", escaped(EVENTS));
    let base64_form = format!("data={}", escaped(&base64));
    let bare_form = format!("data={base64}");
    let base64_query = format!("data={}&ip=0&verbose=1", escaped(&base64));
    let java = gzipped(base64_form.as_bytes());
    let python = format!("{form}&verbose=1&ip=0");
    for (sdk, query, body) in [
        ("mixpanel-js", "ip=1&_=1764000000000&verbose=1", form.as_bytes()),
        ("mixpanel-js, old", "ip=1&_=1764000000000", base64_form.as_bytes()),
        ("mixpanel-js by beacon", "verbose=1&ip=1", form.as_bytes()),
        ("mixpanel-js by picture", &*format!("{base64_query}&img=1"), b""),
        ("Python", "", python.as_bytes()),
        ("Ruby", "", &*[base64_form.as_bytes(), b"&verbose=1"].concat()),
        ("Node, PHP", "ip=0&verbose=0", bare_form.as_bytes()),
        ("PHP by socket", "", bare_form.trim_end_matches('=').as_bytes()),
        ("Java", "ip=0", base64_form.as_bytes()),
        ("Java and Android, gzipped", "ip=0", &java),
        ("Swift", "ip=1", EVENTS.as_bytes()),
        ("Swift, gzipped", "ip=1", &gzipped(EVENTS.as_bytes())),
        ("Go", "verbose=1", EVENTS.as_bytes()),
        ("mixpanel-rs", &*base64_query, b""),
        ("curl without a header", "", EVENTS.as_bytes()),
    ] {
        let packed = call(query, body);
        assert_eq!(text(&packed), EVENTS, "{sdk}");
    }
}

#[test]
fn parameters_count_wherever_they_stand() {
    let form = format!("data={}&verbose=1&ip=0", escaped(EVENTS));
    let payload = unpacked(&call("", form.as_bytes())).unwrap();
    assert!(payload.parameters.ip == Some(false) && payload.parameters.form);
    assert_eq!(payload.parameters.voice(false), Voice::Verbose);
    let payload = unpacked(&call("ip=1&strict=1", EVENTS.as_bytes())).unwrap();
    assert!(payload.parameters.ip == Some(true) && !payload.parameters.form);
    assert_eq!(payload.parameters.voice(true), Voice::Import);
}

#[test]
fn half_an_emoji_is_made_readable() {
    let body = r#"{"event":"A","properties":{"text":"cut \ud83d"}}"#;
    let text = text(&call("", body.as_bytes()));
    assert!(serde_json::from_str::<Value>(&text).is_ok());
}

fn refusal(packed: &Packed<'_>) -> Refusal {
    unpacked(packed).err().unwrap()
}

#[test]
fn what_unpacks_to_more_than_may_be_is_stopped_at_the_limit() {
    let bomb = gzipped(&vec![b' '; 64 * MOST]);
    assert!(bomb.len() < MOST);
    assert_eq!(refusal(&call("", &bomb)), Refusal::TooLarge(MOST));
    let inner = format!("data={}", escaped(&BASE64.encode(&bomb)));
    assert_eq!(refusal(&call("", inner.as_bytes())), Refusal::TooLarge(MOST));
    let exact = [b"[", vec![b' '; MOST - 2].as_slice(), b"]"].concat();
    assert!(unpacked(&call("", &gzipped(&exact))).is_ok());
    let over = [exact.as_slice(), b" "].concat();
    assert_eq!(refusal(&call("", &gzipped(&over))), Refusal::TooLarge(MOST));
}

#[test]
fn what_cannot_be_read_is_told_apart() {
    let damaged = &gzipped(EVENTS.as_bytes())[..20];
    for body in [damaged, b"\xff\xfe".as_slice(), b"datum=1", b"data=not*base64", b"7", b""] {
        assert!(matches!(refusal(&call("", body)), Refusal::Unreadable(_)), "{body:?}");
    }
    let brotli = Packed { content_encoding: "br", ..call("", b"[]") };
    assert!(matches!(refusal(&brotli), Refusal::Unreadable(_)));
}

/// How a sender may pack.
#[derive(Clone, Copy, Debug)]
enum Packing {
    Json,
    Form,
    Base64(u8),
    BareBase64,
    Query(u8),
}

fn packing() -> impl Strategy<Value = Packing> {
    prop_oneof![
        Just(Packing::Json),
        Just(Packing::Form),
        (0_u8..4).prop_map(Packing::Base64),
        Just(Packing::BareBase64),
        (0_u8..4).prop_map(Packing::Query),
    ]
}

fn base64(alphabet: u8, bytes: &[u8]) -> String {
    match alphabet {
        0 => BASE64.encode(bytes),
        1 => BASE64_NOPAD.encode(bytes),
        2 => BASE64URL.encode(bytes),
        _ => BASE64URL_NOPAD.encode(bytes),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_records_in_any_packing_come_out_as_they_went_in(
        texts in proptest::collection::vec(".{0,40}", 1..5),
        packing in packing(),
        gzip in any::<bool>(),
        pretty in any::<bool>(),
    ) {
        let records: Vec<Value> = texts
            .iter()
            .map(|text| json!({ "event": text, "properties": { text.as_str(): text, "token": "t" } }))
            .collect();
        let plain = if pretty { serde_json::to_string_pretty(&records) } else { serde_json::to_string(&records) };
        let plain = plain.unwrap();
        let (query, body) = match packing {
            Packing::Json => (String::new(), plain.clone()),
            Packing::Form => (String::new(), format!("verbose=1&data={}", escaped(&plain))),
            Packing::Base64(a) => (String::new(), format!("data={}&ip=1", escaped(&base64(a, plain.as_bytes())))),
            Packing::BareBase64 => (String::new(), format!("data={}", BASE64.encode(plain.as_bytes()))),
            Packing::Query(a) => (format!("ip=0&data={}", escaped(&base64(a, plain.as_bytes()))), String::new()),
        };
        let body = if gzip && !body.is_empty() { gzipped(body.as_bytes()) } else { body.into_bytes() };
        prop_assert_eq!(text(&call(&query, &body)), plain);
    }

    #[test]
    fn any_bytes_are_survived(body in proptest::collection::vec(any::<u8>(), 0..300), form in any::<bool>()) {
        let body = if form { [b"data=".as_slice(), &body].concat() } else { body };
        let _ = unpacked(&call("", &body));
    }
}
