//! How much of an export is unpacked before it is taken for an attack or an accident.

use std::time::Duration;

const MIB: u64 = 1024 * 1024;

/// Bounds on one export. Sizes that headers claim are never believed: what counts is what comes out
/// of the decoders, while it comes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Entries of the zip, folders included.
    pub entries: u64,
    /// Bytes of all texts together, unpacked, and of all records that they give: those of a CSV are longer than its rows.
    pub unpacked_bytes: u64,
    /// Bytes of one text, unpacked.
    pub text_bytes: u64,
    /// Unpacked bytes per packed byte of one text, over all its layers, measured while streaming.
    /// It holds from the first MiB of the text on: short texts may compress very well.
    pub ratio: u64,
    /// Bytes of one record. The reader's memory is at most about twice that.
    pub record_bytes: u64,
    /// How long reading may take, with whatever is done with the records meanwhile.
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries: 100_000,
            unpacked_bytes: 32 * 1024 * MIB,
            text_bytes: 8 * 1024 * MIB,
            ratio: 200,
            record_bytes: 16 * MIB,
            // The largest export at a slow disk's 2 MiB/s takes four and a half hours.
            time: Duration::from_secs(6 * 60 * 60),
        }
    }
}

/// Where [`Limits::ratio`] begins to hold, in bytes of one text.
pub(super) const RATIO_FROM: u64 = MIB;

/// What a zstd frame may ask to be remembered, as a power of two: 8 MiB, which RFC 8878 recommends
/// that every decoder supports and every encoder stays within.
pub(super) const ZSTD_WINDOW_LOG: u32 = 23;

/// The limit that an export exceeds, with its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Limit {
    /// Too many entries in the zip.
    #[error("more than {0} entries")]
    Entries(u64),
    /// Too much data.
    #[error("more than {0} bytes unpacked")]
    Unpacked(u64),
    /// Too much data in one text.
    #[error("a text of more than {0} bytes")]
    Text(u64),
    /// Compressed beyond what real data is.
    #[error("more than {0} unpacked bytes per packed byte")]
    Ratio(u64),
    /// One record is too long.
    #[error("a record of more than {0} bytes")]
    Record(u64),
    /// An archive in an archive, except for one gzip or zstd in a zip.
    #[error("archives inside archives")]
    Nesting,
    /// A zstd frame wants more memory than any should.
    #[error("a zstd window of more than {0} bytes; pack it again without a long window")]
    Window(u64),
    /// Reading took too long.
    #[error("more than {} seconds of reading", .0.as_secs())]
    Time(Duration),
}
