//! What the commands about evidence share: keys, files of checkpoints, the walk through the ledger.

use std::{
    fs::File,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
};

use indicatif::{ProgressBar, ProgressStyle};

use super::failure::Failure;
use crate::{
    config::{Access, ConfigError},
    evidence::{Audit, Checkpoints, Entry, PublicKey, SigningKey},
    ledger::{Ledger, LedgerError},
};

/// The public keys that count.
pub(super) struct Keys {
    keys: Vec<PublicKey>,
    given: bool,
}

impl Keys {
    /// Those given, each as text or as the name of a file with it; else that of the configured `GDPR_SIGNING_KEY`, if any.
    pub(super) fn of(given: &[String], access: Option<&Access>) -> Result<Self, Failure> {
        if given.is_empty() {
            let own = access.and_then(|access| access.evidence.signing_key.as_ref());
            let keys = own.map(SigningKey::public).into_iter().collect();
            return Ok(Self { keys, given: false });
        }
        let keys = given.iter().map(|text| public_key(text)).collect::<Result<_, _>>()?;
        Ok(Self { keys, given: true })
    }

    /// The same, but at least one.
    pub(super) fn known(given: &[String], access: Option<&Access>) -> Result<Self, Failure> {
        let keys = Self::of(given, access)?;
        if keys.keys.is_empty() {
            return Err(Failure::told(
                "no public key: expected --public-key with the key of who signs, or GDPR_SIGNING_KEY; \
                 a checkpoint proves nothing by the key that stands in it",
            ));
        }
        Ok(keys)
    }

    /// Whether this is one of them.
    pub(super) fn have(&self, key: PublicKey) -> bool {
        self.keys.contains(&key)
    }

    /// Where they come from.
    pub(super) const fn origin(&self) -> &'static str {
        if self.given { "given with --public-key" } else { "that of GDPR_SIGNING_KEY" }
    }
}

fn public_key(text: &str) -> Result<PublicKey, Failure> {
    let text = match std::fs::read_to_string(text) {
        Ok(content) => content,
        Err(_) => text.to_owned(),
    };
    text.parse()
        .map_err(|error| Failure::told(format!("--public-key: {error}, or a file with that")))
}

/// The key that signs.
pub(super) fn signing_key(access: &Access) -> Result<&SigningKey, ConfigError> {
    access.evidence.signing_key.as_ref().ok_or(ConfigError::Missing {
        variable: "GDPR_SIGNING_KEY",
        expected: "the key that signs (gdpr-worker check --make-signing-key prints one)",
    })
}

/// A file of statements.
pub(super) fn read(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file).map_err(|error| {
        Failure::told(format!(
            "{} cannot be read ({error}): expected a file with signed statements, one a line",
            file.display()
        ))
    })
}

/// The checkpoints in some files, as far as they are about this project.
pub(super) fn checkpoints(
    files: &[PathBuf],
    project: &str,
    keys: &Keys,
) -> Result<Checkpoints, Failure> {
    let mut checkpoints = Checkpoints::default();
    for file in files {
        checkpoints.add(&file.display().to_string(), &read(file)?, project, &keys.keys);
    }
    Ok(checkpoints)
}

/// Walks through the ledger as it is now, with a bar at a terminal. `see` is told each event and its place, and says whether its
/// proof is wanted.
pub(super) async fn walk(
    ledger: &Ledger,
    audit: &mut Audit,
    mut see: impl FnMut(&Entry, u64) -> bool,
) -> Result<(), LedgerError> {
    let extent = ledger.extent().await?;
    let bar = if io::stderr().is_terminal() {
        let style =
            ProgressStyle::with_template("{bar:30} {percent:>3} % {pos} events (still {eta})");
        let bar = ProgressBar::new(extent.length);
        style.map_or(bar.clone(), |style| bar.with_style(style))
    } else {
        ProgressBar::hidden()
    };
    if !extent.last_id.is_empty() {
        let each = |entry: &Entry| {
            let prove = see(entry, audit.events());
            audit.see(entry, prove);
            bar.inc(1);
        };
        ledger.walk("", &extent.last_id, each).await?;
    }
    audit.finish(&extent);
    bar.finish_and_clear();
    Ok(())
}

/// Why nothing is signed about a ledger that is not what was written.
pub(super) fn refuse_if_changed(audit: &Audit) -> Result<(), Failure> {
    let Some(first) = audit.findings().first() else { return Ok(()) };
    Err(Failure::told(format!(
        "nothing was signed: the ledger is not what was written ({} findings, the first at event {}): found {}, expected {}; \
         gdpr-worker verify --ledger tells all",
        audit.faults(),
        first.event,
        first.found,
        first.expected
    )))
}

/// Writes a statement into a file of its own, durably.
pub(super) fn write(file: &Path, line: &str) -> Result<(), Failure> {
    let written = File::create(file).and_then(|mut out| {
        out.write_all(format!("{line}\n").as_bytes())?;
        out.sync_all()
    });
    written.map_err(|error| unwritten(file, &error))
}

/// Why a statement is not in its file.
pub(super) fn unwritten(file: &Path, error: &io::Error) -> Failure {
    Failure::told(format!(
        "{} cannot be written ({error}): expected a file in a folder that exists and has space",
        file.display()
    ))
}
