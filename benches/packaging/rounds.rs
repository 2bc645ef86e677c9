//! Sides that take turns, so that a busy moment of the machine hits all of them.

use crate::{child::Run, measures::median};

type Action<'a> = Box<dyn FnMut() -> anyhow::Result<Run> + 'a>;

/// Several sides of one comparison.
#[derive(Default)]
pub(crate) struct Rounds<'a> {
    sides: Vec<(&'static str, Action<'a>, Vec<Run>)>,
}

impl<'a> Rounds<'a> {
    /// Adds a side; `run` is called once a round.
    pub(crate) fn side(
        &mut self,
        name: &'static str,
        run: impl FnMut() -> anyhow::Result<Run> + 'a,
    ) {
        self.sides.push((name, Box::new(run), Vec::new()));
    }

    /// Lets each side run `rounds` times, in turns.
    pub(crate) fn run(&mut self, rounds: usize) -> anyhow::Result<()> {
        for round in 1..=rounds {
            for (name, run, runs) in &mut self.sides {
                let done = run()?;
                eprintln!("round {round}: {name}: {:.2} s, {:.2} s of cores", done.wall, done.cpu);
                runs.push(done);
            }
        }
        Ok(())
    }

    /// All runs of a side.
    pub(crate) fn of(&self, side: &str) -> &[Run] {
        let found = self.sides.iter().find(|(name, ..)| *name == side);
        found.map_or(&[], |(_, _, runs)| runs)
    }

    /// How many times the time of `ours` the side `peer` took: the median of the rounds' ratios.
    pub(crate) fn speed(&self, ours: &str, peer: &str, of: fn(&Run) -> f64) -> f64 {
        let pairs = self.of(ours).iter().zip(self.of(peer));
        median(&pairs.map(|(ours, peer)| of(peer) / of(ours)).collect::<Vec<_>>())
    }
}

/// Time on the clock.
pub(crate) fn wall(run: &Run) -> f64 {
    run.wall
}

/// Time of the processors.
pub(crate) fn cpu(run: &Run) -> f64 {
    run.cpu
}
