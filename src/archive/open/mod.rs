//! Opens an export: every record in it, whatever it is packed in.
//!
//! ```text
//! export ─▶ entries of a zip ─▶ gzip, zstd ─▶ text ─▶ records ─▶ sink
//!   counted   extents, content     window     guarded   lines, json, csv
//! ```
//!
//! What comes is told by its bytes (`sniff`). A zip's entries are read as streams and never
//! extracted; their names are not looked at. Around one text there is at most one layer of gzip or
//! zstd, in a zip or without one. Whatever the export claims, memory is bounded by the longest
//! record that is allowed, and every other limit holds while bytes stream (`meter`).
//!
//! Nothing is passed over in silence: an entry in no known format is one record that does not parse,
//! so it is counted and set aside like any other that is nobody's for certain.

mod entries;
mod gzip;
pub(in crate::archive) mod json_text;
mod meter;
pub(in crate::archive) mod plain_json;
mod records;
mod sniff;
pub(in crate::archive) mod sole;
mod window;
mod zstandard;

use std::{
    io::{BufReader, Cursor, Read, Seek},
    time::Instant,
};

use secrecy::SecretString;

pub(in crate::archive) use records::RecordSink;
pub(in crate::archive) use sole::{Sole, sole_deflate};

use crate::archive::{
    error::{Fault, PackageError, Seal},
    limits::{Limit, Limits},
    open::entries::Entry,
    open::gzip::Members,
    open::meter::{Counted, Mark, Meter, Stopwatch},
    open::records::Text,
    open::sniff::{Layout, Packing},
    open::window::Window,
    open::zstandard::Frames,
};

/// An export as it was fetched: a file, or a sealed one that is opened while it is read.
pub trait Export: Read + Seek + Send {}

impl<T: Read + Seek + Send> Export for T {}

type Source<'a, E> = Counted<'a, BufReader<E>>;

/// Bytes of the export that wait here. Whoever reads more at once gets it from the file without a copy between.
const CHUNK: usize = 64 * 1024;

/// Hands every record of `export` to `sink`, in order. `password` is used for the entries of a zip
/// that need one. Blocks.
///
/// What the sink was given counts only if this succeeds: damage is often found at the very end.
pub(in crate::archive) fn each_record(
    export: impl Export,
    password: Option<&SecretString>,
    limits: &Limits,
    sink: &mut RecordSink<'_>,
) -> Result<(), PackageError> {
    let begun = Instant::now();
    each_record_by(&|| begun.elapsed(), export, password, limits, sink)
}

/// [`each_record`] by a given clock, which tells how long it has taken so far.
pub(in crate::archive) fn each_record_by(
    elapsed: Stopwatch<'_>,
    export: impl Export,
    password: Option<&SecretString>,
    limits: &Limits,
    sink: &mut RecordSink<'_>,
) -> Result<(), PackageError> {
    let source = BufReader::with_capacity(CHUNK, export);
    let (meter, mut source) = Meter::new(limits, elapsed, source);
    source.rewind().map_err(PackageError::Export)?;
    let head = sniff::peek(&mut source).map_err(PackageError::reading)?;
    source.rewind().map_err(PackageError::Export)?;
    let mut given = 0_u64;
    let mut sink = |record: &[u8]| {
        // A row of a CSV becomes a record with all names in it: what was unpacked does not bound what is given.
        given = given.saturating_add(record.len() as u64);
        if given > limits.unpacked_bytes {
            return Err(PackageError::Limit(Limit::Unpacked(limits.unpacked_bytes)));
        }
        sink(record)
    };
    let mut opening =
        Opening { meter: &meter, password, sink: &mut sink, formats: Formats::default() };
    if sniff::packing(&head) == Packing::Zip {
        opening.zip(source)?;
    } else {
        opening.unpack(source, meter.mark())?;
    }
    opening.formats.judge()
}

/// An export on its way from bytes to records.
struct Opening<'o, 'a, 's> {
    meter: &'o Meter<'a>,
    password: Option<&'o SecretString>,
    sink: &'o mut RecordSink<'s>,
    formats: Formats,
}

/// Which texts were met.
#[derive(Default)]
struct Formats {
    known: bool,
    unknown: bool,
    /// The entry at hand was readable, so the password that opened it is right.
    readable: bool,
}

impl Formats {
    /// An export of which nothing was understood is not one of records that are nobody's.
    fn judge(&self) -> Result<(), PackageError> {
        if self.unknown && !self.known {
            return Err(PackageError::Corrupt(Fault::UnknownFormat));
        }
        Ok(())
    }
}

impl Opening<'_, '_, '_> {
    fn zip(&mut self, source: Source<'_, impl Export>) -> Result<(), PackageError> {
        // What tells a wrong password that a weak cipher let through from damage is content that
        // makes sense.
        let mut proven = false;
        let most = self.meter.limits().entries;
        entries::each(source, most, &mut |entry, source| {
            self.formats.readable = false;
            match self.entry(&entry, source) {
                Err(error)
                    if entry.is_weakly_sealed()
                        && !proven
                        && !self.formats.readable
                        && may_be_gibberish(&error) =>
                {
                    return Err(PackageError::Sealed(Seal::Wrong));
                }
                outcome => outcome?,
            }
            proven |= entry.is_weakly_sealed();
            Ok(())
        })
    }

    fn entry(
        &mut self,
        entry: &Entry,
        source: &mut Source<'_, impl Export>,
    ) -> Result<(), PackageError> {
        let mark = self.meter.mark();
        let content = entry.content(source, self.password)?;
        self.unpack(content, mark)
    }

    /// Undoes one layer of gzip or zstd, if there is one. What is below must be a text.
    fn unpack(&mut self, mut packed: impl Read, mark: Mark) -> Result<(), PackageError> {
        let head = sniff::peek(&mut packed).map_err(PackageError::reading)?;
        let packing = sniff::packing(&head);
        let whole = Cursor::new(head).chain(packed);
        match packing {
            Packing::Plain => self.text(&mut self.meter.guard(whole, mark)),
            Packing::Gzip => {
                let members = Members::new(Window::new(whole));
                self.text(&mut self.meter.guard(members, mark))
            }
            Packing::Zstd => {
                let frames = Frames::new(Window::new(whole)).map_err(PackageError::reading)?;
                self.text(&mut self.meter.guard(frames, mark))
            }
            Packing::Zip => Err(PackageError::Limit(Limit::Nesting)),
            Packing::Foreign => Err(PackageError::Corrupt(Fault::Unsupported)),
        }
    }

    fn text(&mut self, text: &mut dyn Read) -> Result<(), PackageError> {
        let text = Text::sniff(text, self.meter.limits())?;
        match text.layout() {
            Layout::Empty => {}
            Layout::Unknown => self.formats.unknown = true,
            _ => {
                self.formats.known = true;
                self.formats.readable = text.is_readable();
            }
        }
        text.each_record(self.sink)
    }
}

/// Whether reading what a wrong key makes may end so.
fn may_be_gibberish(error: &PackageError) -> bool {
    match error {
        PackageError::Corrupt(fault) => *fault != Fault::Unsupported,
        PackageError::Limit(limit) => *limit == Limit::Nesting,
        _ => false,
    }
}
