//! One person's export that comes as gzip: what was deflated once need not be deflated again.

use std::{
    fs::File,
    io::{BufReader, BufWriter},
    path::PathBuf,
};

use anyhow::Context;
use flate2::{Compression, write::GzEncoder};

use crate::{
    child::{Cores, Run},
    export::{Export, Recipe},
    measures,
    options::DEFAULT_MEMORY,
    report::{Goal, Report},
    room::{Room, clear},
    rounds::{Rounds, wall},
    sides,
};

/// Ours checks every byte; the other side inflates and deflates at level 6, and checks nothing.
pub(super) fn measure(
    bytes: u64,
    rounds: usize,
    room: &Room,
    report: &mut Report,
) -> anyhow::Result<()> {
    let recipe = Recipe { bytes, people: 1, profiles: 0, traps: 0, seed: 7 };
    let export = Export::make(room.path(), recipe)?;
    let packed = Packed::make(&export)?;
    let two = Cores::Two.exist();
    let mut sides = Rounds::default();
    sides.side("package, 1 core", || packaged(&packed, &export, room, Cores::One));
    sides.side("recompress", || recompressed(&packed, room));
    if two {
        sides.side("package, 2 cores", || packaged(&packed, &export, room, Cores::Two));
    }
    sides.run(rounds)?;
    let one = sides.speed("package, 1 core", "recompress", wall);
    let name = "gzip to zip: recompressing / ours";
    if two {
        report.add(format!("{name}, 1 core"), one, "x");
        let two = sides.speed("package, 2 cores", "recompress", wall);
        report.add_with_goal(format!("{name}, 2 cores"), two, "x", Goal::AtLeast(8.0));
    } else {
        report.add_with_goal(format!("{name}, 1 core"), one, "x", Goal::AtLeast(8.0));
    }
    Ok(())
}

/// The export as gzip. It goes when it is dropped.
struct Packed(PathBuf);

impl Packed {
    fn make(export: &Export) -> anyhow::Result<Self> {
        let packed = Self(export.path.with_extension("ndjson.gz"));
        let text = File::open(&export.path).context("opening the export")?;
        let out = BufWriter::new(File::create(&packed.0).context("making the gzip")?);
        let mut gzip = GzEncoder::new(out, Compression::new(6));
        std::io::copy(&mut BufReader::with_capacity(1 << 20, text), &mut gzip)?;
        gzip.finish()?.into_inner().context("writing the gzip")?;
        Ok(packed)
    }
}

impl Drop for Packed {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn packaged(packed: &Packed, export: &Export, room: &Room, cores: Cores) -> anyhow::Result<Run> {
    let out = room.fresh("ours")?;
    let run = measures::package_as(&packed.0, export, &out, cores, DEFAULT_MEMORY)?;
    clear(&out)?;
    Ok(run)
}

fn recompressed(packed: &Packed, room: &Room) -> anyhow::Result<Run> {
    let out = room.fresh("recompressed")?;
    let run = measures::ours(sides::RECOMPRESS, Cores::One, &packed.0, &out, &[])?;
    clear(&out)?;
    Ok(run)
}
