//! What a command prints.
//!
//! A reader that goes away (`gdpr-worker history | head`) has seen enough: it neither stops what a command does nor
//! changes how it ends. Commands that only print may look at [`Output::is_closed`] and stop.

use std::{
    fmt::Display,
    io::{self, BufWriter, IsTerminal, LineWriter, Write},
};

use serde::Serialize;

use super::table::Table;

/// The way to stdout, in the form that was asked for.
pub(super) struct Output {
    json: bool,
    closed: bool,
    out: Box<dyn Write>,
}

impl Output {
    /// Prints to stdout: JSON if `json`, else tables.
    pub(super) fn stdout(json: bool) -> Self {
        let stdout = io::stdout();
        if stdout.is_terminal() {
            Self::new(json, LineWriter::new(stdout))
        } else {
            Self::new(json, BufWriter::new(stdout))
        }
    }

    fn new(json: bool, out: impl Write + 'static) -> Self {
        Self { json, closed: false, out: Box::new(out) }
    }

    /// Whether JSON was asked for.
    pub(super) const fn is_json(&self) -> bool {
        self.json
    }

    /// Whether nobody reads any more.
    pub(super) const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Prints a line as it is.
    pub(super) fn line(&mut self, text: impl Display) -> io::Result<()> {
        self.write(|out| writeln!(out, "{text}"))
    }

    /// Prints a value as one line of JSON.
    pub(super) fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string(value)?;
        self.line(text)
    }

    /// Prints a table.
    pub(super) fn table(&mut self, table: &Table) -> io::Result<()> {
        self.write(|out| write!(out, "{table}"))
    }

    /// Prints what is still held back.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.write(|out| out.flush())
    }

    fn write(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        if self.closed {
            return Ok(());
        }
        match write(&mut *self.out) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            result => result,
        }
    }
}

/// Prints a line to stderr; if nobody reads it, so be it.
pub(super) fn complain(text: impl Display) {
    let _ = writeln!(io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Broken(io::ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    #[test]
    fn a_reader_that_goes_away_is_noticed_and_is_no_error() {
        let mut output = Output::new(false, Broken(io::ErrorKind::BrokenPipe));
        assert!(output.line("seen by nobody").is_ok() && output.is_closed());
        assert!(output.flush().is_ok());
    }

    #[test]
    fn a_full_disk_is_an_error() {
        let mut output = Output::new(true, Broken(io::ErrorKind::StorageFull));
        assert!(output.json(&1).is_err() && !output.is_closed());
    }
}
