//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::room::Room;

const MB: u64 = 1_000_000;
const MIB: usize = 1024 * 1024;
/// Bytes of records that wait in memory, where nothing else is said.
pub(crate) const DEFAULT_MEMORY: usize = 64 * MIB;

/// Measures how exports are packaged.
#[derive(Parser)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) task: Option<Task>,
    /// A JSON line after the table.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// 50 MB and one round.
    #[arg(long)]
    quick: bool,
    /// Rounds of each comparison; 3, or 1 with --quick.
    #[arg(long)]
    rounds: Option<usize>,
    /// Measures only these parts, separated by commas: split, memory, single, wrap, traps.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Where exports and archives go while it runs. Otherwise /dev/shm, or the temporary folder if that is too small.
    #[arg(long, global = true)]
    folder: Option<PathBuf>,
    /// Set by `cargo bench`.
    #[arg(long, global = true, hide = true)]
    bench: bool,
}

/// What to do instead of the whole table.
#[derive(Subcommand)]
pub(crate) enum Task {
    /// Memory, size and correctness only, in a minute.
    Gate,
    /// One big export, packaged and verified; see scripts/packaging-at-scale.
    AtScale(Scale),
    /// Writes an export, and beside it the list of its people, to keep.
    Export(Kept),
    /// One process that is measured.
    #[command(hide = true)]
    Side(Side),
}

/// An export to keep.
#[derive(Args)]
pub(crate) struct Kept {
    /// The folder that it goes into.
    pub(crate) into: PathBuf,
    #[arg(long, default_value_t = 50)]
    pub(crate) megabytes: u64,
    #[arg(long, default_value_t = 2000)]
    pub(crate) people: usize,
    /// Of a thousand lines, so many are profiles.
    #[arg(long, default_value_t = 10)]
    pub(crate) profiles: u64,
    /// Of a thousand lines, so many are awkward.
    #[arg(long, default_value_t = 0)]
    pub(crate) traps: u64,
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

/// The size of the big run.
#[derive(Args)]
pub(crate) struct Scale {
    /// Megabytes of the export.
    #[arg(long, default_value_t = 4000)]
    pub(crate) megabytes: u64,
    /// People in it.
    #[arg(long, default_value_t = 2000)]
    pub(crate) people: usize,
    /// MiB of records that wait in memory.
    #[arg(long, default_value_t = 64)]
    pub(crate) memory: usize,
    /// Also compares every archive, byte by byte, with a split by another program. Takes minutes for gigabytes.
    #[arg(long)]
    pub(crate) compare: bool,
}

/// One side of a comparison.
#[derive(Args)]
pub(crate) struct Side {
    pub(crate) name: String,
    /// The export.
    pub(crate) export: PathBuf,
    /// The folder that the result goes into.
    pub(crate) out: PathBuf,
    /// The list of people.
    #[arg(long)]
    pub(crate) people: Option<PathBuf>,
    /// Bytes of records that wait in memory.
    #[arg(long, default_value_t = DEFAULT_MEMORY)]
    pub(crate) memory: usize,
    /// Threads that compress.
    #[arg(long, default_value_t = 0)]
    pub(crate) threads: usize,
}

/// Bytes of the exports of one run.
pub(crate) struct Sizes {
    pub(crate) split: u64,
    pub(crate) single: u64,
    pub(crate) traps: u64,
    /// From the smallest to the largest, at each of the budgets.
    pub(crate) memory: Vec<u64>,
    /// Bytes of records that wait in memory.
    pub(crate) budgets: Vec<usize>,
}

impl Sizes {
    pub(crate) fn of_the_gate() -> Self {
        Self { memory: vec![240 * MB, 720 * MB], budgets: vec![16 * MIB], ..Self::quick() }
    }

    fn quick() -> Self {
        Self {
            split: 50 * MB,
            single: 50 * MB,
            traps: 20 * MB,
            memory: vec![50 * MB, 100 * MB],
            budgets: vec![16 * MIB, 64 * MIB],
        }
    }

    fn full() -> Self {
        Self {
            split: 1000 * MB,
            single: 200 * MB,
            traps: 200 * MB,
            memory: vec![200 * MB, 1000 * MB, 4000 * MB],
            budgets: vec![16 * MIB, 64 * MIB],
        }
    }

    fn smoke() -> Self {
        Self { split: 5 * MB, single: 5 * MB, traps: 2 * MB, memory: vec![5 * MB], ..Self::quick() }
    }

    pub(crate) fn largest(&self) -> u64 {
        // A split holds the export, its lines once more and the archives; a run for memory the archives only, if it
        // is any good.
        let split = 3 * self.split;
        let memory = self.memory.iter().max().copied().unwrap_or(0);
        split.max(memory + memory / 2)
    }
}

impl Options {
    /// Not started by `cargo bench`: a small run that shows that the bench works.
    fn smoke(&self) -> bool {
        !self.bench
    }

    pub(crate) fn sizes(&self) -> Sizes {
        match self {
            Self { quick: true, .. } => Sizes::quick(),
            _ if self.smoke() => Sizes::smoke(),
            _ => Sizes::full(),
        }
    }

    pub(crate) fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick || self.smoke() { 1 } else { 3 })
    }

    pub(crate) fn wants(&self, part: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == part)
    }

    pub(crate) fn room(&self, bytes: u64) -> anyhow::Result<Room> {
        Room::new(self.folder.as_deref(), bytes)
    }
}
