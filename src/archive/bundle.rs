//! Writes the zip of one request from its piles.
//!
//! The same records and facts give the same bytes: entries stand in a fixed order, carry the time of
//! the export instead of the clock's, and are deflated at a fixed level. Data flows from the pile to
//! the zip in small pieces, and is hashed and counted on the way.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Seek, Write},
    path::Path,
};

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use zip::{CompressionMethod, ZipWriter, result::ZipError, write::SimpleFileOptions};

use super::{
    error::PackageError,
    manifest::{self, EntryFacts},
    package::{BatchFacts, Outcome},
    people::Person,
    readme,
};

/// From this many bytes on, an entry gets zip64 headers; below 4 GiB by enough for headers and for
/// data that does not compress.
const LARGE: u64 = 4_000_000_000;
const LEVEL: i64 = 6;
const CHUNK: usize = 64 * 1024;

/// The files that hold a request's lines; one that does not exist has none.
pub(super) struct Piles<'a> {
    pub(super) events: &'a Path,
    pub(super) profiles: &'a Path,
}

/// Writes the archive of `person` to `out`. Errors: [`PackageError::Spool`] while reading,
/// [`PackageError::Store`] while writing, [`PackageError::Mislaid`] if the piles hold another
/// number of records than the split counted.
pub(super) fn bundle<W: Write + Seek>(
    out: W,
    batch: &BatchFacts,
    person: &Person,
    outcome: Outcome,
    piles: &Piles<'_>,
) -> Result<W, PackageError> {
    let mut bundle = Bundle::new(out, batch.exported_at);
    let readme = readme::readme(batch, person, outcome);
    bundle.entry("README.txt", LARGE - 1, |entry| entry.write(readme.as_bytes()))?;
    bundle.pile("events.ndjson", piles.events, outcome.share.events, &LINES)?;
    bundle.pile("profile.json", piles.profiles, outcome.share.profiles, &ARRAY)?;
    let manifest = manifest::manifest(batch, person, outcome, &bundle.entries)
        .map_err(|error| PackageError::Store(error.into()))?;
    bundle.entry("manifest.json", LARGE - 1, |entry| entry.write(&manifest))?;
    bundle.zip.finish().map_err(storing)
}

/// How the lines of a pile are put together.
struct Shape {
    open: &'static [u8],
    between: &'static [u8],
    close: &'static [u8],
    /// Stands for all of it when there are no lines.
    none: &'static [u8],
}

const LINES: Shape = Shape { open: b"", between: b"\n", close: b"\n", none: b"" };
const ARRAY: Shape = Shape { open: b"[\n", between: b",\n", close: b"\n]\n", none: b"[]\n" };

struct Bundle<W: Write + Seek> {
    zip: ZipWriter<W>,
    options: SimpleFileOptions,
    entries: Vec<EntryFacts>,
}

impl<W: Write + Seek> Bundle<W> {
    fn new(out: W, time: DateTime<Utc>) -> Self {
        // A zip can hold the years 1980 to 2107; outside of them its own first day stands in.
        let time = zip::DateTime::try_from(time.naive_utc()).unwrap_or_default();
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(LEVEL))
            .last_modified_time(time)
            .unix_permissions(0o600);
        Self { zip: ZipWriter::new(out), options, entries: Vec::new() }
    }

    /// Adds an entry of about `size` bytes, written by `fill`.
    fn entry(
        &mut self,
        name: &'static str,
        size: u64,
        fill: impl FnOnce(&mut Entry<'_, W>) -> Result<(), PackageError>,
    ) -> Result<(), PackageError> {
        self.zip.start_file(name, self.options.large_file(size >= LARGE)).map_err(storing)?;
        let mut entry = Entry { zip: &mut self.zip, hash: Sha256::new(), bytes: 0 };
        fill(&mut entry)?;
        let facts = EntryFacts { name, bytes: entry.bytes, sha256: entry.hash.finalize().into() };
        self.entries.push(facts);
        Ok(())
    }

    /// Adds the lines of the file at `path`, of which there are `count`, in the given shape.
    fn pile(
        &mut self,
        name: &'static str,
        path: &Path,
        count: u64,
        shape: &Shape,
    ) -> Result<(), PackageError> {
        let file = match File::open(path) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(PackageError::Spool(error)),
        };
        let on_disk = file.as_ref().map_or(Ok(0), |f| f.metadata().map(|facts| facts.len()));
        // The array form adds a byte per line and a few around them.
        let size = on_disk.map_err(PackageError::Spool)?.saturating_add(count).saturating_add(8);
        self.entry(name, size, |entry| {
            let found = match file {
                Some(file) => entry.lines(BufReader::with_capacity(CHUNK, file), shape)?,
                None => entry.lines(io::empty(), shape)?,
            };
            if found == count {
                Ok(())
            } else {
                Err(PackageError::Mislaid { counted: count, found })
            }
        })
    }
}

struct Entry<'a, W: Write + Seek> {
    zip: &'a mut ZipWriter<W>,
    hash: Sha256,
    bytes: u64,
}

impl<W: Write + Seek> Entry<'_, W> {
    fn write(&mut self, data: &[u8]) -> Result<(), PackageError> {
        self.hash.update(data);
        self.bytes += data.len() as u64;
        self.zip.write_all(data).map_err(PackageError::Store)
    }

    /// Copies lines without holding one of them whole, and returns how many there were.
    fn lines(&mut self, mut pile: impl BufRead, shape: &Shape) -> Result<u64, PackageError> {
        let mut count = 0;
        let mut inside = false;
        loop {
            let chunk = pile.fill_buf().map_err(PackageError::Spool)?;
            if chunk.is_empty() {
                break;
            }
            for piece in chunk.split_inclusive(|&byte| byte == b'\n') {
                if !inside {
                    self.write(if count == 0 { shape.open } else { shape.between })?;
                    count += 1;
                }
                inside = !piece.ends_with(b"\n");
                self.write(piece.strip_suffix(b"\n").unwrap_or(piece))?;
            }
            let used = chunk.len();
            pile.consume(used);
        }
        self.write(if count == 0 { shape.none } else { shape.close })?;
        Ok(count)
    }
}

fn storing(error: ZipError) -> PackageError {
    PackageError::Store(error.into())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io::{Cursor, Read};

    use super::*;
    use crate::archive::split::Share;

    fn bundled(events: &str, profiles: &str, share: Share) -> Result<Vec<u8>, PackageError> {
        let batch = BatchFacts {
            project: "default".parse().unwrap(),
            tracking_id: "t1".to_owned(),
            regulation: gdpr_jobs::Regulation::Gdpr,
            disclosure: gdpr_jobs::Disclosure::Data,
            exported_at: DateTime::UNIX_EPOCH,
        };
        let person = Person {
            request: "r1".parse().unwrap(),
            ids: Vec::new(),
            received_at: DateTime::UNIX_EPOCH,
        };
        let home = tempfile::tempdir().unwrap();
        let paths = ["events", "profiles"].map(|name| home.path().join(name));
        for (path, text) in paths.iter().zip([events, profiles]) {
            if !text.is_empty() {
                std::fs::write(path, text).unwrap();
            }
        }
        let piles = Piles { events: &paths[0], profiles: &paths[1] };
        let outcome = Outcome { share, unattributed: false };
        bundle(Cursor::new(Vec::new()), &batch, &person, outcome, &piles).map(Cursor::into_inner)
    }

    fn entry(zip: Vec<u8>, name: &str) -> String {
        let mut archive = zip::ZipArchive::new(Cursor::new(zip)).unwrap();
        let mut text = String::new();
        archive.by_name(name).unwrap().read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn lines_longer_than_a_chunk_stay_whole() {
        let events = format!("{{\"a\":\"{}\"}}\n{{}}\n", "x".repeat(3 * CHUNK));
        let profiles = events.clone();
        let zip = bundled(&events, &profiles, Share { events: 2, profiles: 2 }).unwrap();
        assert_eq!(entry(zip.clone(), "events.ndjson"), events);
        let list: Vec<serde_json::Value> =
            serde_json::from_str(&entry(zip, "profile.json")).unwrap();
        assert_eq!(list.len(), 2);
    }

    #[test]
    fn a_pile_with_other_lines_than_were_counted_is_not_bundled() {
        for share in [Share { events: 1, profiles: 0 }, Share { events: 2, profiles: 1 }] {
            let outcome = bundled("{}\n{}\n", "", share);
            assert!(matches!(outcome, Err(PackageError::Mislaid { .. })), "{share:?}");
        }
    }

    #[test]
    fn a_time_that_no_zip_can_hold_does_not_stop_it() {
        let zip = bundled("", "", Share::default()).unwrap();
        assert_eq!(entry(zip, "profile.json"), "[]\n");
    }
}
