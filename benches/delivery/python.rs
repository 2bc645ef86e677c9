//! The peer that people use today: Mixpanel's own Python library with its buffered consumer.

use std::process::Stdio;

use anyhow::{Context, bail, ensure};
use tokio::process::Command;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/delivery/peers/buffered.py");
/// The version that was compared with.
const PACKAGE: &str = "mixpanel==5.4.1";

/// The library in a virtual environment of the run.
pub(crate) struct Library {
    folder: tempfile::TempDir,
}

impl Library {
    pub(crate) fn install() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let quiet = |command: &mut std::process::Command| -> anyhow::Result<()> {
            let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
            ensure!(status.success(), "{PACKAGE} could not be installed from PyPI");
            Ok(())
        };
        quiet(std::process::Command::new("python3").args(["-m", "venv"]).arg(folder.path()))?;
        quiet(std::process::Command::new(folder.path().join("bin/pip")).args([
            "install",
            "--quiet",
            "--disable-pip-version-check",
            PACKAGE,
        ]))?;
        Ok(Self { folder })
    }

    /// Sends so many events; returns the seconds that it took, start of the interpreter not counted.
    pub(crate) async fn send(&self, url: &str, count: usize) -> anyhow::Result<f64> {
        let python = self.folder.path().join("bin/python3");
        let output = Command::new(python).args([SCRIPT, url, &count.to_string()]).output().await?;
        if !output.status.success() {
            bail!("the Python library failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        String::from_utf8(output.stdout)?.trim().parse().context("no time was printed")
    }
}
