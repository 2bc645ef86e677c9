//! The big run: one export of gigabytes, packaged, and every archive verified.

use std::{
    fs::{self, File},
    path::Path,
};

use anyhow::ensure;
use gdpr_worker::archive::verify;

use crate::{
    child::Cores,
    export::{Export, Recipe},
    measures::{self, checked},
    options::{Options, Scale},
    report::{Goal, Report},
};

pub(crate) fn run(options: &Options, scale: &Scale) -> anyhow::Result<()> {
    let bytes = scale.megabytes * 1_000_000;
    // The export, its archives, and what waits in the spool.
    let room = options.room(bytes + bytes / 2)?;
    let cores = if Cores::Two.exist() { Cores::Two } else { Cores::One };
    eprintln!("making an export of {} MB for {} people", scale.megabytes, scale.people);
    let recipe = Recipe { bytes, people: scale.people, profiles: 10, traps: 0, seed: 4 };
    let export = Export::make(room.path(), recipe)?;
    eprintln!("packaging it");
    let out = room.fresh("archives")?;
    let run = measures::package(&export, &out, cores, scale.memory * 1024 * 1024)?;
    eprintln!("verifying {} archives", export.count);
    let found = if scale.compare {
        checked::against_another_split(&export, &out)?
    } else {
        checked::against_manifests(&out)?
    };
    let verified = verify_all(&out)?;
    let mut report = Report::new("packaging at scale");
    report.add("export", measures::megabytes(export.bytes), "MB");
    report.add("records read", run.number("read")?, "");
    report.add("records given", run.number("given")?, "");
    report.add("records quarantined", run.number("quarantined")?, "");
    report.add("archives", run.number("archives")?, "");
    report.add("archives verified", found.number("archives")? - found.number("damaged")?, "");
    report.add("archives that `gdpr-worker verify` accepts", verified, "");
    report.add("all archives together", run.number("bytes")? / 1e6, "MB");
    report.add("time", run.wall, "s");
    report.add("processor time", run.cpu, "s");
    report.add("throughput", measures::megabytes(export.bytes) / run.wall, "MB/s");
    #[expect(clippy::cast_precision_loss, reason = "a number of MiB")]
    let goal = Goal::AtMost((scale.memory + 32) as f64);
    report.add_with_goal("peak of memory", run.peak_mib()?, "MiB", goal);
    report.print(options.json);
    found.ensure_right()?;
    let (given, verified) = (run.number("given")?, found.number("records")?);
    ensure!(
        (given - verified).abs() < 0.5,
        "{given} records were given and {verified} found in archives"
    );
    let missed = report.missed();
    ensure!(missed.is_empty(), "goals missed: {}", missed.join("; "));
    Ok(())
}

/// Every archive in the store, read as the command `verify` reads it.
fn verify_all(out: &Path) -> anyhow::Result<f64> {
    let mut verified = 0_u32;
    for entry in fs::read_dir(out.join("store"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "zip") {
            verify(File::open(&path)?, None)?;
            verified += 1;
        }
    }
    Ok(verified.into())
}
