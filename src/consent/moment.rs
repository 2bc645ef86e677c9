//! `time`: when an event was, in seconds or milliseconds since 1970
//! (<https://docs.mixpanel.com/reference/import-events>).

use super::ids;

/// Above it, a time is in milliseconds: as seconds it would be in the year 5138.
const MAX_SECONDS: f64 = 1e11;

/// The JSON number in `raw`, which may stand in a text. `None` if there is none.
pub(super) fn number(raw: &str) -> Option<String> {
    let text = if raw.starts_with('"') { ids::text(raw)? } else { raw.into() };
    let text = text.trim();
    let number: f64 = serde_json::from_str(text).ok()?;
    number.is_finite().then(|| text.to_owned())
}

/// Unix milliseconds of a time; `None` if it says none, or one before 1970.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked: not negative, and what is too large saturates"
)]
pub(super) fn milliseconds(raw: &str) -> Option<u64> {
    let time: f64 = number(raw)?.parse().ok()?;
    let milliseconds = if time > MAX_SECONDS { time } else { time * 1000.0 };
    (milliseconds >= 0.0).then(|| milliseconds.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_milliseconds_are_told_apart() {
        for (raw, expected) in [
            ("1700000000", 1_700_000_000_000),
            ("1700000000.123", 1_700_000_000_123),
            ("1700000000123", 1_700_000_000_123),
            ("1.7e9", 1_700_000_000_000),
            ("\" 1700000000 \"", 1_700_000_000_000),
            ("\"1700000000123\"", 1_700_000_000_123),
            ("0", 0),
        ] {
            assert_eq!(milliseconds(raw), Some(expected), "{raw}");
        }
    }

    #[test]
    fn what_says_no_time_is_none() {
        for raw in [
            "null",
            "true",
            "\"soon\"",
            "\"\"",
            "\"2026-01-02\"",
            "[1]",
            "{}",
            "1e999",
            "\"inf\"",
            "\"017\"",
        ] {
            assert_eq!((number(raw), milliseconds(raw)), (None, None), "{raw}");
        }
        assert_eq!(milliseconds("-1"), None);
    }
}
