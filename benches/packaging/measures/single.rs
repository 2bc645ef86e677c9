//! One person's export, next to Info-ZIP.

use std::ffi::OsString;

use crate::{
    child::{self, Cores, Run},
    export::{Export, Recipe},
    measures,
    options::DEFAULT_MEMORY,
    peers,
    report::{Goal, Report},
    room::{Room, clear},
    rounds::{Rounds, wall},
};

pub(super) fn measure(
    bytes: u64,
    rounds: usize,
    room: &Room,
    report: &mut Report,
) -> anyhow::Result<()> {
    peers::need("zip", "--version")?;
    let recipe = Recipe { bytes, people: 1, profiles: 10, traps: 0, seed: 7 };
    let export = Export::make(room.path(), recipe)?;
    let (mut our_bytes, mut their_bytes) = (0.0, 0.0);
    let two = Cores::Two.exist();
    let mut sides = Rounds::default();
    sides.side("package, 1 core", || {
        let (run, bytes) = packaged(&export, room, Cores::One)?;
        our_bytes = bytes;
        Ok(run)
    });
    sides.side("zip -6", || {
        let (run, bytes) = info_zip(&export, room)?;
        their_bytes = bytes;
        Ok(run)
    });
    if two {
        sides.side("package, 2 cores", || Ok(packaged(&export, room, Cores::Two)?.0));
    }
    sides.run(rounds)?;
    let one = sides.speed("package, 1 core", "zip -6", wall);
    report.add_with_goal("single: zip -6 / ours, 1 core", one, "x", Goal::AtLeast(1.6));
    if two {
        report.add(
            "single: zip -6 / ours, 2 cores",
            sides.speed("package, 2 cores", "zip -6", wall),
            "x",
        );
    }
    drop(sides);
    let size = our_bytes / their_bytes;
    report.add_with_goal("single: size / zip -6", size, "x", Goal::AtMost(1.0));
    Ok(())
}

fn packaged(export: &Export, room: &Room, cores: Cores) -> anyhow::Result<(Run, f64)> {
    let out = room.fresh("ours")?;
    let run = measures::package(export, &out, cores, DEFAULT_MEMORY)?;
    let bytes = measures::zipped(&out.join("store"))?;
    clear(&out)?;
    Ok((run, bytes))
}

fn info_zip(export: &Export, room: &Room) -> anyhow::Result<(Run, f64)> {
    let out = room.fresh("zip")?;
    let archive = out.join("export.zip");
    let command: [OsString; 5] =
        ["zip".into(), "-q".into(), "-6".into(), archive.into(), export.path.clone().into()];
    let run = child::run(Cores::One, &command)?;
    let bytes = measures::zipped(&out)?;
    clear(&out)?;
    Ok((run, bytes))
}
