//! What else would do the job, and the programs for it: Python, DuckDB in a Python of its own, Info-ZIP.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::ensure;

/// A version that the peer was written for.
const DUCKDB: &str = "duckdb>=1.2";

/// A script of this folder.
pub(crate) fn script(name: &str) -> OsString {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/packaging/peers").join(name).into()
}

/// Fails with a hint if `program` cannot be started.
pub(crate) fn need(program: &str, argument: &str) -> anyhow::Result<()> {
    ensure!(
        succeeds(Command::new(program).arg(argument)),
        "{program} is missing and is a peer of this bench: install it (apt-get install {program})"
    );
    Ok(())
}

/// A Python that has DuckDB, made in `folder`; `None` if it cannot be had.
pub(crate) fn duckdb(folder: &Path) -> Option<PathBuf> {
    let home = folder.join("duckdb");
    let python = home.join("bin/python");
    let made = succeeds(Command::new("python3").args(["-m", "venv"]).arg(&home))
        && succeeds(Command::new(&python).args(["-m", "pip", "install", "--quiet", DUCKDB]));
    made.then_some(python)
}

fn succeeds(command: &mut Command) -> bool {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
