//! Inflates the stream of an export once, and checks it on several threads.
//!
//! This thread inflates and cuts the text into chunks of whole lines. One thread hashes all of them; the
//! others check the JSON of every n-th. Queues are short, so memory is a few chunks.

use std::{
    io::{self, BufRead, BufReader, Read, SeekFrom},
    sync::{
        Arc,
        mpsc::{self, Receiver, SyncSender},
    },
    thread,
};

use crc32fast::Hasher as Crc32;
use flate2::{Decompress, FlushDecompress, Status};
use serde::de::IgnoredAny;
use sha2::{Digest, Sha256};

use crate::archive::{
    deflated::DeflatedFacts,
    limits::{Limits, RATIO_FROM},
    open::Export,
    open::Sole,
};

/// Bytes that are inflated at a time: they stay in the cache of a core.
const CHUNK: usize = 256 * 1024;
const SOURCE: usize = 64 * 1024;
/// Chunks that wait for a thread.
const QUEUE: usize = 4;
/// Longer lines are left to the ordinary path, so that chunks stay short.
const LONGEST_LINE: usize = 1024 * 1024;
/// How every line begins.
const EVENT: &[u8] = b"{\"event\"";

/// A stream that is what it claims.
pub(super) struct Checked {
    pub(super) facts: DeflatedFacts,
    pub(super) events: u64,
    /// CRC-32 of the stream itself.
    pub(super) packed_crc: u32,
}

/// Why a stream is not wrapped.
pub(super) enum Refused {
    /// It is not as it should be.
    Content,
    /// The file could not be read.
    Disk(io::Error),
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        if error.raw_os_error().is_some() { Self::Disk(error) } else { Self::Content }
    }
}

type Chunk = Arc<Vec<u8>>;

/// Checks the stream. `threads` work besides this one, two at least.
pub(super) fn check(
    export: &mut impl Export,
    sole: &Sole,
    limits: &Limits,
    threads: usize,
) -> Result<Checked, Refused> {
    thread::scope(|scope| {
        let (to_hash, chunks) = mpsc::sync_channel(QUEUE);
        let hash = scope.spawn(move || hash(&chunks));
        let longest = limits.record_bytes;
        let (to_count, counts): (Vec<_>, Vec<_>) = (1..threads.max(2))
            .map(|_| {
                let (sender, chunks) = mpsc::sync_channel(QUEUE);
                (sender, scope.spawn(move || count(&chunks, longest)))
            })
            .unzip();
        let streamed = stream(export, sole, limits, &to_hash, &to_count);
        drop((to_hash, to_count));
        // A thread that panicked has checked nothing.
        let sha256 = hash.join().map_err(|_| Refused::Content)?;
        let mut events = 0;
        for count in counts {
            events += count.join().ok().flatten().ok_or(Refused::Content)?;
        }
        let Streamed { bytes, packed_crc } = streamed?;
        if events == 0 {
            return Err(Refused::Content);
        }
        let Sole { packed_bytes, crc32, .. } = *sole;
        Ok(Checked {
            facts: DeflatedFacts { bytes, packed_bytes, crc32, sha256 },
            events,
            packed_crc,
        })
    })
}

fn hash(chunks: &Receiver<Chunk>) -> [u8; 32] {
    let mut hash = Sha256::new();
    for chunk in chunks {
        hash.update(chunk.as_slice());
    }
    hash.finalize().into()
}

/// The events in all chunks; `None`, at once, if a line is something else.
fn count(chunks: &Receiver<Chunk>, longest: u64) -> Option<u64> {
    chunks.iter().try_fold(0, |events, chunk| Some(events + count_lines(&chunk, longest)?))
}

/// The lines of a chunk, if each of them is one event: a JSON object from its first byte to its last.
fn count_lines(chunk: &[u8], longest: u64) -> Option<u64> {
    let text = std::str::from_utf8(chunk).ok()?;
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    let (mut lines, mut start) = (0, 0);
    while chunk.get(start..)?.starts_with(EVENT) {
        values.next()?.ok()?;
        let end = values.byte_offset();
        if chunk.get(end) != Some(&b'\n') || (end - start) as u64 > longest {
            return None;
        }
        lines += 1;
        start = end + 1;
    }
    // An object over several lines has more line breaks than ends.
    #[expect(clippy::naive_bytecount, reason = "it is vectorized and costs little beside the rest")]
    let breaks = chunk.iter().filter(|&&byte| byte == b'\n').count() as u64;
    (start == chunk.len() && breaks == lines).then_some(lines)
}

/// What inflating found.
struct Streamed {
    bytes: u64,
    packed_crc: u32,
}

fn stream(
    export: &mut impl Export,
    sole: &Sole,
    limits: &Limits,
    to_hash: &SyncSender<Chunk>,
    to_count: &[SyncSender<Chunk>],
) -> Result<Streamed, Refused> {
    export.seek(SeekFrom::Start(sole.offset))?;
    let source = BufReader::with_capacity(SOURCE, export.take(sole.packed_bytes));
    let mut stream =
        Stream { source, inflate: Decompress::new(false), packed_crc: Crc32::new(), ended: false };
    let mut crc = Crc32::new();
    let mut rest = Vec::new();
    let mut counters = to_count.iter().cycle();
    while !stream.ended {
        let mut chunk = rest;
        let carried = chunk.len();
        stream.fill(&mut chunk)?;
        crc.update(chunk.get(carried..).unwrap_or_default());
        stream.check(limits)?;
        let whole = chunk.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        rest = chunk.split_off(whole);
        if rest.len() > LONGEST_LINE {
            return Err(Refused::Content);
        }
        if !chunk.is_empty() {
            let chunk = Arc::new(chunk);
            let counter = counters.next().ok_or(Refused::Content)?;
            to_hash.send(Arc::clone(&chunk)).map_err(|_| Refused::Content)?;
            counter.send(chunk).map_err(|_| Refused::Content)?;
        }
    }
    let bytes = stream.inflate.total_out();
    let holds = rest.is_empty()
        && stream.inflate.total_in() == sole.packed_bytes
        && crc.finalize() == sole.crc32
        && sole.bytes.agrees(bytes);
    if !holds {
        return Err(Refused::Content);
    }
    Ok(Streamed { bytes, packed_crc: stream.packed_crc.finalize() })
}

/// The deflate stream while it is read.
struct Stream<R> {
    source: BufReader<R>,
    inflate: Decompress,
    packed_crc: Crc32,
    ended: bool,
}

impl<R: Read> Stream<R> {
    /// Adds the next [`CHUNK`] bytes of text to `chunk`, or what is left of it.
    fn fill(&mut self, chunk: &mut Vec<u8>) -> Result<(), Refused> {
        let mut filled = chunk.len();
        chunk.resize(filled + CHUNK, 0);
        while let Some(space) = chunk.get_mut(filled..).filter(|space| !space.is_empty()) {
            let packed = match self.source.fill_buf() {
                Ok(packed) => packed,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            let before = (self.inflate.total_in(), self.inflate.total_out());
            let status = self
                .inflate
                .decompress(packed, space, FlushDecompress::None)
                .map_err(|_| Refused::Content)?;
            let taken = usize::try_from(self.inflate.total_in() - before.0).unwrap_or(usize::MAX);
            let given = usize::try_from(self.inflate.total_out() - before.1).unwrap_or(usize::MAX);
            self.packed_crc.update(packed.get(..taken).unwrap_or_default());
            self.source.consume(taken);
            filled += given;
            self.ended = status == Status::StreamEnd;
            if self.ended {
                break;
            }
            if taken == 0 && given == 0 {
                return Err(Refused::Content);
            }
        }
        chunk.truncate(filled);
        Ok(())
    }

    fn check(&self, limits: &Limits) -> Result<(), Refused> {
        let (packed, text) = (self.inflate.total_in(), self.inflate.total_out());
        let bomb = text > RATIO_FROM && text > packed.max(1).saturating_mul(limits.ratio);
        if text > limits.unpacked_bytes || bomb { Err(Refused::Content) } else { Ok(()) }
    }
}
