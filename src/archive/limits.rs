//! How much of an export is unpacked before it is taken for an attack or an accident.

const MIB: u64 = 1024 * 1024;

/// Bounds on one export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Entries of the zip, folders included.
    pub entries: u64,
    /// Bytes of all texts together, unpacked.
    pub unpacked_bytes: u64,
    /// Unpacked bytes per packed byte of one text, over all its layers, measured while streaming.
    /// It holds from the first MiB of the text on: short texts may compress very well.
    pub ratio: u64,
    /// Bytes of one record.
    pub record_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries: 100_000,
            unpacked_bytes: 32 * 1024 * MIB,
            ratio: 200,
            record_bytes: 16 * MIB,
        }
    }
}

/// Where [`Limits::ratio`] begins to hold, in bytes of one text.
pub(super) const RATIO_FROM: u64 = MIB;

/// The limit that an export exceeds, with its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Limit {
    /// Too many entries in the zip.
    #[error("more than {0} entries")]
    Entries(u64),
    /// Too much data.
    #[error("more than {0} bytes unpacked")]
    Unpacked(u64),
    /// Compressed beyond what real data is.
    #[error("more than {0} unpacked bytes per packed byte")]
    Ratio(u64),
    /// One record is too long.
    #[error("a record of more than {0} bytes")]
    Record(u64),
    /// A zip or gzip inside a zip or gzip, more than a gzip in a zip.
    #[error("archives inside archives")]
    Nesting,
}
