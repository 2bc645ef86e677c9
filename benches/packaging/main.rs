//! How packaging does, side by side with what else would do the job. See `README.md` in this folder.
//!
//! ```text
//! cargo bench --bench packaging                 the table (1 GB; 10 GB of room in /dev/shm or --folder)
//! cargo bench --bench packaging -- --quick      the same, small, one round
//! cargo bench --bench packaging -- gate         memory, size and correctness only; fails if a goal is missed
//! ```
//! Every side is a process of its own, pinned to its cores. Only ratios within a round count; wrong results are errors,
//! slow ones are only said.

mod child;
mod export;
mod measures;
mod options;
mod peers;
#[path = "../rig/report.rs"]
#[allow(dead_code, reason = "each bench uses a part")]
mod report;
mod room;
mod rounds;
mod sides;

use clap::Parser as _;

use export::{Export, Recipe};
use options::{Kept, Options, Task};
use report::Report;

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    match &options.task {
        Some(Task::Side(side)) => sides::run(side),
        Some(Task::AtScale(scale)) => measures::at_scale::run(&options, scale),
        Some(Task::Export(kept)) => export(kept),
        Some(Task::Gate) => gate(&options),
        None => table(&options),
    }
}

fn export(kept: &Kept) -> anyhow::Result<()> {
    let Kept { megabytes, people, profiles, traps, seed, .. } = *kept;
    let recipe = Recipe { bytes: megabytes * 1_000_000, people, profiles, traps, seed };
    println!("{}", Export::make(&kept.into, recipe)?.keep().display());
    Ok(())
}

/// Every measure, with its goal.
fn table(options: &Options) -> anyhow::Result<()> {
    let sizes = options.sizes();
    let room = options.room(sizes.largest())?;
    let mut report = Report::new("packaging");
    let outcome = measures::all(options, &sizes, &room, &mut report);
    // What was measured before a fault is shown all the same.
    report.print(options.json);
    outcome
}

/// What must hold on any machine, however busy.
fn gate(options: &Options) -> anyhow::Result<()> {
    let sizes = options::Sizes::of_the_gate();
    let room = options.room(sizes.largest())?;
    let mut report = Report::new("packaging, the gate");
    let outcome = measures::gate(&sizes, &room, &mut report);
    report.print(options.json);
    outcome?;
    let missed = report.missed();
    anyhow::ensure!(missed.is_empty(), "goals missed: {}", missed.join("; "));
    Ok(())
}
