//! When a request must be answered. Dates are counted in UTC from the moment the person asked.

use chrono::{DateTime, Days, Months, Utc};

use crate::vocabulary::Regulation;

/// The legal deadline of a request received at `received_at`.
///
/// GDPR: the same day and time of the next month, or that month's last day if it has no such day.
/// CCPA: 45 days later.
pub fn due_at(regulation: Regulation, received_at: DateTime<Utc>) -> DateTime<Utc> {
    let due = match regulation {
        Regulation::Gdpr => received_at.checked_add_months(Months::new(1)),
        Regulation::Ccpa => received_at.checked_add_days(Days::new(45)),
    };
    // Only a date beyond the calendar's end has no successor.
    due.unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn due(regulation: Regulation, day: &str) -> String {
        let received_at = format!("{day}T09:30:15Z").parse().unwrap();
        due_at(regulation, received_at).format("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    #[test]
    fn gdpr_gives_the_same_day_of_the_next_month_clamped_to_its_last_day() {
        let table = [
            ("2026-01-15", "2026-02-15T09:30:15Z"),
            ("2026-01-31", "2026-02-28T09:30:15Z"),
            ("2028-01-31", "2028-02-29T09:30:15Z"),
            ("2028-02-29", "2028-03-29T09:30:15Z"),
            ("2100-01-30", "2100-02-28T09:30:15Z"),
            ("2026-02-28", "2026-03-28T09:30:15Z"),
            ("2026-03-31", "2026-04-30T09:30:15Z"),
            ("2026-12-01", "2027-01-01T09:30:15Z"),
            ("2026-12-31", "2027-01-31T09:30:15Z"),
        ];
        for (received, expected) in table {
            assert_eq!(due(Regulation::Gdpr, received), expected);
        }
    }

    #[test]
    fn ccpa_gives_forty_five_days() {
        let table = [
            ("2026-01-31", "2026-03-17T09:30:15Z"),
            ("2028-01-31", "2028-03-16T09:30:15Z"),
            ("2026-12-01", "2027-01-15T09:30:15Z"),
        ];
        for (received, expected) in table {
            assert_eq!(due(Regulation::Ccpa, received), expected);
        }
    }

    #[test]
    fn the_end_of_the_calendar_is_no_panic() {
        for regulation in Regulation::ALL {
            let due = due_at(*regulation, DateTime::<Utc>::MAX_UTC);
            assert_eq!(due, DateTime::<Utc>::MAX_UTC);
        }
    }
}
