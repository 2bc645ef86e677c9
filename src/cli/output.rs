//! What a command prints. A reader that goes away is an error here and never a panic.

use std::{
    fmt::Display,
    io::{self, BufWriter, IsTerminal, LineWriter, Write},
};

use serde::Serialize;

use super::table::Table;

/// The way to stdout, in the form that was asked for.
pub(super) struct Output {
    json: bool,
    out: Box<dyn Write>,
}

impl Output {
    /// Prints to stdout: JSON if `json`, else tables.
    pub(super) fn stdout(json: bool) -> Self {
        let stdout = io::stdout();
        let out: Box<dyn Write> = if stdout.is_terminal() {
            Box::new(LineWriter::new(stdout))
        } else {
            Box::new(BufWriter::new(stdout))
        };
        Self { json, out }
    }

    /// Whether JSON was asked for.
    pub(super) const fn is_json(&self) -> bool {
        self.json
    }

    /// Prints a line as it is.
    pub(super) fn line(&mut self, text: impl Display) -> io::Result<()> {
        writeln!(self.out, "{text}")
    }

    /// Prints a value as one line of JSON.
    pub(super) fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, value)?;
        self.out.write_all(b"\n")
    }

    /// Prints a table.
    pub(super) fn table(&mut self, table: &Table) -> io::Result<()> {
        write!(self.out, "{table}")
    }

    /// Prints what is still held back.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Prints a line to stderr; if nobody reads it, so be it.
pub(super) fn complain(text: impl Display) {
    let _ = writeln!(io::stderr(), "{text}");
}
