//! Many append-only files of lines, with bounded memory and one file open at a time.
//!
//! Lines are collected per pile. When all together exceed the budget, the largest piles are written
//! to disk until half of it is free.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::private_folder;

/// Bytes of lines that are kept in memory before some are written.
const BUDGET: usize = 16 * 1024 * 1024;

#[derive(Default)]
struct Pile {
    waiting: Vec<u8>,
    on_disk: bool,
}

/// Piles that are still growing, named by number.
pub(super) struct Piles {
    folder: PathBuf,
    all: Vec<Pile>,
    waiting: usize,
    budget: usize,
}

impl Piles {
    /// `count` piles, all empty, in `folder`.
    pub(super) fn new(folder: &Path, count: usize) -> Self {
        Self::with_budget(folder, count, BUDGET)
    }

    fn with_budget(folder: &Path, count: usize, budget: usize) -> Self {
        let all = std::iter::repeat_with(Pile::default).take(count).collect();
        Self { folder: folder.to_owned(), all, waiting: 0, budget }
    }

    /// Adds a line, given without its line break. `pile` is below the count.
    pub(super) fn add(&mut self, pile: usize, line: &[u8]) -> io::Result<()> {
        let Some(pile) = self.all.get_mut(pile) else {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        };
        pile.waiting.extend_from_slice(line);
        pile.waiting.push(b'\n');
        self.waiting += line.len() + 1;
        if self.waiting > self.budget { self.make_room(self.budget / 2) } else { Ok(()) }
    }

    /// Writes what still waits. Afterwards [`path`] leads to every pile that has lines.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.make_room(0)
    }

    fn make_room(&mut self, target: usize) -> io::Result<()> {
        let mut order: Vec<usize> = (0..self.all.len()).collect();
        order.sort_by_key(|&n| {
            std::cmp::Reverse(self.all.get(n).map_or(0, |pile| pile.waiting.len()))
        });
        for number in order {
            if self.waiting <= target {
                break;
            }
            let path = path(&self.folder, number);
            if let Some(pile) = self.all.get_mut(number) {
                self.waiting = self.waiting.saturating_sub(pile.waiting.len());
                pile.write(&path)?;
            }
        }
        Ok(())
    }
}

impl Pile {
    fn write(&mut self, path: &Path) -> io::Result<()> {
        let mut file = if self.on_disk {
            OpenOptions::new().append(true).open(path)?
        } else {
            private_folder::create(path)?
        };
        self.on_disk = true;
        // Taking the buffer frees it: capacity that stayed behind would escape the budget.
        file.write_all(&std::mem::take(&mut self.waiting))
    }
}

/// Where a pile's lines are after [`Piles::finish`]; there is no file for a pile without lines.
pub(super) fn path(folder: &Path, pile: usize) -> PathBuf {
    folder.join(pile.to_string())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn lines_of_each_pile_stay_in_order_whatever_the_budget() {
        for budget in [0, 10, 1_000_000] {
            let home = tempfile::tempdir().unwrap();
            let mut piles = Piles::with_budget(home.path(), 4, budget);
            for n in 0..30 {
                piles.add(n % 3, n.to_string().as_bytes()).unwrap();
                assert!(piles.waiting <= budget);
            }
            piles.finish().unwrap();
            for pile in 0..3 {
                let text = fs::read_to_string(path(home.path(), pile)).unwrap();
                let expected: Vec<_> = (0..10).map(|n| (n * 3 + pile).to_string()).collect();
                assert_eq!(text.lines().collect::<Vec<_>>(), expected);
                assert!(text.ends_with('\n'));
            }
            assert!(!path(home.path(), 3).exists());
        }
    }
}
