//! A made-up export: NDJSON as Mixpanel writes it, of any size, from a seed.
//!
//! The same [`Recipe`] gives the same bytes. Who a line is about is drawn at random with Zipf weights (s = 1), line by
//! line, which is the worst order for a split. Lines go to the file as they are made, so a big export needs no memory.

mod people;
mod random;
mod record;
mod trap;

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::Context;

pub(crate) use people::{Subject, people};
use random::{Random, Zipf};

/// What an export is made from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recipe {
    /// Size in bytes, exceeded by less than a line.
    pub(crate) bytes: u64,
    /// People in it.
    pub(crate) people: usize,
    /// Of a thousand lines, so many are profiles.
    pub(crate) profiles: u64,
    /// Of a thousand lines, so many are awkward.
    pub(crate) traps: u64,
    /// Another seed, another export.
    pub(crate) seed: u64,
}

/// An export on disk, with the people that it is for. Both files go when it is dropped.
pub(crate) struct Export {
    pub(crate) path: PathBuf,
    pub(crate) people: PathBuf,
    pub(crate) count: usize,
    pub(crate) bytes: u64,
}

impl Export {
    /// Writes the export and its list of people into `folder`.
    pub(crate) fn make(folder: &Path, recipe: Recipe) -> anyhow::Result<Self> {
        let people = people(recipe.people);
        let name = format!("export-{}-{}", recipe.bytes, recipe.people);
        let mut export = Self {
            path: folder.join(format!("{name}.ndjson")),
            people: folder.join(format!("{name}.people.json")),
            count: recipe.people,
            bytes: 0,
        };
        std::fs::write(&export.people, serde_json::to_vec(&people)?)
            .context("writing the people")?;
        let file = File::create(&export.path).context("making the export")?;
        let mut out = BufWriter::with_capacity(1 << 20, file);
        export.bytes = lines(&mut out, &people, recipe).context("writing the export")?;
        out.flush().context("writing the export")?;
        Ok(export)
    }

    /// Leaves the files where they are, and tells where the export is.
    pub(crate) fn keep(self) -> PathBuf {
        std::mem::ManuallyDrop::new(self).path.clone()
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        for path in [&self.path, &self.people] {
            let _ = std::fs::remove_file(path);
        }
    }
}

fn lines(out: &mut impl Write, people: &[Subject], recipe: Recipe) -> std::io::Result<u64> {
    let mut random = Random::new(recipe.seed);
    let zipf = Zipf::new(people.len());
    let mut line = Vec::with_capacity(64 * 1024);
    let mut written = 0;
    let mut number = 0;
    while written < recipe.bytes {
        line.clear();
        number += 1;
        let who = zipf.draw(&mut random);
        if random.below(1000) < recipe.traps {
            trap::write(&mut line, people, who, number, &mut random)?;
        } else if let Some(subject) = people.get(who) {
            if random.below(1000) < recipe.profiles {
                record::profile(&mut line, subject, number, &mut random)?;
            } else {
                record::event(&mut line, subject, number, &mut random)?;
            }
        }
        line.push(b'\n');
        out.write_all(&line)?;
        written += line.len() as u64;
    }
    Ok(written)
}
