//! The split of one export among two thousand people.

use std::path::Path;

use anyhow::ensure;

use crate::{
    child::{self, Cores, Run},
    export::{Export, Recipe},
    measures,
    options::DEFAULT_MEMORY,
    peers,
    report::{Goal, Report},
    room::{Room, clear},
    rounds::{Rounds, cpu, wall},
    sides,
};

pub(super) fn measure(
    bytes: u64,
    rounds: usize,
    room: &Room,
    report: &mut Report,
) -> anyhow::Result<()> {
    let recipe = Recipe { bytes, people: 2000, profiles: 10, traps: 0, seed: 12 };
    let export = Export::make(room.path(), recipe)?;
    peers::need("python3", "--version")?;
    let duckdb = peers::duckdb(room.path());
    let two = Cores::Two.exist();
    let mut sides = Rounds::default();
    sides.side("package, 1 core", || packaged(&export, room, Cores::One));
    sides.side("python, 1 core", || python(&export, room));
    sides.side("one unsplit zip, 1 core", || unsplit(&export, room));
    if let Some(python) = &duckdb {
        sides.side("duckdb, 1 core", || duck(python, &export, room, Cores::One));
    }
    if two {
        sides.side("package, 2 cores", || packaged(&export, room, Cores::Two));
        if let Some(python) = &duckdb {
            sides.side("duckdb, 2 cores", || duck(python, &export, room, Cores::Two));
        }
    }
    sides.run(rounds)?;
    all_gave_the_same(&sides)?;
    report.add("split: export", measures::megabytes(export.bytes), "MB");
    against_python(&sides, two, report)?;
    against_duckdb(&sides, duckdb.is_some(), two, report)?;
    let unsplit = 1.0 / sides.speed("package, 1 core", "one unsplit zip, 1 core", wall);
    report.add_with_goal("split / one unsplit zip, 1 core", unsplit, "x time", Goal::AtMost(1.25));
    Ok(())
}

fn against_python(sides: &Rounds<'_>, two: bool, report: &mut Report) -> anyhow::Result<()> {
    let peer = "python, 1 core";
    let one = sides.speed("package, 1 core", peer, wall);
    report.add_with_goal("split: python / ours, 1 core", one, "x", Goal::AtLeast(2.2));
    let one = sides.speed("package, 1 core", peer, cpu);
    report.add("split: python / ours, 1 core, processor time", one, "x");
    if two {
        let two = sides.speed("package, 2 cores", peer, wall);
        report.add_with_goal("split: python / ours, 2 cores", two, "x", Goal::AtLeast(3.8));
    } else {
        report.skip("split: python / ours, 2 cores", "this machine has one core");
    }
    for side in ["package, 1 core", peer] {
        report.add(format!("split: memory of {side}"), peak(sides, side)?, "MiB");
    }
    Ok(())
}

fn against_duckdb(
    sides: &Rounds<'_>,
    there: bool,
    two: bool,
    report: &mut Report,
) -> anyhow::Result<()> {
    if !there {
        let reason = "duckdb could not be installed from PyPI";
        report.skip("split: duckdb / ours, 1 core each", reason);
        return Ok(());
    }
    let one = sides.speed("package, 1 core", "duckdb, 1 core", wall);
    report.add_with_goal("split: duckdb / ours, 1 core each", one, "x", Goal::AtLeast(1.4));
    if two {
        let two = sides.speed("package, 2 cores", "duckdb, 2 cores", wall);
        report.add("split: duckdb / ours, 2 cores each", two, "x");
    }
    report.add("split: memory of duckdb, 1 core", peak(sides, "duckdb, 1 core")?, "MiB");
    Ok(())
}

fn peak(sides: &Rounds<'_>, side: &str) -> anyhow::Result<f64> {
    let peaks: Vec<f64> = sides.of(side).iter().map(Run::peak_mib).collect::<Result<_, _>>()?;
    Ok(measures::median(&peaks))
}

/// A side that gave fewer records than another was not faster, but wrong.
fn all_gave_the_same(sides: &Rounds<'_>) -> anyhow::Result<()> {
    let names = ["package, 1 core", "package, 2 cores", "python, 1 core", "duckdb, 1 core"];
    let runs = names.iter().flat_map(|name| sides.of(name));
    let given: Vec<f64> = runs.map(|run| run.number("given")).collect::<Result<_, _>>()?;
    ensure!(
        given.windows(2).all(|pair| pair.first() == pair.last()),
        "the sides gave different numbers of records: {given:?}"
    );
    Ok(())
}

fn packaged(export: &Export, room: &Room, cores: Cores) -> anyhow::Result<Run> {
    let out = room.fresh("ours")?;
    let run = measures::package(export, &out, cores, DEFAULT_MEMORY)?;
    clear(&out)?;
    Ok(run)
}

fn unsplit(export: &Export, room: &Room) -> anyhow::Result<Run> {
    let out = room.fresh("unsplit")?;
    let run = measures::ours(sides::UNSPLIT, Cores::One, &export.path, &out, &[])?;
    clear(&out)?;
    Ok(run)
}

fn python(export: &Export, room: &Room) -> anyhow::Result<Run> {
    let out = room.fresh("python")?;
    let command = [
        "python3".into(),
        peers::script("split.py"),
        export.path.clone().into(),
        export.people.clone().into(),
        out.clone().into(),
    ];
    let run = child::run(Cores::One, &command)?;
    clear(&out)?;
    Ok(run)
}

fn duck(python: &Path, export: &Export, room: &Room, cores: Cores) -> anyhow::Result<Run> {
    let out = room.fresh("duckdb-out")?;
    let threads = if cores == Cores::One { "1" } else { "2" };
    let command = [
        python.into(),
        peers::script("duck.py"),
        export.path.clone().into(),
        export.people.clone().into(),
        out.clone().into(),
        threads.into(),
    ];
    let run = child::run(cores, &command)?;
    clear(&out)?;
    Ok(run)
}
