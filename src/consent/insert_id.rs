//! `$insert_id`: the name of an event by which Mixpanel tells a repetition from a second event.
//!
//! `/import` takes 1 to 36 of `[A-Za-z0-9-]` and no placeholder (<https://docs.mixpanel.com/reference/import-events>).

use std::borrow::Cow;

use data_encoding::HEXLOWER;
use gdpr_jobs::DistinctId;

use super::{alias::KeyedHash, filter::Origin, ids};

const MAX_BYTES: usize = 36;
const HASH_BYTES: usize = 16;

/// The id that an event leaves with: its own, a hash of its own if Mixpanel would refuse that or it `tells` an
/// id that leaves hashed, or one made from where the event came from. The same each time.
pub(super) fn of<'a>(
    own: Option<&'a str>,
    origin: &Origin,
    hash: &KeyedHash,
    tells: impl FnOnce(&str) -> bool,
) -> Cow<'a, str> {
    let Some(own) = own.and_then(written) else { return made(origin).into() };
    if is_valid(&own) && !tells(&own) {
        return own;
    }
    HEXLOWER.encode(&hash.of(&own)[..HASH_BYTES]).into()
}

/// The text of the value; a number's digits, and any other value's JSON. `None` for nothing.
fn written(raw: &str) -> Option<Cow<'_, str>> {
    match raw {
        "null" | "\"\"" => None,
        _ => Some(ids::text(raw).unwrap_or(Cow::Borrowed(raw))),
    }
}

fn is_valid(id: &str) -> bool {
    id.len() <= MAX_BYTES
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !DistinctId::new(id).is_reserved()
}

fn made(origin: &Origin) -> String {
    let Origin { entry_ms, entry_seq, index, .. } = origin;
    let id = format!("{entry_ms}-{entry_seq}-{index}");
    // Real entries give at most 13 + 1 + 16 + 1 + 4 bytes; the end is what tells two of them apart.
    id[id.len().saturating_sub(MAX_BYTES)..].to_owned()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use gdpr_jobs::Pepper;
    use secrecy::SecretString;

    use super::*;

    const ORIGIN: Origin =
        Origin { entry_ms: 1_700_000_000_000, entry_seq: 3, index: 7, geolocation_off: false };

    fn id(own: Option<&str>) -> String {
        let pepper = Pepper::new(SecretString::from("p".repeat(32))).unwrap();
        let hash = KeyedHash::new(&pepper, "test", &"p".parse().unwrap());
        of(own, &ORIGIN, &hash, |own| own.contains("ada")).into_owned()
    }

    #[test]
    fn an_id_that_mixpanel_takes_stays() {
        let longest = "a".repeat(36);
        for own in ["i-1", "A", &longest] {
            assert_eq!(id(Some(&format!("\"{own}\""))), own);
        }
        assert_eq!(id(Some("12345")), "12345");
    }

    #[test]
    fn an_event_without_one_gets_it_from_its_entry() {
        for own in [None, Some("null"), Some("\"\"")] {
            assert_eq!(id(own), "1700000000000-3-7");
        }
        let far = Origin { entry_ms: u64::MAX, entry_seq: u64::MAX, index: 1999, ..ORIGIN };
        assert!(is_valid(&made(&far)) && made(&far).ends_with("-1999"));
    }

    #[test]
    fn any_other_is_hashed_and_two_of_them_differ() {
        let too_long = format!("\"{}\"", "a".repeat(37));
        let others =
            ["\"a b\"", "\"ü\"", "\"null\"", "\"0\"", "true", "1.5", "{}", &too_long, "\"ada-1\""];
        let ids: Vec<String> = others.iter().map(|own| id(Some(own))).collect();
        for (n, one) in ids.iter().enumerate() {
            assert!(one.len() == 32 && is_valid(one));
            assert!(!ids[n + 1..].contains(one));
            assert_eq!(*one, id(Some(others[n])));
        }
    }
}
