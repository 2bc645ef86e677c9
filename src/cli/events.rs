//! `events`: every line of a file is an event, or a profile update; in bounded memory.

use std::{
    fmt::Display,
    io::{self, Read},
};

use gdpr_jobs::{Event, EventError, EventRejection, EventSource, Producer, Profile};
use indicatif::ProgressBar;
use serde::Serialize;
use serde_json::json;

use super::{
    Outcome,
    args::EventsArgs,
    failure::Failure,
    input,
    lines::Lines,
    output::{self, Output},
    session::Session,
    table::Table,
};
use crate::{config::Flags, queue::Connection};

/// Records that wait for being sent together at most, and their bytes.
const CHUNK: usize = 2_000;
const CHUNK_BYTES: usize = 1024 * 1024;

/// What became of the lines.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Summary {
    sent: u64,
    refused: u64,
}

/// Puts the lines of a file (`-` is stdin) on the stream and prints how many there were.
pub(super) async fn events(
    flags: &Flags,
    args: &EventsArgs,
    output: &mut Output,
) -> Result<Outcome, Failure> {
    let expected = "a file with a JSON object on each line";
    let (reader, bar) = input::open(&args.file, expected)?;
    let mut producer = Session::open(flags).await?.producer();
    if args.without_geolocation {
        producer = producer.without_geolocation();
    }
    let (summary, waiting) = (Summary::default(), Waiting::new(args.profiles));
    let mut sending = Sending { producer, bar, output, summary, waiting };
    let end = sending.all(Lines::new(reader)).await;
    sending.bar.finish_and_clear();
    let summary = sending.summary;
    print(summary, output)?;
    end?;
    Ok(Outcome::done_if(summary.refused == 0))
}

/// Records that have not been sent, and the numbers of their lines.
struct Waiting {
    numbers: Vec<u64>,
    records: Records,
    bytes: usize,
}

enum Records {
    Events(Vec<Event>),
    Profiles(Vec<Profile>),
}

impl Waiting {
    fn new(profiles: bool) -> Self {
        let records =
            if profiles { Records::Profiles(Vec::new()) } else { Records::Events(Vec::new()) };
        Self { numbers: Vec::new(), records, bytes: 0 }
    }

    fn push(&mut self, number: u64, text: &str) -> Result<(), EventRejection> {
        match &mut self.records {
            Records::Events(events) => events.push(Event::parse(text)?),
            Records::Profiles(profiles) => profiles.push(Profile::parse(text)?),
        }
        self.numbers.push(number);
        self.bytes += text.len();
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.numbers.len() >= CHUNK || self.bytes >= CHUNK_BYTES
    }

    /// Sends all and returns what became of each line.
    async fn send(
        &mut self,
        producer: &Producer<Connection>,
    ) -> Vec<(u64, Result<EventSource, EventError>)> {
        let outcomes = match &mut self.records {
            Records::Events(events) => producer.events(&std::mem::take(events)).await,
            Records::Profiles(profiles) => producer.profiles(&std::mem::take(profiles)).await,
        };
        self.bytes = 0;
        self.numbers.drain(..).zip(outcomes).collect()
    }
}

/// A file on its way.
struct Sending<'a> {
    producer: Producer<Connection>,
    bar: ProgressBar,
    output: &'a mut Output,
    summary: Summary,
    waiting: Waiting,
}

impl Sending<'_> {
    async fn all<R: Read>(&mut self, mut lines: Lines<R>) -> Result<(), Failure> {
        loop {
            let line = match lines.next() {
                Ok(line) => line,
                Err(error) => {
                    self.send().await?;
                    return Err(unreadable(&error));
                }
            };
            match line {
                None => return self.send().await,
                Some((number, Err(why))) => self.refuse(number, why)?,
                Some((number, Ok(text))) => {
                    if let Err(why) = self.waiting.push(number, text) {
                        self.refuse(number, why)?;
                    }
                }
            }
            if self.waiting.is_full() {
                self.send().await?;
            }
        }
    }

    async fn send(&mut self) -> Result<(), Failure> {
        let outcomes = self.waiting.send(&self.producer).await;
        let last = outcomes.last().map_or(0, |(number, _)| *number);
        let mut failed = None;
        for (number, outcome) in outcomes {
            match outcome {
                Ok(_) => self.summary.sent += 1,
                Err(error) => failed = failed.or(Some((number, error))),
            }
        }
        let Summary { sent, refused } = self.summary;
        self.bar.set_message(format!("{} records", sent + refused));
        failed.map_or(Ok(()), |(number, error)| Err(stopped(number, last, &error)))
    }

    fn refuse(&mut self, line: u64, why: impl Display) -> io::Result<()> {
        self.summary.refused += 1;
        if self.output.is_json() {
            let why = why.to_string();
            return self.output.json(&json!({ "line": line, "outcome": "refused", "reason": why }));
        }
        self.bar.suspend(|| output::complain(format_args!("line {line}: refused: {why}")));
        Ok(())
    }
}

fn unreadable(error: &io::Error) -> Failure {
    Failure::told(format!(
        "the file cannot be read any further ({}): what was read so far is counted above",
        error.kind()
    ))
}

/// Redis failed somewhere from line `first` to line `last`, which were sent together.
fn stopped(first: u64, last: u64, error: &EventError) -> Failure {
    Failure::told(format!(
        "stopped at line {first}: {error}. The lines before it are done; those after line {last} were not \
         sent. Go on from line {first} (tail -n +{first}): of lines {first} to {last} some may then be there \
         twice, which Mixpanel counts once if they have an $insert_id and a time of their own"
    ))
}

fn print(summary: Summary, output: &mut Output) -> io::Result<()> {
    if output.is_json() {
        return output.json(&summary);
    }
    let mut table = Table::of_values();
    table.row(["sent", &summary.sent.to_string()]);
    table.row(["refused", &summary.refused.to_string()]);
    output.table(&table)
}
