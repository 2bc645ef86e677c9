//! The measures of the table, each with its goal.

pub(crate) mod at_scale;
mod checked;
mod memory;
mod single;
mod split;
mod traps;
mod wrap;

use std::{ffi::OsString, path::Path};

use crate::{
    child::{self, Cores, Run},
    export::Export,
    options::{Options, Sizes},
    report::Report,
    room::Room,
    sides,
};

/// All of them; those that `options` leaves out are not made.
pub(crate) fn all(
    options: &Options,
    sizes: &Sizes,
    room: &Room,
    report: &mut Report,
) -> anyhow::Result<()> {
    let rounds = options.rounds();
    if options.wants("traps") {
        traps::measure(sizes.traps, room, report)?;
    }
    if options.wants("single") {
        single::measure(sizes.single, rounds, room, report)?;
    }
    if options.wants("wrap") {
        wrap::measure(sizes.single, rounds, room, report)?;
    }
    if options.wants("split") {
        split::measure(sizes.split, rounds, room, report)?;
    }
    if options.wants("memory") {
        memory::measure(sizes, room, report)?;
    }
    Ok(())
}

/// Those that need no quiet machine.
pub(crate) fn gate(sizes: &Sizes, room: &Room, report: &mut Report) -> anyhow::Result<()> {
    traps::measure(sizes.traps, room, report)?;
    memory::measure(sizes, room, report)
}

/// Runs one of our own sides: this program, as a child.
fn ours(
    side: &str,
    cores: Cores,
    export: &Path,
    out: &Path,
    extra: &[OsString],
) -> anyhow::Result<Run> {
    let program = std::env::current_exe()?;
    let mut command = vec![program.into(), "side".into(), side.into(), export.into(), out.into()];
    command.extend_from_slice(extra);
    child::run(cores, &command)
}

/// Packages `export` into `out`, on `cores`, with `memory` bytes for records that wait.
fn package(export: &Export, out: &Path, cores: Cores, memory: usize) -> anyhow::Result<Run> {
    package_as(&export.path, export, out, cores, memory)
}

/// The same from another file with the same records.
fn package_as(
    file: &Path,
    export: &Export,
    out: &Path,
    cores: Cores,
    memory: usize,
) -> anyhow::Result<Run> {
    let threads = cores.threads().to_string();
    let extra = [
        "--people".into(),
        export.people.clone().into(),
        "--memory".into(),
        memory.to_string().into(),
        "--threads".into(),
        threads.into(),
    ];
    ours(sides::PACKAGE, cores, file, out, &extra)
}

/// The value in the middle.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match (sorted.get(middle), sorted.len() % 2) {
        (Some(&value), 1) => value,
        (Some(&high), _) => f64::midpoint(sorted.get(middle - 1).copied().unwrap_or(high), high),
        (None, _) => f64::NAN,
    }
}

/// Bytes of all files in a folder that end in `.zip`.
fn zipped(folder: &Path) -> anyhow::Result<f64> {
    let mut bytes = 0;
    for file in std::fs::read_dir(folder)? {
        let file = file?;
        if file.path().extension().is_some_and(|extension| extension == "zip") {
            bytes += file.metadata()?.len();
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    Ok(bytes as f64)
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
