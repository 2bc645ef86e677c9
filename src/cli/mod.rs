//! The commands: what a person or a script says to the program, and what it answers.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `args` | the command line |
//! | `session` | the way to Redis and to one project |
//! | `failure` | why a command ends with an error |
//! | `output`, `table`, `days` | what is printed, and how |
//! | `run` | the worker |
//! | `enqueue`, `rows`, `import` | one request; the rows of a CSV file; all of them |
//! | `events`, `lines`, `input` | the events in a file; its lines; a file or stdin |
//! | `status`, `user`, `tag`, `consent`, `history`, `due` | looking |
//! | `held`, `refused` | deciding held requests; refused events |
//! | `retention` | profiles without events |
//! | `opt_out_link` | a link by which a person opts out |
//! | `link`, `unseal` | handing an archive over, looking into what was kept |
//! | `verify` | whether an archive, the ledger or a statement is what it was |
//! | `checkpoint`, `receipt`, `proof` | signing what the ledger is; what became of a request; what these share |
//! | `check`, `health` | what is wrong, and what to do |
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage. Results go to stdout, errors and progress to stderr. With
//! `--json` each result is one JSON object on a line of its own. What came from outside is printed without its
//! control characters, so that it cannot steer a terminal.

mod args;
mod check;
mod checkpoint;
mod consent;
mod days;
mod due;
mod enqueue;
mod events;
mod failure;
mod health;
mod held;
mod history;
mod import;
mod input;
mod lines;
mod link;
mod opt_out_link;
mod output;
mod proof;
mod receipt;
mod refused;
mod retention;
mod rows;
mod run;
mod session;
mod status;
mod table;
mod tag;
mod unseal;
mod user;
mod verify;

use std::process::ExitCode;

use clap::Parser as _;

use crate::{core_dumps, ledger::Decision, telemetry};
use args::{Cli, Command};
use failure::Failure;
use output::Output;

/// Whether a command that ran to its end did all that it was asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    Failed,
}

impl Outcome {
    const fn done_if(done: bool) -> Self {
        if done { Self::Done } else { Self::Failed }
    }

    /// Done if both are.
    fn and(self, other: Self) -> Self {
        Self::done_if(self == Self::Done && other == Self::Done)
    }
}

/// The program: reads the command line, carries out the command, and tells how it went.
pub fn main() -> ExitCode {
    telemetry::hide_panic_texts();
    // Before anything secret is read.
    for possible in core_dumps::forbid() {
        output::complain(format_args!("warning: {possible}"));
    }
    let cli = Cli::parse();
    let mut output = Output::stdout(cli.json);
    let outcome = runtime(&cli.command)
        .map_err(|e| Failure::told(format!("the system gives no threads or sockets ({e})")))
        .and_then(|runtime| {
            let outcome = runtime.block_on(carry_out(cli, &mut output));
            // A thread that still packages an export would keep the process for as long as that takes.
            runtime.shutdown_background();
            outcome
        })
        .and_then(|outcome| output.flush().map(|()| outcome).map_err(Failure::from));
    match outcome {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Failed) => ExitCode::FAILURE,
        Err(failure) => {
            let _ = output.flush();
            output::complain(format_args!("error: {failure}"));
            ExitCode::FAILURE
        }
    }
}

fn runtime(command: &Command) -> std::io::Result<tokio::runtime::Runtime> {
    let mut builder = match command {
        Command::Run(_) => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    builder.enable_all().build()
}

async fn carry_out(cli: Cli, output: &mut Output) -> Result<Outcome, Failure> {
    let flags = &cli.flags;
    match cli.command {
        Command::Run(args) => run::run(flags, &args).await,
        Command::Enqueue(args) => match &args.csv {
            Some(file) => import::import(flags, file, output).await,
            None => enqueue::enqueue(flags, args, output).await,
        },
        Command::Events(args) => events::events(flags, &args, output).await,
        Command::Refused(args) => refused::refused(flags, &args, output).await,
        Command::Status { id } => status::status(flags, &id, output).await,
        Command::User { distinct_id } => user::user(flags, &distinct_id, output).await,
        Command::Tag { distinct_ids } => tag::tag(flags, &distinct_ids, output),
        Command::Consent { distinct_ids } => consent::consent(flags, distinct_ids, output).await,
        Command::History(args) => history::history(flags, args, output).await,
        Command::Due { count } => due::due(flags, count, output).await,
        Command::Retry { capped, ids, new_export } => {
            let decision = if new_export { Decision::Renew } else { Decision::Retry };
            held::decide(flags, (!capped).then_some(ids), &decision, output).await
        }
        Command::Fail { capped, ids, reason } => {
            held::decide(flags, (!capped).then_some(ids), &Decision::Fail(reason), output).await
        }
        Command::Retention => retention::retention(flags, output).await,
        Command::Link { id, lifetime } => link::link(flags, &id, lifetime, output).await,
        Command::OptOutLink { distinct_ids, valid_for } => {
            opt_out_link::opt_out_link(flags, &distinct_ids, valid_for, output)
        }
        Command::Verify(args) => verify::verify(flags, &args, output).await,
        Command::Checkpoint { out } => checkpoint::checkpoint(flags, out.as_deref(), output).await,
        Command::Receipt(args) => receipt::receipt(flags, &args, output).await,
        Command::Unseal { file, identity } => {
            unseal::unseal(flags, &file, identity.as_deref()).await
        }
        Command::Check { make_pepper: true, .. } => check::make_pepper(output),
        Command::Check { make_signing_key: true, .. } => check::make_signing_key(output),
        Command::Check { .. } => check::check(flags, output).await,
        Command::Health => health::health(flags, output).await,
        Command::Schema => Ok(output.line(gdpr_jobs::SCHEMA.trim_end()).map(|()| Outcome::Done)?),
    }
}
