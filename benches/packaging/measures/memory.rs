//! Memory and size: neither may grow with the export beyond its budget.

use std::path::Path;

use anyhow::Context;

use crate::{
    child::Cores,
    export::{Export, Recipe},
    measures,
    options::Sizes,
    report::{Goal, Report},
    room::{Room, clear},
    sides,
};

/// What packaging may take besides the records that wait, in MiB.
const BESIDES: f64 = 32.0;
/// How far the peaks for exports of different sizes may be apart.
const FLAT: f64 = 1.10;

/// Packages exports of each size at each budget, on all cores, and weighs the archives of the second size, which is
/// large enough for records to have waited and small enough to be packed once more.
pub(super) fn measure(sizes: &Sizes, room: &Room, report: &mut Report) -> anyhow::Result<()> {
    let cores = if Cores::Two.exist() { Cores::Two } else { Cores::One };
    let mut peaks = vec![Vec::new(); sizes.budgets.len()];
    for (number, &bytes) in sizes.memory.iter().enumerate() {
        let recipe = Recipe { bytes, people: 2000, profiles: 10, traps: 0, seed: 12 };
        let export = Export::make(room.path(), recipe)?;
        let weighed = number == 1.min(sizes.memory.len() - 1);
        for (&budget, peaks) in sizes.budgets.iter().zip(&mut peaks) {
            let out = room.fresh("memory")?;
            let run = measures::package(&export, &out, cores, budget)?;
            let peak = run.peak_mib()?;
            peaks.push(peak);
            let mib = mib(budget);
            let name = format!("memory: {} MB export, budget {mib} MiB", export.bytes / 1_000_000);
            report.add_with_goal(name, peak, "MiB", Goal::AtMost(mib + BESIDES));
            if weighed {
                let name = format!("size / one stream per person, budget {mib} MiB");
                report.add_with_goal(name, weigh(&export, &out)?, "x", Goal::AtMost(1.06));
            }
            clear(&out)?;
        }
    }
    for (&budget, peaks) in sizes.budgets.iter().zip(&peaks) {
        let (Some(least), Some(most)) = (extreme(peaks, f64::min), extreme(peaks, f64::max)) else {
            continue;
        };
        let name = format!("memory: largest / smallest, budget {} MiB", mib(budget));
        report.add_with_goal(name, most / least, "x", Goal::AtMost(FLAT));
    }
    Ok(())
}

fn weigh(export: &Export, out: &Path) -> anyhow::Result<f64> {
    let run = measures::ours(sides::WEIGH, Cores::One, &export.path, out, &[])?;
    let archives = run.number("archives")?;
    anyhow::ensure!(archives > 0.0, "there was no archive to weigh");
    Ok(run.number("packed")? / run.number("one_stream").context("no weight")?)
}

fn extreme(values: &[f64], of: fn(f64, f64) -> f64) -> Option<f64> {
    values.iter().copied().reduce(of)
}

#[expect(clippy::cast_precision_loss, reason = "a number of MiB")]
fn mib(bytes: usize) -> f64 {
    (bytes / (1024 * 1024)) as f64
}
