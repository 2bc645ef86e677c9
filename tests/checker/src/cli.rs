//! The two commands. Exit code 0: all that could be decided holds; 1: something does not; 2: it could not be judged.

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::{collect, history::History, judge};

/// Judges a run of gdpr-worker from outside.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Decides I1 to I18 from the files of a history: a line for each.
    Judge {
        /// The history.
        folder: PathBuf,
        /// Prints the verdict as JSON, with every finding.
        #[arg(long)]
        json: bool,
        /// What cannot be decided for lack of data counts as violated.
        #[arg(long)]
        complete: bool,
    },
    /// Adds to a history (with its run.json) what Redis and the emulator hold now.
    Collect {
        /// The history.
        folder: PathBuf,
        /// URL of the Redis that has the project's keys.
        #[arg(long)]
        redis: String,
        /// Base URL of the emulator; without it the rig provides calls.jsonl.
        #[arg(long)]
        emulator: Option<String>,
    },
}

/// Runs the program.
pub async fn run() -> ExitCode {
    match Args::parse().command {
        Command::Judge { folder, json, complete } => match History::load(&folder) {
            Ok(history) => show(&judge(&history), json, complete),
            Err(error) => unusable(&error),
        },
        Command::Collect { folder, redis, emulator } => {
            let collected = async {
                if let Some(emulator) = emulator {
                    collect::emulator(&emulator, &folder).await?;
                }
                collect::redis(&redis, &folder).await
            };
            match collected.await {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => unusable(&error),
            }
        }
    }
}

fn show(verdict: &crate::Verdict, json: bool, complete: bool) -> ExitCode {
    if json {
        println!("{}", serde_json::to_string_pretty(verdict).unwrap_or_default());
    } else {
        print!("{verdict}");
    }
    let decided = !complete || verdict.undecided().is_empty();
    let good = decided && verdict.violated().is_empty();
    if good { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

fn unusable(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("{error}");
    ExitCode::from(2)
}
