//! `README.txt`: what an archive is, for the person who asked for it.

use chrono::{DateTime, Utc};
use gdpr_jobs::{Disclosure, Regulation};

use super::{
    package::{BatchFacts, Outcome},
    people::Person,
    split::Share,
};

/// The text for one person, in plain words, in lines of at most 80 characters.
pub(super) fn readme(batch: &BatchFacts, person: &Person, outcome: Outcome) -> String {
    [what_it_is(batch, person), what_was_found(outcome), what_it_covers(batch), FILES.to_owned()]
        .join("\n")
}

fn what_it_is(batch: &BatchFacts, person: &Person) -> String {
    format!(
        "Your data\n\
         =========\n\
         \n\
         You asked for a copy of the data that is held about you. This archive is the\n\
         answer for the data in the analytics service Mixpanel.\n\
         \n\
         Request:     {}\n\
         Asked on:    {}\n\
         Exported on: {}\n\
         Law:         {}\n",
        person.request,
        day(person.received_at),
        day(batch.exported_at),
        law(batch.regulation),
    )
}

fn what_was_found(outcome: Outcome) -> String {
    let Share { events, profiles } = outcome.share;
    let found = if events == 0 && profiles == 0 {
        NOTHING.to_owned()
    } else {
        let (events, profiles) = (counted(events, "event"), counted(profiles, "profile"));
        format!("{events} (things that you did) and {profiles} (facts about you).\n")
    };
    let unattributed = if outcome.unattributed { UNATTRIBUTED } else { "" };
    format!("What was found\n--------------\n{found}{unattributed}")
}

const NOTHING: &str = "\
No data was found under the identifiers of this request. The data files in this
archive are therefore empty.
";

const UNATTRIBUTED: &str = "
The export also held records that could not be attributed to anyone with
certainty. They are in nobody's archive; the sender of this archive has been
told.
";

fn what_it_covers(batch: &BatchFacts) -> String {
    let period = match batch.regulation {
        Regulation::Gdpr => "All data about you up to the day of the export.",
        Regulation::Ccpa => {
            "The last year before the export. Under the CCPA, older data is not part of\n\
             the export."
        }
    };
    let extent = match batch.disclosure {
        Disclosure::Data => "",
        Disclosure::Categories => {
            "You asked which categories of data are held, not for the data.\n"
        }
        Disclosure::Sources => "You asked where the data came from, not for the data.\n",
    };
    format!("What it covers\n--------------\n{period}\n{extent}")
}

const FILES: &str = "\
The files
---------
README.txt     this text
events.ndjson  the events: one per line, in the order of the export
profile.json   the profiles: a list
manifest.json  facts about this archive, and a checksum of each file

All files are plain text (UTF-8). Any text editor opens them. For tables, many
spreadsheet programs can import JSON; events.ndjson holds one JSON object per
line. In the events, \"event\" says what happened and \"properties\" the details;
\"time\" counts seconds (or thousandths of them) since 1 January 1970, UTC.

This archive holds personal data. Keep it where only you can read it.
";

fn counted(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

fn law(regulation: Regulation) -> &'static str {
    match regulation {
        Regulation::Gdpr => "GDPR (European Union)",
        Regulation::Ccpa => "CCPA (California)",
    }
}

fn day(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d").to_string()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn text(regulation: Regulation, share: Share, unattributed: bool) -> String {
        let batch = BatchFacts {
            project: "default".parse().unwrap(),
            tracking_id: "t1".to_owned(),
            regulation,
            disclosure: Disclosure::Data,
            exported_at: DateTime::UNIX_EPOCH,
        };
        let person = Person {
            request: "r1".parse().unwrap(),
            ids: vec![gdpr_jobs::DistinctId::new("ada@example.test")],
            received_at: DateTime::UNIX_EPOCH,
        };
        readme(&batch, &person, Outcome { share, unattributed })
    }

    #[test]
    fn a_person_without_data_is_told_so() {
        let empty = text(Regulation::Gdpr, Share::default(), false);
        assert!(empty.contains("No data was found"));
        let some = text(Regulation::Gdpr, Share { events: 1, profiles: 2 }, false);
        assert!(!some.contains("No data was found"));
        assert!(some.contains("1 event (") && some.contains("2 profiles ("));
    }

    #[test]
    fn only_a_ccpa_archive_is_about_the_last_year() {
        assert!(text(Regulation::Ccpa, Share::default(), false).contains("last year"));
        assert!(!text(Regulation::Gdpr, Share::default(), false).contains("last year"));
    }

    #[test]
    fn unattributed_records_are_mentioned_without_a_number() {
        let told = text(Regulation::Gdpr, Share::default(), true);
        assert!(told.contains("could not be attributed"));
        assert!(!text(Regulation::Gdpr, Share::default(), false).contains("attributed"));
    }

    #[test]
    fn the_text_holds_no_distinct_id_and_no_overlong_line() {
        let text = text(Regulation::Ccpa, Share { events: 5, profiles: 1 }, true);
        assert!(!text.contains("ada"));
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }
}
