//! JSON files and files of JSON lines.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;

/// Why a history cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// A file cannot be read.
    #[error("{path}: {source}; expected a file of the history (see the README of tests/checker)")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A line is not what the file should hold. The text of the line is not quoted: it may name people.
    #[error("{path}, line {line}: {source}")]
    Line {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong.
        source: serde_json::Error,
    },
}

pub(super) fn failed(path: &Path) -> impl FnOnce(io::Error) -> HistoryError + '_ {
    move |source| HistoryError::File { path: path.to_owned(), source }
}

fn open(path: &Path) -> Result<BufReader<File>, HistoryError> {
    Ok(BufReader::with_capacity(1 << 16, File::open(path).map_err(failed(path))?))
}

/// One JSON value.
pub(super) fn json<T: DeserializeOwned>(path: &Path) -> Result<T, HistoryError> {
    serde_json::from_reader(open(path)?).map_err(|source| HistoryError::Line {
        line: source.line(),
        path: path.to_owned(),
        source,
    })
}

/// One JSON value a line; empty lines do not count.
pub(super) fn lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, HistoryError> {
    let mut values = Vec::new();
    for (place, line) in open(path)?.lines().enumerate() {
        let line = line.map_err(failed(path))?;
        if line.trim().is_empty() {
            continue;
        }
        values.push(serde_json::from_str(&line).map_err(|source| HistoryError::Line {
            path: path.to_owned(),
            line: place + 1,
            source,
        })?);
    }
    Ok(values)
}

/// The same of a file that need not be there.
pub(super) fn lines_if_any<T: DeserializeOwned>(
    path: &Path,
) -> Result<Option<Vec<T>>, HistoryError> {
    if path.exists() { lines(path).map(Some) } else { Ok(None) }
}
