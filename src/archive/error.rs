//! Why an export could not be packaged, and what helps.
//!
//! No error carries content, names or paths of the export: they are logged and shown to operators.

use std::io;

use super::{limits::Limit, spool::NoRoom, store::StoreError};

/// Why there are no archives. Nothing of a failed run is visible in the store, except for archives
/// of the same batch that were already finished; packaging again replaces them.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// Ours: the password is absent or not the right one. Hold until the setting is right.
    #[error("the export is sealed: {0}")]
    Sealed(Seal),
    /// The vendor's or the network's: fetch the export once more, then hold.
    #[error("the export cannot be read: {0}")]
    Corrupt(Fault),
    /// Beyond what this worker unpacks. Hold: trying again changes nothing.
    #[error("the export exceeds a limit: {0}")]
    Limit(Limit),
    /// Records went missing between reading and packaging. A defect; hold.
    #[error(
        "the counts do not balance: {read} records read, {given} given to people, {quarantined} quarantined"
    )]
    Unbalanced {
        /// Records found in the export.
        read: u64,
        /// Records that reached at least one request.
        given: u64,
        /// Records that belong to nobody with certainty.
        quarantined: u64,
    },
    /// The caller's: two entries of the batch name the same request. A defect; hold.
    #[error("the batch names the same request twice: expected one entry per request")]
    RepeatedRequest,
    /// The machine's: the export file could not be read from disk. Retry.
    #[error("reading the export file failed ({kind})", kind = .0.kind())]
    Export(#[source] io::Error),
    /// The machine's: the spool folder could not be written or read. Retry when it has room.
    #[error("the spool folder failed ({}): check that it exists and has room", cause(.0))]
    Spool(#[source] io::Error),
    /// The machine's: the archive could not be stored. Retry when the store has room.
    #[error("the archive store failed ({}): check that it exists and has room", cause(.0))]
    Store(#[source] io::Error),
}

impl PackageError {
    /// Whether the same call may succeed later without anybody changing the export or a setting.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Export(_) | Self::Spool(_) | Self::Store(_))
    }

    /// What an error met while reading the export means: one of our limits, the disk, or the data.
    pub(super) fn reading(error: io::Error) -> Self {
        if let Some(limit) = error.get_ref().and_then(|inner| inner.downcast_ref::<Limit>()) {
            return Self::Limit(*limit);
        }
        if error.raw_os_error().is_some() {
            return Self::Export(error);
        }
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Corrupt(Fault::Truncated),
            _ => Self::Corrupt(Fault::Damaged),
        }
    }
}

/// What an error of a folder or a bucket says that is safe to tell: our own words, else its kind.
fn cause(error: &io::Error) -> String {
    let inner = error.get_ref();
    let store = inner.and_then(|inner| inner.downcast_ref::<StoreError>()).map(ToString::to_string);
    let room = || inner.and_then(|inner| inner.downcast_ref::<NoRoom>()).map(ToString::to_string);
    store.or_else(room).unwrap_or_else(|| error.kind().to_string())
}

/// What is wrong with the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Seal {
    /// None is configured.
    #[error("it needs a password and none is set; set MIXPANEL_EXPORT_PASSWORD")]
    Missing,
    /// The one that is configured does not open it.
    #[error("the password in MIXPANEL_EXPORT_PASSWORD does not open it")]
    Wrong,
}

/// What is wrong with the export's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It ends too early.
    #[error("it ends before its data does")]
    Truncated,
    /// A checksum, a header or the compressed data is wrong.
    #[error("its packing is damaged (checksum, header or compressed data)")]
    Damaged,
    /// A packing that this version does not know.
    #[error(
        "a packing that this version cannot read; it reads gzip, zstd, and zip that is stored, \
         deflated or (unsealed) zstd, in one part"
    )]
    Unsupported,
    /// The zip's entries share bytes, or bytes between them belong to none.
    #[error("its zip is inconsistent: entries share bytes, or leave some that belong to no entry")]
    Inconsistent,
    /// None of the known formats.
    #[error(
        "unknown format; expected zip, gzip, zstd, NDJSON, a JSON array or CSV with an id column"
    )]
    UnknownFormat,
    /// A text of two bytes a character.
    #[error("its text is UTF-16 or UTF-32; expected UTF-8")]
    NotUtf8,
    /// The JSON array or the objects around the records are broken.
    #[error("the JSON around its records is broken")]
    Malformed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_inside_an_io_error_is_found_again() {
        let error = PackageError::reading(io::Error::other(Limit::Nesting));
        assert!(matches!(error, PackageError::Limit(Limit::Nesting)));
    }

    #[test]
    fn a_disk_error_may_pass_and_a_damaged_export_does_not() {
        let disk = PackageError::reading(io::Error::from_raw_os_error(5));
        assert!(matches!(disk, PackageError::Export(_)) && disk.may_pass());
        let data = PackageError::reading(io::Error::from(io::ErrorKind::InvalidData));
        assert!(matches!(data, PackageError::Corrupt(Fault::Damaged)) && !data.may_pass());
    }

    #[test]
    fn what_the_store_or_the_spool_said_is_not_hidden() {
        let error = PackageError::Store(StoreError::NoBucket.into());
        assert!(error.to_string().contains(&StoreError::NoBucket.to_string()), "{error}");
        let full = NoRoom::Quota { used: 1, most: 2, wanted: 3 };
        let error = PackageError::Spool(full.into());
        assert!(error.to_string().contains(&full.to_string()), "{error}");
    }

    #[test]
    fn a_full_disk_is_named_as_such() {
        let full = PackageError::Spool(io::Error::from(io::ErrorKind::StorageFull));
        assert!(full.to_string().contains(&io::ErrorKind::StorageFull.to_string()));
    }
}
