//! What `check.py` found about a folder of archives.

use std::{ffi::OsString, path::Path};

use anyhow::ensure;

use crate::{
    child::{self, Cores, Run},
    export::Export,
    peers,
};

/// The facts, by the names that `check.py` gives them.
pub(super) struct Checked(Run);

/// Each archive in `out` against its manifest.
pub(super) fn against_manifests(out: &Path) -> anyhow::Result<Checked> {
    check(&[out.into()])
}

/// Each archive in `out` also against an independent split of `export`.
pub(super) fn against_another_split(export: &Export, out: &Path) -> anyhow::Result<Checked> {
    check(&[out.into(), export.path.clone().into(), export.people.clone().into()])
}

fn check(arguments: &[OsString]) -> anyhow::Result<Checked> {
    peers::need("python3", "--version")?;
    let mut command = vec!["python3".into(), peers::script("check.py")];
    command.extend_from_slice(arguments);
    child::run(Cores::One, &command).map(Checked)
}

impl Checked {
    pub(super) fn number(&self, fact: &str) -> anyhow::Result<f64> {
        self.0.number(fact)
    }

    /// Records that nobody got for a reason.
    pub(super) fn strays(&self, reason: &str) -> f64 {
        let strays = self.0.said.get("strays").and_then(|strays| strays.get(reason));
        strays.and_then(serde_json::Value::as_f64).unwrap_or(0.0)
    }

    /// Fails unless everything is as it must be.
    pub(super) fn ensure_right(&self) -> anyhow::Result<()> {
        const FAULTS: [&str; 7] = [
            "damaged",
            "different",
            "wrong",
            "lost",
            "withheld_unduly",
            "given_in_doubt",
            "counts_differ",
        ];
        for fact in FAULTS {
            let count = self.0.said.get(fact).and_then(serde_json::Value::as_f64).unwrap_or(0.0);
            ensure!(count == 0.0, "the check found {fact}: {count}; all: {}", self.0.said);
        }
        ensure!(self.number("archives")? > 0.0, "the check found no archive");
        Ok(())
    }
}
