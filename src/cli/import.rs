//! `enqueue --csv`: every row of a file, in bounded memory, some hundreds to a round trip.

use std::{
    fmt::Display,
    io::{self, Read},
    path::Path,
};

use gdpr_jobs::{Document, Enqueued, Producer, ProducerError};
use indicatif::ProgressBar;
use serde::Serialize;
use serde_json::json;

use super::{
    Outcome,
    enqueue::outcome_word,
    failure::Failure,
    input,
    output::{self, Output},
    rows::Rows,
    session::Session,
    table::Table,
};
use crate::{config::Flags, queue::Connection};

/// Rows to a round trip.
const CHUNK: usize = 500;

/// What became of the rows.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Summary {
    new: u64,
    already_known: u64,
    refused: u64,
}

/// Enqueues the rows of `file` (`-` is stdin) and prints how many were new, known or refused.
pub(super) async fn import(
    flags: &Flags,
    file: &Path,
    output: &mut Output,
) -> Result<Outcome, Failure> {
    let (reader, bar) = input::open(file, "a CSV file")?;
    let rows = Rows::open(reader)?;
    let producer = Session::open(flags).await?.producer();
    let mut import =
        Import { producer, bar, output, summary: Summary::default(), waiting: Vec::new() };
    let end = import.all(rows).await;
    import.bar.finish_and_clear();
    let summary = import.summary;
    print(summary, output)?;
    end?;
    Ok(Outcome::done_if(summary.refused == 0))
}

/// An import under way.
struct Import<'a> {
    producer: Producer<Connection>,
    bar: ProgressBar,
    output: &'a mut Output,
    summary: Summary,
    /// Rows that have not been sent: their numbers and their documents.
    waiting: Vec<(u64, Document)>,
}

impl Import<'_> {
    async fn all<R: Read>(&mut self, mut rows: Rows<R>) -> Result<(), Failure> {
        while let Some(row) = rows.next()? {
            match row.document {
                Ok(document) => self.waiting.push((row.number, document)),
                Err(why) => self.refuse(row.number, why)?,
            }
            if self.waiting.len() >= CHUNK {
                self.send().await?;
            }
        }
        self.send().await
    }

    async fn send(&mut self) -> Result<(), Failure> {
        let (numbers, documents): (Vec<u64>, Vec<Document>) = self.waiting.drain(..).unzip();
        let outcomes = self.producer.enqueue_many(&documents).await;
        let last = numbers.last().copied().unwrap_or_default();
        let mut failed = None;
        for (row, outcome) in numbers.into_iter().zip(outcomes) {
            match outcome {
                Ok(enqueued) => self.count(row, &enqueued)?,
                Err(ProducerError::Rejected(why)) => self.refuse(row, why)?,
                Err(error) => failed = failed.or(Some((row, error))),
            }
        }
        let Summary { new, already_known, refused } = self.summary;
        self.bar.set_message(format!("{} rows", new + already_known + refused));
        failed.map_or(Ok(()), |(row, error)| Err(stopped(row, last, &error)))
    }

    fn count(&mut self, row: u64, enqueued: &Enqueued) -> io::Result<()> {
        match enqueued {
            Enqueued::New(_) => self.summary.new += 1,
            Enqueued::AlreadyKnown(_) => self.summary.already_known += 1,
        }
        if !self.output.is_json() {
            return Ok(());
        }
        let outcome = outcome_word(enqueued);
        self.output.json(&json!({ "row": row, "id": enqueued.id(), "outcome": outcome }))
    }

    fn refuse(&mut self, row: u64, why: impl Display) -> io::Result<()> {
        self.summary.refused += 1;
        if self.output.is_json() {
            let why = why.to_string();
            return self.output.json(&json!({ "row": row, "outcome": "refused", "reason": why }));
        }
        self.bar.suspend(|| output::complain(format_args!("row {row}: refused: {why}")));
        Ok(())
    }
}

/// Redis failed somewhere from row `first` to row `last`, which were sent together.
fn stopped(first: u64, last: u64, error: &ProducerError) -> Failure {
    Failure::told(format!(
        "stopped at row {first}: {error}. The rows before it are done; those after row {last} were not \
         sent. If every row has an id, enqueue the whole file again; else look first which of rows \
         {first} to {last} are there"
    ))
}

fn print(summary: Summary, output: &mut Output) -> io::Result<()> {
    if output.is_json() {
        return output.json(&summary);
    }
    let mut table = Table::of_values();
    table.row(["new", &summary.new.to_string()]);
    table.row(["already known", &summary.already_known.to_string()]);
    table.row(["refused", &summary.refused.to_string()]);
    output.table(&table)
}
