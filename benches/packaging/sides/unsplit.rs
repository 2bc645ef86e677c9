//! The least that any writer of a zip has to do: one entry, level 6 of the same deflate library, nothing looked at.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Read, Write as _},
};

use anyhow::Context;
use flate2::read::MultiGzDecoder;
use serde_json::{Value, json};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use crate::{options::Side, sides::with_peak};

const CHUNK: usize = 64 * 1024;

/// One zip of the whole export.
pub(super) fn run(side: &Side) -> anyhow::Result<Value> {
    let export = File::open(&side.export).context("opening the export")?;
    write(side, BufReader::with_capacity(CHUNK, export))
}

/// The same from a gzip: inflate, and deflate again.
pub(super) fn recompress(side: &Side) -> anyhow::Result<Value> {
    let export = File::open(&side.export).context("opening the export")?;
    write(side, MultiGzDecoder::new(BufReader::with_capacity(CHUNK, export)))
}

fn write(side: &Side, mut export: impl Read) -> anyhow::Result<Value> {
    let out = File::create(side.out.join("unsplit.zip")).context("making the zip")?;
    let mut zip = ZipWriter::new(BufWriter::with_capacity(CHUNK, out));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(6))
        .large_file(true);
    zip.start_file("events.ndjson", options)?;
    let mut chunk = vec![0; CHUNK];
    let mut bytes = 0_u64;
    loop {
        let n = match export.read(&mut chunk) {
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error).context("reading the export"),
        };
        if n == 0 {
            break;
        }
        zip.write_all(chunk.get(..n).unwrap_or_default())?;
        bytes += n as u64;
    }
    zip.finish()?.flush()?;
    with_peak(json!({ "unpacked": bytes }))
}
