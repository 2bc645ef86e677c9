//! `README.txt`: what an archive is, for the person who asked for it.

use chrono::{DateTime, Utc};
use gdpr_jobs::{Disclosure, Regulation};

use crate::archive::{
    package::{BatchFacts, Outcome},
    split::Share,
    split::people::Person,
};

/// Entries that not every archive has.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Extras {
    /// `unparsed.txt`
    pub(super) unparsed: bool,
    /// `events.csv`
    pub(super) csv: bool,
}

/// The text for one person, in plain words, in lines of at most 80 characters.
pub(super) fn readme(
    batch: &BatchFacts,
    person: &Person,
    outcome: Outcome,
    extras: Extras,
) -> String {
    [what_it_is(batch, person), what_was_found(outcome), what_it_covers(batch), files(extras)]
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
    let Share { events, profiles, .. } = outcome.share;
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

fn files(extras: Extras) -> String {
    let unparsed = if extras.unparsed { UNPARSED } else { "" };
    let csv = if extras.csv { CSV } else { "" };
    format!("{FILES}{unparsed}{csv}{MANIFEST}\n{HOW_TO_READ}{}{CARE}", table(extras))
}

const FILES: &str = "\
The files
---------
README.txt     this text
events.ndjson  the events: one per line, in the order of the export
profile.json   the profiles: a list
";

const UNPARSED: &str = "\
unparsed.txt   records of the export that are damaged, just as they came
";

const CSV: &str = "\
events.csv     the events once more, as a table
";

const MANIFEST: &str = "\
manifest.json  facts about this archive, and a checksum of each file
";

const HOW_TO_READ: &str = "\
All files are plain text (UTF-8). Any text editor opens them. events.ndjson
holds one JSON object per line: \"event\" says what happened and \"properties\"
the details; \"time\" counts seconds (or thousandths of them) since 1 January
1970, UTC.
";

fn table(extras: Extras) -> &'static str {
    if extras.csv {
        "Any spreadsheet program opens events.csv. Times in it are written out, in UTC. A\n\
         text that a spreadsheet program would take for a formula begins with an\n\
         apostrophe there.\n"
    } else {
        "For tables, many spreadsheet programs can import JSON.\n"
    }
}

const CARE: &str = "
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
            batch: "b1".to_owned(),
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
        readme(&batch, &person, Outcome { share, unattributed }, Extras::default())
    }

    #[test]
    fn a_person_without_data_is_told_so() {
        let empty = text(Regulation::Gdpr, Share::default(), false);
        assert!(empty.contains("No data was found"));
        let some = text(Regulation::Gdpr, Share { events: 1, profiles: 2, unparsed: 0 }, false);
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
    fn only_files_that_are_there_are_explained() {
        for (unparsed, csv) in [(false, false), (false, true), (true, false), (true, true)] {
            let text = files(Extras { unparsed, csv });
            assert_eq!(text.contains("unparsed.txt"), unparsed);
            assert_eq!(text.contains("events.csv"), csv);
            assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        }
    }

    #[test]
    fn the_text_holds_no_distinct_id_and_no_overlong_line() {
        let text = text(Regulation::Ccpa, Share { events: 5, profiles: 1, unparsed: 0 }, true);
        assert!(!text.contains("ada"));
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }
}
