//! How much the archives in a folder hold, next to one deflate stream for each of their entries.

use std::{
    fs::File,
    io::{self, BufReader, Write},
    path::Path,
};

use anyhow::Context;
use flate2::{Compression, write::DeflateEncoder};
use serde_json::{Value, json};
use zip::ZipArchive;

use crate::options::Side;

/// The entries that hold a person's records.
const ENTRIES: [&str; 2] = ["events.ndjson", "profile.json"];

/// Adds up, over all archives of `out/store`, the packed bytes of the records and what one level-6 stream per entry
/// takes for the same text.
pub(super) fn run(side: &Side) -> anyhow::Result<Value> {
    let (mut packed, mut one_stream, mut archives) = (0, 0, 0);
    for file in std::fs::read_dir(side.out.join("store")).context("listing the archives")? {
        let path = file?.path();
        if path.extension().is_some_and(|extension| extension == "zip") {
            let (ours, theirs) = weigh(&path)?;
            packed += ours;
            one_stream += theirs;
            archives += 1;
        }
    }
    Ok(json!({ "packed": packed, "one_stream": one_stream, "archives": archives }))
}

fn weigh(path: &Path) -> anyhow::Result<(u64, u64)> {
    let file = File::open(path).context("opening an archive")?;
    let mut archive = ZipArchive::new(BufReader::new(file)).context("reading an archive")?;
    let (mut packed, mut one_stream) = (0, 0);
    for name in ENTRIES {
        let mut entry = archive.by_name(name).context("an archive lacks an entry")?;
        packed += entry.compressed_size();
        let mut stream = DeflateEncoder::new(Counter(0), Compression::new(6));
        io::copy(&mut entry, &mut stream).context("reading an entry")?;
        one_stream += stream.finish()?.0;
    }
    Ok((packed, one_stream))
}

struct Counter(u64);

impl Write for Counter {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0 += data.len() as u64;
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
