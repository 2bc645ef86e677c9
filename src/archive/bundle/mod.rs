//! The archive of one request: a zip, encrypted if there is a recipient.
//!
//! ```text
//! README.txt  events.ndjson  profile.json  [unparsed.txt]  [events.csv]  manifest.json
//! ```
//! The same records and facts give the same zip: entries stand in a fixed order, carry the time of the
//! export instead of the clock's, and what is compressed here is compressed at a fixed level. The texts of
//! records come deflated ([`Deflated`]) and are placed as they stand. An encrypted archive is the same zip,
//! streamed through the cipher: it never lies on disk in clear.

mod csv;
mod entries;
pub(in crate::archive) mod manifest;
mod readme;
pub(in crate::archive) mod shape;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
pub(in crate::archive) mod tests;

use std::io::Write;

use crate::archive::{
    bundle::{entries::Entries, readme::Extras},
    deflated::Deflated,
    deflater::Deflater,
    error::PackageError,
    package::{ArchiveOptions, BatchFacts, Outcome},
    split::people::Person,
};

/// Names of the entries, in their order.
pub(in crate::archive) mod names {
    pub(in crate::archive) const README: &str = "README.txt";
    pub(in crate::archive) const EVENTS: &str = "events.ndjson";
    pub(in crate::archive) const PROFILES: &str = "profile.json";
    pub(in crate::archive) const UNPARSED: &str = "unparsed.txt";
    pub(in crate::archive) const CSV: &str = "events.csv";
    pub(in crate::archive) const MANIFEST: &str = "manifest.json";
}

/// The texts of one request, each in the very bytes of its entry (see [`shape`]).
#[derive(Clone, Copy)]
pub(in crate::archive) struct Contents<'a> {
    /// Events, one a line.
    pub(in crate::archive) events: &'a dyn Deflated,
    /// Profiles, a JSON array.
    pub(in crate::archive) profiles: &'a dyn Deflated,
    /// What could not be read as JSON, one record a line. An empty text is left out.
    pub(in crate::archive) unparsed: Option<&'a dyn Deflated>,
}

/// Writes the archive of `person` to `out` as `options` want it; `deflater` is used for short texts. After an error, `out` holds no archive.
/// Errors: [`PackageError::Spool`] while reading a text, [`PackageError::Store`] while writing or encrypting.
pub(in crate::archive) fn write_archive(
    deflater: &mut Deflater,
    out: &mut dyn Write,
    options: &ArchiveOptions,
    batch: &BatchFacts,
    person: &Person,
    outcome: Outcome,
    contents: &Contents<'_>,
) -> Result<(), PackageError> {
    let Some(recipient) = &options.recipient else {
        return zip(deflater, out, options.csv, batch, person, outcome, contents);
    };
    let mut cipher = recipient.encrypt(out).map_err(PackageError::Store)?;
    zip(deflater, &mut cipher, options.csv, batch, person, outcome, contents)?;
    cipher.finish().map_err(PackageError::Store)?.flush().map_err(PackageError::Store)
}

fn zip(
    deflater: &mut Deflater,
    out: &mut dyn Write,
    csv: bool,
    batch: &BatchFacts,
    person: &Person,
    outcome: Outcome,
    contents: &Contents<'_>,
) -> Result<(), PackageError> {
    let unparsed = contents.unparsed.filter(|text| text.facts().bytes > 0);
    let extras = Extras { unparsed: unparsed.is_some(), csv };
    let readme = readme::readme(batch, person, outcome, extras);
    let mut entries = Entries::new(out, batch.exported_at, deflater);
    entries.write(names::README, readme.as_bytes())?;
    entries.place(names::EVENTS, contents.events)?;
    entries.place(names::PROFILES, contents.profiles)?;
    if let Some(unparsed) = unparsed {
        entries.place(names::UNPARSED, unparsed)?;
    }
    if csv {
        entries.deflate(names::CSV, |entry| csv::write(contents.events, entry))?;
    }
    let manifest = manifest::manifest(batch, person, outcome, entries.facts())
        .map_err(|error| PackageError::Store(error.into()))?;
    entries.write(names::MANIFEST, &manifest)?;
    entries.finish()
}
