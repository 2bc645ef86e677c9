//! One side of a comparison: a process, pinned to its cores, with the time and the memory that it took.

use std::{
    ffi::OsStr,
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context, bail};
use serde_json::Value;

/// The cores that a side may use.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cores {
    One,
    Two,
}

impl Cores {
    const fn list(self) -> &'static str {
        match self {
            Self::One => "0",
            Self::Two => "0,1",
        }
    }

    /// Compressing threads besides the one that reads: none on one core, as there they would only take turns.
    pub(crate) const fn threads(self) -> usize {
        match self {
            Self::One => 0,
            Self::Two => 2,
        }
    }

    /// Whether this machine has them.
    pub(crate) fn exist(self) -> bool {
        let all = std::thread::available_parallelism().map_or(1, usize::from);
        self == Self::One || all >= 2
    }
}

/// What a side took.
pub(crate) struct Run {
    /// Seconds from its start to its end.
    pub(crate) wall: f64,
    /// Seconds of its processors, in steps of a hundredth.
    pub(crate) cpu: f64,
    /// Its last line, if that is JSON.
    pub(crate) said: Value,
}

impl Run {
    /// Peak of its memory in MiB, as it said itself. Taken from `VmHWM`: the kernel's figure for a finished child
    /// includes what its parent had at the fork.
    pub(crate) fn peak_mib(&self) -> anyhow::Result<f64> {
        Ok(self.number("peak_rss_bytes")? / (1024.0 * 1024.0))
    }

    pub(crate) fn number(&self, field: &str) -> anyhow::Result<f64> {
        self.said
            .get(field)
            .and_then(Value::as_f64)
            .with_context(|| format!("the child did not say {field}"))
    }
}

/// Runs `command` on `cores` and waits for it. What it says about errors goes to our own.
pub(crate) fn run<S: AsRef<OsStr>>(cores: Cores, command: &[S]) -> anyhow::Result<Run> {
    let before = children_seconds()?;
    let started = Instant::now();
    let output = Command::new("taskset")
        .args(["-c", cores.list()])
        .args(command)
        .stderr(Stdio::inherit())
        .output()
        .context("starting taskset: it comes with util-linux")?;
    let wall = started.elapsed().as_secs_f64();
    let cpu = children_seconds()? - before;
    if !output.status.success() {
        let words: Vec<_> = command.iter().map(|word| word.as_ref().to_string_lossy()).collect();
        bail!("a side failed ({}): {}", output.status, words.join(" "));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let said = text.lines().last().and_then(|line| serde_json::from_str(line).ok());
    Ok(Run { wall, cpu, said: said.unwrap_or_default() })
}

/// Processor time of all children so far that were waited for.
fn children_seconds() -> anyhow::Result<f64> {
    /// `USER_HZ`, which the kernel keeps at 100 for programs.
    const TICKS_A_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").context("reading /proc/self/stat")?;
    // The program's name, in parentheses, may hold spaces; after it come the third field and on.
    let (_, fields) = stat.rsplit_once(')').context("an unknown form of /proc/self/stat")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |n: usize| fields.get(n - 3).and_then(|field| field.parse::<f64>().ok());
    let (user, system) = (ticks(16), ticks(17));
    Ok((user.context("no cutime")? + system.context("no cstime")?) / TICKS_A_SECOND)
}

/// The most memory that this process has had, in bytes.
pub(crate) fn own_peak_rss() -> anyhow::Result<u64> {
    let status =
        std::fs::read_to_string("/proc/self/status").context("reading /proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: u64 = line.context("no VmHWM")?.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1024)
}
