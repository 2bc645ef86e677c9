//! Why a command ends with an error: what was found, what was expected, what to do.

use std::io;

use gdpr_jobs::ReaderError;

use super::rows::FileError;
use crate::{config::ConfigError, ledger::LedgerError};

/// The end of a command that could not be carried out.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// As told.
    #[error("{0}")]
    Told(String),
    /// A setting is missing or wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A CSV file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The result cannot be printed.
    #[error(
        "the output cannot be written ({0}): \
         expected a terminal, a file with space, or a program that reads"
    )]
    Output(#[from] io::Error),
}

impl Failure {
    pub(super) fn told(text: impl Into<String>) -> Self {
        Self::Told(text.into())
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        Self::Told(match error {
            LedgerError::Redis(error) => format!("Redis failed: {}; try again", fault(error)),
            other => other.to_string(),
        })
    }
}

/// What went wrong with Redis, without the words of its answer, which may quote what was sent.
pub(super) fn fault(error: impl Into<ReaderError>) -> String {
    match error.into() {
        ReaderError::Redis(fault) => fault.to_string(),
        ReaderError::Record(error) => error.to_string(),
    }
}
