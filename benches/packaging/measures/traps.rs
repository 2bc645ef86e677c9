//! A file full of traps: who gets what is compared with a split by another program, byte by byte.

use anyhow::ensure;

use crate::{
    child::Cores,
    export::{Export, Recipe},
    measures::{self, checked},
    report::{Goal, Report},
    room::{Room, clear},
};

/// Small, so that records of a person are compressed in many pieces.
const MEMORY: usize = 2 * 1024 * 1024;

/// Any difference is an error: nothing else that was measured would matter.
pub(super) fn measure(bytes: u64, room: &Room, report: &mut Report) -> anyhow::Result<()> {
    let recipe = Recipe { bytes, people: 2000, profiles: 10, traps: 20, seed: 13 };
    let export = Export::make(room.path(), recipe)?;
    let cores = if Cores::Two.exist() { Cores::Two } else { Cores::One };
    let out = room.fresh("traps")?;
    measures::package(&export, &out, cores, MEMORY)?;
    let found = checked::against_another_split(&export, &out)?;
    clear(&out)?;
    for kind in ["malformed", "ambiguous", "several", "nobody"] {
        ensure!(
            found.strays(kind) > 0.0,
            "the file has no trap of the kind {kind}: it tests nothing"
        );
    }
    report.add("traps: records compared", found.number("records")?, "");
    report.add("traps: requests in doubt", found.number("in_doubt")?, "");
    report.add("traps: requests without archive", found.number("withheld")?, "");
    let wrong = found.number("wrong")?;
    report.add_with_goal("traps: records of another person", wrong, "", Goal::AtMost(0.0));
    let different = found.number("different")?;
    report.add_with_goal("traps: archives that differ", different, "", Goal::AtMost(0.0));
    found.ensure_right()
}
