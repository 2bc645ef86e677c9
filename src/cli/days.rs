//! How long until a deadline, in whole days.

use chrono::{DateTime, TimeDelta, Utc};

/// What is left until `due`, in whole days rounded down: 0 on the last day, negative when it is over.
pub(super) fn left(due: DateTime<Utc>, now: DateTime<Utc>) -> i64 {
    (due - now).num_seconds().div_euclid(TimeDelta::days(1).num_seconds())
}

/// The same for people; what is overdue stands out.
pub(super) fn in_words(due: DateTime<Utc>, now: DateTime<Utc>) -> String {
    match (left(due, now), (now - due).num_days()) {
        (0, _) => "less than 1".to_owned(),
        (days @ 1.., _) => days.to_string(),
        (_, 0) => "OVERDUE by less than 1".to_owned(),
        (_, days) => format!("OVERDUE by {days}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_down_and_what_is_overdue_stands_out() {
        let due = DateTime::<Utc>::UNIX_EPOCH;
        for (hours, days, words) in [
            (49, 2, "2"),
            (24, 1, "1"),
            (23, 0, "less than 1"),
            (0, 0, "less than 1"),
            (-1, -1, "OVERDUE by less than 1"),
            (-25, -2, "OVERDUE by 1"),
            (-72, -3, "OVERDUE by 3"),
            (-73, -4, "OVERDUE by 3"),
        ] {
            let now = due - TimeDelta::hours(hours);
            assert_eq!((left(due, now), in_words(due, now).as_str()), (days, words), "{hours} h");
        }
    }
}
