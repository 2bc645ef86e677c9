//! Logging, and what a panic may say.
//!
//! Invariant: a dependency never logs below the level of a warning, whatever `GDPR_LOG` says: at its finer
//! levels it may print addresses, tokens and identifiers. A panic shows its place, never its text.

use std::{
    io::{self, IsTerminal, Write},
    panic,
};

use tracing::{Level, Metadata};
use tracing_subscriber::{
    EnvFilter, Layer, Registry, filter::filter_fn, fmt, layer::SubscriberExt as _,
};

/// The variable that sets the level.
const VARIABLE: &str = "GDPR_LOG";
/// What holds without it.
const DEFAULT: &str = "info";
/// Our own crates begin with this.
const OURS: &str = "gdpr_";

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// Lines for people.
    Text,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The level cannot be read.
    #[error(
        "{VARIABLE} is {found:?}: expected error, warn, info, debug or trace, \
         or targets such as info,gdpr_worker::queue=debug"
    )]
    Level {
        /// Its text.
        found: String,
    },
    /// Somebody else set up logging in this process.
    #[error("logging is set up already in this process: expected to be the first")]
    Twice,
}

/// Starts logging to stderr: as JSON unless stderr is a terminal, or as `format` says.
pub fn start(format: Option<LogFormat>) -> Result<(), TelemetryError> {
    let levels = levels(&std::env::var(VARIABLE).unwrap_or_default())?;
    let usual = if io::stderr().is_terminal() { LogFormat::Text } else { LogFormat::Json };
    let lines = match format.unwrap_or(usual) {
        LogFormat::Json => fmt::layer().with_writer(io::stderr).json().flatten_event(true).boxed(),
        LogFormat::Text => fmt::layer()
            .with_writer(io::stderr)
            .with_ansi(io::stderr().is_terminal())
            .with_target(false)
            .boxed(),
    };
    let subscriber = Registry::default().with(lines.with_filter(levels).with_filter(cap()));
    tracing::subscriber::set_global_default(subscriber).map_err(|_| TelemetryError::Twice)
}

/// Makes a panic tell where it happened and nothing of what it was about: its text may quote a value.
pub fn hide_panic_texts() {
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        if tracing::dispatcher::has_been_set() {
            tracing::error!(place, "internal error: please report it");
        } else {
            let _ = writeln!(io::stderr(), "error: internal error at {place}: please report it");
        }
    }));
}

fn levels(text: &str) -> Result<EnvFilter, TelemetryError> {
    let text = text.trim();
    EnvFilter::try_new(if text.is_empty() { DEFAULT } else { text })
        .map_err(|_| TelemetryError::Level { found: text.to_owned() })
}

/// The cap on dependencies. It knows our crates, not theirs, so that a new dependency is capped, too.
fn cap<S>() -> impl tracing_subscriber::layer::Filter<S> {
    filter_fn(is_safe)
}

fn is_safe(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= Level::WARN || metadata.target().starts_with(OURS)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use super::*;

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl Memory {
        fn text(&self) -> String {
            let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
            String::from_utf8(bytes).unwrap()
        }
    }

    impl Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(level: &str, log: impl FnOnce()) -> String {
        let memory = Memory::default();
        let writer = memory.clone();
        let lines = fmt::layer().with_writer(move || writer.clone()).with_ansi(false);
        let filtered = lines.with_filter(levels(level).unwrap()).with_filter(cap());
        tracing::subscriber::with_default(Registry::default().with(filtered), log);
        memory.text()
    }

    #[test]
    fn a_dependency_stays_silent_below_a_warning_even_when_it_is_named() {
        for level in ["trace", "redis=trace,hyper=trace,reqwest=trace,trace"] {
            let text = logged(level, || {
                tracing::info!(target: "redis::cmd", "quiet-1");
                tracing::debug!(target: "hyper::client", "quiet-2");
                tracing::trace!(target: "reqwest::connect", "quiet-3");
                tracing::warn!(target: "redis", "loud-1");
                tracing::trace!(target: "gdpr_worker::queue", "loud-2");
            });
            assert!(!text.contains("quiet"), "{text}");
            assert!(text.contains("loud-1") && text.contains("loud-2"), "{text}");
        }
    }

    #[test]
    fn without_a_level_our_own_information_is_shown_and_nothing_finer() {
        let text = logged("", || {
            tracing::info!(target: "gdpr_worker", "shown");
            tracing::debug!(target: "gdpr_worker", "hidden");
        });
        assert!(text.contains("shown") && !text.contains("hidden"));
    }

    #[test]
    fn a_level_that_cannot_be_read_names_the_variable() {
        let error = levels("gdpr_worker=loud").map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("GDPR_LOG"));
    }
}
