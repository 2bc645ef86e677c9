//! Inflates the stream of an export and checks its text.
//!
//! With another thread at hand, two passes share the work: that thread hashes the text, this one looks at
//! everything else, and each inflates the stream for itself. To inflate twice takes less time than to bring the
//! text from the cache of one core into that of another.

use std::{
    io::{self, Read, SeekFrom},
    sync::{
        Arc,
        mpsc::{self, Receiver},
    },
    thread,
};

use crc32fast::Hasher as Crc32;
use sha2::{Digest, Sha256};

use super::{inflate::Pass, lines::Counter};
use crate::archive::{
    deflated::DeflatedFacts,
    limits::{Limits, RATIO_FROM},
    open::{Export, Sole},
};

/// Bytes of the stream that are read at a time.
const PART: usize = 64 * 1024;
/// Parts that wait for the other thread.
const QUEUE: usize = 16;

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

/// A part of the stream.
type Part = Arc<[u8]>;

/// Checks the stream; with `threads`, one of them helps.
pub(super) fn check(
    export: &mut impl Export,
    sole: &Sole,
    limits: &Limits,
    threads: usize,
) -> Result<Checked, Refused> {
    if threads == 0 {
        let mut hash = Sha256::new();
        let looked = look(export, sole, limits, |_| Ok(()), |text| hash.update(text))?;
        return Ok(looked.with(sole, hash.finalize().into()));
    }
    thread::scope(|scope| {
        let (sender, parts) = mpsc::sync_channel::<Part>(QUEUE);
        let hash = scope.spawn(move || hash(&parts));
        let hand_over = |part: &[u8]| sender.send(part.into()).map_err(|_| Refused::Content);
        let looked = look(export, sole, limits, hand_over, |_| ());
        drop(sender);
        // A thread that panicked has hashed nothing.
        let sha256 = hash.join().map_err(|_| Refused::Content)?;
        Ok(looked?.with(sole, sha256?))
    })
}

/// SHA-256 of the text of a stream that comes in `parts`.
fn hash(parts: &Receiver<Part>) -> Result<[u8; 32], Refused> {
    let (mut pass, mut hash) = (Pass::new(), Sha256::new());
    for part in parts {
        pass.feed(&part, &mut |_, _, text| {
            hash.update(text);
            Ok(())
        })?;
    }
    pass.finish()?;
    Ok(hash.finalize().into())
}

/// What is known of a stream besides the SHA-256 of its text.
struct Looked {
    bytes: u64,
    events: u64,
    packed_crc: u32,
}

impl Looked {
    fn with(self, sole: &Sole, sha256: [u8; 32]) -> Checked {
        let Self { bytes, events, packed_crc } = self;
        let Sole { packed_bytes, crc32, .. } = *sole;
        let facts = DeflatedFacts { bytes, packed_bytes, crc32, sha256 };
        Checked { facts, events, packed_crc }
    }
}

/// Reads the stream and looks at everything but the SHA-256 of its text. Each part of the stream goes to `hand_over`,
/// and then its text to `hash`.
fn look(
    export: &mut impl Export,
    sole: &Sole,
    limits: &Limits,
    hand_over: impl Fn(&[u8]) -> Result<(), Refused>,
    mut hash: impl FnMut(&[u8]),
) -> Result<Looked, Refused> {
    export.seek(SeekFrom::Start(sole.offset))?;
    let (mut pass, mut counter) = (Pass::new(), Counter::new(limits.record_bytes));
    let (mut crc, mut packed_crc) = (Crc32::new(), Crc32::new());
    let mut left = sole.packed_bytes;
    let mut buffer = vec![0; PART];
    while left > 0 {
        let most = usize::try_from(left).map_or(PART, |left| left.min(PART));
        let packed = read(export, buffer.get_mut(..most).unwrap_or_default())?;
        left -= packed.len() as u64;
        packed_crc.update(packed);
        hand_over(packed)?;
        pass.feed(packed, &mut |taken, given, chunk| {
            keep_within(limits, taken, given)?;
            hash(chunk);
            crc.update(chunk);
            counter.take(chunk)
        })?;
    }
    let bytes = pass.finish()?;
    if crc.finalize() != sole.crc32 || !sole.bytes.agrees(bytes) {
        return Err(Refused::Content);
    }
    Ok(Looked { bytes, events: counter.finish()?, packed_crc: packed_crc.finalize() })
}

/// Reads some bytes; that there are none is refused.
fn read<'b>(export: &mut impl Read, buffer: &'b mut [u8]) -> Result<&'b [u8], Refused> {
    loop {
        match export.read(buffer) {
            Ok(0) => return Err(Refused::Content),
            Ok(n) => return Ok(buffer.get(..n).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// `packed` bytes may have become `text` bytes.
fn keep_within(limits: &Limits, packed: u64, text: u64) -> Result<(), Refused> {
    let bomb = text > RATIO_FROM && text > packed.max(1).saturating_mul(limits.ratio);
    if text > limits.unpacked_bytes || bomb { Err(Refused::Content) } else { Ok(()) }
}
