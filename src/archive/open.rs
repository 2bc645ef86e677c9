//! Opens an export: every text in it, whatever it is packed in.
//!
//! Entries of a zip are read as streams and never extracted; their names are not looked at. Two
//! entries of the same name are both read, and the list of entries is walked, not loaded.

use std::{
    fs::File,
    io::{BufRead, BufReader, Cursor, Read, Seek},
    path::Path,
};

use flate2::bufread::MultiGzDecoder;
use secrecy::{ExposeSecret, SecretString};
// The iterator is marked unstable in the zip crate: its name may change, which this file alone sees.
use zip::{
    ZipReadOptions,
    read::{Config, ZipFileEntry},
    result::ZipError,
    unstable::read::ZipIterable,
};

use super::{
    error::{Fault, PackageError, Seal},
    limits::{Limit, Limits},
    meter::{Counted, Mark, Meter},
    sniff::{self, PACKING_BYTES, Packing},
};

/// Receives each text of an export, one after the other.
pub(super) type TextSink<'s> = dyn FnMut(&mut dyn BufRead) -> Result<(), PackageError> + 's;

type Source = Counted<BufReader<File>>;

const CHUNK: usize = 64 * 1024;

/// Hands every text of the file at `export` to `sink`, unpacked. `password` is used for the
/// entries that need one.
pub(super) fn each_text(
    export: &Path,
    password: Option<&SecretString>,
    limits: &Limits,
    sink: &mut TextSink<'_>,
) -> Result<(), PackageError> {
    let file = File::open(export).map_err(PackageError::Export)?;
    let (meter, mut source) = Meter::new(limits, BufReader::with_capacity(CHUNK, file));
    let head = sniff::peek(&mut source, PACKING_BYTES).map_err(PackageError::reading)?;
    source.rewind().map_err(PackageError::Export)?;
    match sniff::packing(&head) {
        Packing::Zip => each_entry(source, password, &meter, sink),
        Packing::Gzip | Packing::Plain => {
            let mark = meter.mark();
            unpack(source, &meter, mark, sink)
        }
    }
}

fn each_entry(
    source: Source,
    password: Option<&SecretString>,
    meter: &Meter<'_>,
    sink: &mut TextSink<'_>,
) -> Result<(), PackageError> {
    let mut zip = ZipIterable::try_new(source, Config::default()).map_err(fault)?;
    let most = meter.limits().entries;
    if zip.len() as u64 > most {
        return Err(PackageError::Limit(Limit::Entries(most)));
    }
    let entries = zip.files().map_err(fault)?;
    // ZipCrypto takes one wrong password in 256 for right; a whole entry read proves it.
    let mut proven = false;
    while let Some(entry) = entries.next() {
        let entry = entry.map_err(fault)?;
        let sealed = entry.encrypted();
        match read_entry(entry, entries.reader_mut(), password, meter, sink) {
            Err(PackageError::Corrupt(_)) if sealed && !proven => {
                return Err(PackageError::Sealed(Seal::Wrong));
            }
            outcome => outcome?,
        }
        proven |= sealed;
    }
    Ok(())
}

fn read_entry(
    entry: ZipFileEntry<'static>,
    source: &mut Source,
    password: Option<&SecretString>,
    meter: &Meter<'_>,
    sink: &mut TextSink<'_>,
) -> Result<(), PackageError> {
    // A name alone does not make it a folder: what has content is read.
    if entry.is_dir() && entry.compressed_size() == 0 {
        return Ok(());
    }
    if entry.encrypted() && password.is_none() {
        return Err(PackageError::Sealed(Seal::Missing));
    }
    let options = ZipReadOptions::new().password(password.map(|p| p.expose_secret().as_bytes()));
    let mark = meter.mark();
    let content = entry.with_reader(source, options).map_err(fault)?;
    unpack(content, meter, mark, sink)
}

/// Undoes one layer of gzip, if there is one. Whoever reads the text finds out whether it is
/// packed once more.
fn unpack(
    packed: impl Read,
    meter: &Meter<'_>,
    mark: Mark,
    sink: &mut TextSink<'_>,
) -> Result<(), PackageError> {
    let mut packed = BufReader::with_capacity(CHUNK, packed);
    let head = sniff::peek(&mut packed, PACKING_BYTES).map_err(PackageError::reading)?;
    let packing = sniff::packing(&head);
    let whole = Cursor::new(head).chain(packed);
    let text: Box<dyn Read + '_> = match packing {
        Packing::Gzip => Box::new(MultiGzDecoder::new(whole)),
        Packing::Zip | Packing::Plain => Box::new(whole),
    };
    sink(&mut BufReader::with_capacity(CHUNK, meter.guard(text, mark)))
}

fn fault(error: ZipError) -> PackageError {
    match error {
        ZipError::Io(error) => PackageError::reading(error),
        ZipError::InvalidPassword => PackageError::Sealed(Seal::Wrong),
        ZipError::UnsupportedArchive(_) | ZipError::CompressionMethodNotSupported(_) => {
            PackageError::Corrupt(Fault::Unsupported)
        }
        _ => PackageError::Corrupt(Fault::Damaged),
    }
}
