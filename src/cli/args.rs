//! The command line. The settings are flags of every command; see [`crate::config`].

mod evidence;
mod help;

use std::{path::PathBuf, time::Duration};

use chrono::{DateTime, Utc};
use clap::{
    Args, Parser, Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
};
use gdpr_jobs::{Disclosure, Kind, Regulation, RequestId};

use super::refused::Chosen;
use crate::{config::Flags, telemetry::LogFormat};

pub(super) use evidence::{ReceiptArgs, VerifyArgs};

/// Longest reason, in characters.
const MAX_REASON: usize = 200;

/// Answers GDPR and CCPA requests for users of Mixpanel.
///
/// Exit codes: 0 done, 1 failed, 2 wrong usage.
#[derive(Parser)]
#[command(name = "gdpr-worker", version, max_term_width = 100)]
pub(super) struct Cli {
    /// Print for programs: one JSON object a line
    #[arg(long, global = true)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) flags: Flags,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Subcommand)]
pub(super) enum Command {
    /// Work: take requests, call Mixpanel, make archives
    #[command(after_help = "Example:\n  gdpr-worker run --config /etc/gdpr-worker.toml")]
    Run(RunArgs),
    /// Enqueue one request, or every row of a CSV file
    #[command(after_help = help::ENQUEUE_HELP)]
    Enqueue(EnqueueArgs),
    /// Put the events in a file on the way to Mixpanel
    #[command(after_help = help::EVENTS_HELP)]
    Events(EventsArgs),
    /// List events that could not be delivered, try them again, or drop them
    #[command(after_help = help::REFUSED_HELP)]
    Refused(RefusedArgs),
    /// Show where a request stands
    #[command(after_help = "Example:\n  gdpr-worker status 1795000000000-0")]
    Status {
        /// The request's id: your own, or the one that enqueue (or XADD) returned
        id: RequestId,
    },
    /// Show what is known about a person
    #[command(after_help = "Needs GDPR_PEPPER. Example:\n  gdpr-worker user user-001")]
    User {
        /// The person's distinct_id; other users of this host can see it while the command runs
        distinct_id: String,
    },
    /// Print how people are named in keys, logs and history
    #[command(after_help = help::TAG_HELP)]
    Tag {
        /// The ids; other users of this host can see them while the command runs
        #[arg(required = true, value_name = "DISTINCT_ID")]
        distinct_ids: Vec<String>,
    },
    /// Show whether people may be tracked, and since when
    #[command(after_help = help::CONSENT_HELP)]
    Consent {
        /// The ids; other users of this host can see them while the command runs
        #[arg(required = true, value_name = "DISTINCT_ID")]
        distinct_ids: Vec<String>,
    },
    /// Show the events of a person, of a request, or all
    #[command(after_help = "Example:\n  gdpr-worker history --request 1795000000000-0 --json")]
    History(HistoryArgs),
    /// List the open requests that must be answered first
    #[command(after_help = "Example:\n  gdpr-worker due --count 50")]
    Due {
        /// How many
        #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        count: u32,
    },
    /// Try held requests again
    #[command(after_help = help::RETRY_HELP)]
    Retry {
        /// Ask Mixpanel for a new export even where one is kept
        #[arg(long)]
        new_export: bool,
        /// All deletions that are held because there were more than GDPR_DELETIONS_PER_DAY
        #[arg(long, conflicts_with = "ids")]
        capped: bool,
        /// The requests
        #[arg(required_unless_present = "capped", value_name = "ID")]
        ids: Vec<RequestId>,
    },
    /// Give a held request up
    #[command(
        after_help = "Example:\n  gdpr-worker fail order-17 --reason 'answered by hand, ticket 4711'"
    )]
    Fail {
        /// All deletions that are held because there were more than GDPR_DELETIONS_PER_DAY
        #[arg(long, conflicts_with = "ids")]
        capped: bool,
        /// The requests
        #[arg(required_unless_present = "capped", value_name = "ID")]
        ids: Vec<RequestId>,
        /// Why; it stays in the history for years, so name no person in it
        #[arg(long, value_name = "TEXT", value_parser = reason)]
        reason: String,
    },
    /// Show how many profiles are overdue for lack of events; deletes none
    #[command(after_help = "Example:\n  gdpr-worker retention --profile-retention 730d")]
    Retention,
    /// Make a link to an archive that works for a while (archives in a bucket)
    #[command(after_help = "Example:\n  gdpr-worker link order-17 --for 2h")]
    Link {
        /// The retrieval
        id: RequestId,
        /// How long it works; never longer than the archive lives
        #[arg(long = "for", value_name = "TIME", default_value = "1h", value_parser = humantime::parse_duration)]
        lifetime: Duration,
    },
    /// Make a link by which a person opts out, for a mail or a page
    #[command(after_help = help::OPT_OUT_LINK_HELP)]
    OptOutLink {
        /// The person's identifiers, all of one person; other users of this host can see them while the command runs
        #[arg(required = true, value_name = "DISTINCT_ID")]
        distinct_ids: Vec<String>,
        /// How long it works
        #[arg(long, value_name = "TIME", default_value = "30d", value_parser = humantime::parse_duration)]
        valid_for: Duration,
    },
    /// Check that an archive, the ledger, a receipt or a checkpoint is what it was made to be
    #[command(after_help = help::VERIFY_HELP)]
    Verify(VerifyArgs),
    /// Sign what the ledger is now, so that nobody can change it unnoticed
    #[command(after_help = help::CHECKPOINT_HELP)]
    Checkpoint {
        /// Append it to this file
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Sign what became of a request: a proof without an identifier in it
    #[command(after_help = help::RECEIPT_HELP)]
    Receipt(ReceiptArgs),
    /// Print a file that the worker sealed in its spool: a kept export, or a quarantine
    #[command(after_help = help::UNSEAL_HELP)]
    Unseal {
        /// The file
        file: PathBuf,
        /// File with the age identity, if it was sealed for GDPR_ARCHIVE_RECIPIENT
        #[arg(long, value_name = "FILE")]
        identity: Option<PathBuf>,
    },
    /// Look for what is wrong with configuration, Redis, archive folder and credentials
    #[command(after_help = help::CHECK_HELP)]
    Check {
        /// Only print a new random pepper for GDPR_PEPPER
        #[arg(long)]
        make_pepper: bool,
        /// Only print a new random key for GDPR_SIGNING_KEY, and its public half
        #[arg(long, conflicts_with = "make_pepper")]
        make_signing_key: bool,
    },
    /// Ask the worker at GDPR_LISTEN whether all is well
    #[command(after_help = "Example:\n  gdpr-worker health --listen 127.0.0.1:9464")]
    Health,
    /// Print the JSON Schema of a request document
    #[command(after_help = "Example:\n  gdpr-worker schema > request.schema.json")]
    Schema,
}

#[derive(Args)]
pub(super) struct RunArgs {
    /// How log lines look [default: text on a terminal, else json]
    #[arg(long, value_name = "FORMAT")]
    pub(super) log_format: Option<LogFormat>,
}

#[derive(Args)]
pub(super) struct EnqueueArgs {
    /// What is asked for
    #[arg(
        required_unless_present = "csv",
        value_parser = PossibleValuesParser::new(Kind::ALL.iter().map(|k| k.as_str()))
            .try_map(|word| word.parse::<Kind>())
    )]
    pub(super) kind: Option<Kind>,
    /// The person's identifiers, all of one person
    #[arg(value_name = "DISTINCT_ID")]
    pub(super) distinct_ids: Vec<String>,
    /// Your own id of the request: a second request with it is the same
    #[arg(long, value_name = "ID")]
    pub(super) id: Option<RequestId>,
    /// The request to cancel
    #[arg(long, value_name = "ID")]
    pub(super) request_id: Option<RequestId>,
    /// The law that the person invokes
    #[arg(
        long,
        default_value = Regulation::Gdpr.as_str(),
        value_parser = PossibleValuesParser::new(Regulation::ALL.iter().map(|r| r.as_str()))
            .try_map(|word| word.parse::<Regulation>())
    )]
    pub(super) regulation: Regulation,
    /// What a CCPA retrieval discloses
    #[arg(
        long,
        default_value = Disclosure::Data.as_str(),
        value_parser = PossibleValuesParser::new(Disclosure::ALL.iter().map(|d| d.as_str()))
            .try_map(|word| word.parse::<Disclosure>())
    )]
    pub(super) disclosure_type: Disclosure,
    /// When the person asked, if not now
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(super) received_at: Option<DateTime<Utc>>,
    /// Enqueue the rows of this file; - is stdin
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = [
            "kind", "distinct_ids", "id", "request_id", "regulation", "disclosure_type", "received_at",
        ]
    )]
    pub(super) csv: Option<PathBuf>,
}

#[derive(Args)]
pub(super) struct EventsArgs {
    /// The file; - is stdin
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    /// The lines are profile updates
    #[arg(long)]
    pub(super) profiles: bool,
    /// Mixpanel shall derive no place from these, whatever the project's setting is
    #[arg(long)]
    pub(super) without_geolocation: bool,
}

#[derive(Args)]
pub(super) struct RefusedArgs {
    /// Print the records, too: personal data
    #[arg(long, conflicts_with_all = ["retry", "drop"])]
    pub(super) show: bool,
    /// Put these back on the stream
    #[arg(long, value_name = "ID|all", num_args = 1.., conflicts_with = "drop")]
    pub(super) retry: Vec<Chosen>,
    /// Remove these
    #[arg(long, value_name = "ID|all", num_args = 1..)]
    pub(super) drop: Vec<Chosen>,
}

#[derive(Args)]
pub(super) struct HistoryArgs {
    /// The events of a person, by distinct_id (needs GDPR_PEPPER)
    #[arg(long, value_name = "DISTINCT_ID", conflicts_with = "request")]
    pub(super) user: Option<String>,
    /// The events of a request and of the batches that it was in
    #[arg(long, value_name = "ID")]
    pub(super) request: Option<RequestId>,
}

fn reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    let length = text.chars().count();
    if (1..=MAX_REASON).contains(&length) && !text.chars().any(char::is_control) {
        return Ok(text.to_owned());
    }
    Err(format!("found {length} characters, expected one line of 1 to {MAX_REASON}"))
}

fn time(text: &str) -> Result<DateTime<Utc>, &'static str> {
    let time = DateTime::parse_from_rfc3339(text);
    time.map(|time| time.to_utc()).map_err(|_| "expected RFC 3339, such as 2026-01-31T09:30:00Z")
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, error::ErrorKind};

    use super::*;

    fn refusal(words: &[&str]) -> Option<ErrorKind> {
        let words = std::iter::once("gdpr-worker").chain(words.iter().copied());
        Cli::try_parse_from(words).err().map(|error| error.kind())
    }

    #[test]
    fn the_command_line_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_a_line_of_purpose_and_an_example() {
        for command in Cli::command().get_subcommands() {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("gdpr-worker "), "{}", command.get_name());
        }
    }

    #[test]
    fn settings_and_json_may_stand_before_or_after_the_command() {
        assert_eq!(refusal(&["--project", "p", "due", "--json"]), None);
        assert_eq!(refusal(&["due", "--project", "p"]), None);
    }

    #[test]
    fn enqueue_takes_a_kind_or_a_file_and_not_both() {
        assert_eq!(refusal(&["enqueue", "deletion", "user-001"]), None);
        assert_eq!(refusal(&["enqueue", "--csv", "-"]), None);
        assert_eq!(refusal(&["enqueue"]), Some(ErrorKind::MissingRequiredArgument));
        let both = ["enqueue", "deletion", "user-001", "--csv", "-"];
        assert_eq!(refusal(&both), Some(ErrorKind::ArgumentConflict));
        assert_eq!(refusal(&["enqueue", "erase"]), Some(ErrorKind::InvalidValue));
    }

    #[test]
    fn of_refused_events_some_or_all_are_listed_tried_again_or_dropped() {
        for good in [&["--show"][..], &["--retry", "all"], &["--drop", "1-0", "2-0"]] {
            assert_eq!(refusal(&[&["refused"], good].concat()), None);
        }
        for both in [["--show", "--retry"], ["--show", "--drop"], ["--retry=1-0", "--drop"]] {
            let words = [&["refused"], &both[..], &["all"]].concat();
            assert_eq!(refusal(&words), Some(ErrorKind::ArgumentConflict));
        }
        assert_eq!(refusal(&["refused", "--drop", "every"]), Some(ErrorKind::ValueValidation));
    }

    #[test]
    fn something_is_verified_a_file_or_the_ledger() {
        for good in [&["a.zip"][..], &["a.zip", "--ledger"], &["--ledger", "--checkpoint", "c"]] {
            assert_eq!(refusal(&[&["verify"], good].concat()), None);
        }
        assert_eq!(refusal(&["verify"]), Some(ErrorKind::MissingRequiredArgument));
        let nothing_to_open = ["verify", "--ledger", "--identity", "k"];
        assert_eq!(refusal(&nothing_to_open), Some(ErrorKind::MissingRequiredArgument));
    }

    #[test]
    fn a_reason_is_required_and_must_say_something_short() {
        assert_eq!(refusal(&["fail", "r1"]), Some(ErrorKind::MissingRequiredArgument));
        for bad in ["", "  ", &"x".repeat(201), "two\nlines"] {
            assert_eq!(refusal(&["fail", "r1", "--reason", bad]), Some(ErrorKind::ValueValidation));
        }
        assert_eq!(refusal(&["fail", "r1", "--reason", &"x".repeat(200)]), None);
    }
}
