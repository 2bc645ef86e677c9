//! Times of events.

use chrono::{DateTime, Datelike, SecondsFormat, Utc};

/// From here on, a number counts thousandths: as seconds it would lie in the year 5138.
const MILLISECONDS_FROM: f64 = 1e11;

/// A JSON number of seconds or milliseconds since 1970 as ISO 8601 in UTC, such as `2024-10-04T00:00:00Z`,
/// with thousandths if there are any. `None` for what is no such number.
pub(super) fn written_out(json: &str) -> Option<String> {
    // A string that holds a number is not one.
    if !json.starts_with(|first: char| first.is_ascii_digit() || first == '-') {
        return None;
    }
    let number: f64 = json.parse().ok()?;
    let milliseconds =
        if number.abs() >= MILLISECONDS_FROM { number } else { number * 1000.0 }.round();
    // Beyond 2^53 a float holds no whole number for certain; no date lies there either.
    if milliseconds.abs() > 9.0e15 {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and below 2^53")]
    let time: DateTime<Utc> = DateTime::from_timestamp_millis(milliseconds as i64)?;
    // Other years begin with a sign, which makes a formula.
    if !(0..=9999).contains(&time.year()) {
        return None;
    }
    let precision = match time.timestamp_subsec_millis() {
        0 => SecondsFormat::Secs,
        _ => SecondsFormat::Millis,
    };
    Some(time.to_rfc3339_opts(precision, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_milliseconds_are_told_by_their_size() {
        for (json, expected) in [
            ("1728000000", Some("2024-10-04T00:00:00Z")),
            ("1728000000123", Some("2024-10-04T00:00:00.123Z")),
            ("1728000000.5", Some("2024-10-04T00:00:00.500Z")),
            ("0", Some("1970-01-01T00:00:00Z")),
            ("-1", Some("1969-12-31T23:59:59Z")),
            ("\"1728000000\"", None),
            ("1e300", None),
            ("-99999999999", None),
            ("999999999999999", None),
            ("null", None),
        ] {
            assert_eq!(written_out(json).as_deref(), expected, "{json}");
        }
    }
}
