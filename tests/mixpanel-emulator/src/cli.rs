//! The command line: run the emulator, or ask one whether it is healthy.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use crate::health;
use crate::server::{Config, start};
use crate::settings::Settings;

const EXAMPLES: &str = "\
Examples:
  mixpanel-emulator --task-seconds 1 --min-gap-ms 0
  mixpanel-emulator --export-format zip-password --create-shape random
  curl -s http://127.0.0.1:9100/_emulator/stats
  curl -s http://127.0.0.1:9100/_emulator/faults \\
       -d '{\"match\":\"create-deletion\",\"fault\":\"act-then-timeout\",\"times\":1}'

gdpr-worker finds it with
  MIXPANEL_API_URL=http://127.0.0.1:9100/api/app MIXPANEL_INGESTION_URL=http://127.0.0.1:9100
  MIXPANEL_PROJECT_TOKEN=emulator-project-token  MIXPANEL_OAUTH_TOKEN=emulator-oauth-token
  GDPR_EXPORT_HOSTS=127.0.0.1

GET / of the running emulator lists its control routes. Settings can be changed while it runs:
POST /_emulator/settings with the names of the flags, dashes as underscores.";

/// A stand-in for Mixpanel's GDPR and ingestion APIs: it takes deletions and retrievals, keeps
/// the documented limits, delivers exports of made-up people, and fails on command.
#[derive(Debug, Parser)]
#[command(name = "mixpanel-emulator", version, after_help = EXAMPLES)]
#[command(args_conflicts_with_subcommands = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: Run,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Exit 0 if an emulator answers, 1 if not; for containers.
    Health {
        /// Where the emulator is.
        #[arg(long, env = "EMULATOR_URL", default_value = "http://127.0.0.1:9100")]
        url: String,
    },
}

#[derive(Debug, Args)]
struct Run {
    /// Address to listen on; port 0 takes any free one.
    #[arg(long, env = "EMULATOR_LISTEN", default_value = "127.0.0.1:9100")]
    listen: SocketAddr,
    /// Base of the download links, if callers know us by another name.
    #[arg(long, env = "EMULATOR_PUBLIC_URL")]
    public_url: Option<String>,
    /// File to write the port to once it is open.
    #[arg(long, env = "EMULATOR_PORT_FILE", value_name = "FILE")]
    port_file: Option<PathBuf>,
    /// File to append the call log to, one JSON object a line.
    #[arg(long, env = "EMULATOR_LOG", value_name = "FILE")]
    log: Option<PathBuf>,
    /// People to start with, in the form of an export of lines.
    #[arg(long, env = "EMULATOR_SEED_PEOPLE", value_name = "FILE")]
    seed_people: Option<PathBuf>,
    /// Seed of everything that is `random` or has a probability.
    #[arg(long, env = "EMULATOR_SEED", default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    settings: Settings,
}

/// Reads the command line and does what it says. Exit 0 done, 1 failed, 2 usage.
pub async fn run() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        Some(Command::Health { url }) => health::probe(&url).await,
        None => serve(cli.run).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("mixpanel-emulator: {message}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(run: Run) -> Result<(), String> {
    let text = |error: std::io::Error| error.to_string();
    let mut terminate = signal(SignalKind::terminate()).map_err(text)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(text)?;
    let config = Config {
        listen: run.listen,
        public_url: run.public_url,
        log: run.log,
        seed_people: run.seed_people,
        seed: run.seed,
        settings: run.settings,
    };
    let running = start(config).await.map_err(|error| error.to_string())?;
    announce(&running.url(), running.address().port(), run.port_file)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    running.stop().await;
    Ok(())
}

/// Says where it listens. The port file appears whole or not at all.
fn announce(url: &str, port: u16, port_file: Option<PathBuf>) -> Result<(), String> {
    if let Some(path) = port_file {
        let draft = path.with_extension("part");
        std::fs::write(&draft, format!("{port}\n"))
            .and_then(|()| std::fs::rename(&draft, &path))
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    let mut out = std::io::stdout();
    // Nobody may be listening to our output; that is no reason not to serve.
    let _ = writeln!(out, "listening on {url}").and_then(|()| out.flush());
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_has_a_variable_and_both_stand_in_the_readme() {
        let command = Cli::command();
        let ours = |id: &str| !matches!(id, "help" | "version");
        for arg in command.get_arguments().filter(|arg| ours(arg.get_id().as_str())) {
            let flag = arg.get_long().unwrap_or("none");
            let variable = arg.get_env().and_then(|name| name.to_str()).unwrap_or("none");
            assert!(variable.starts_with("EMULATOR_"), "--{flag} has {variable}");
            let row = format!("| `--{flag}` | `{variable}` |");
            assert!(include_str!("../README.md").contains(&row), "{row}");
        }
    }
}
