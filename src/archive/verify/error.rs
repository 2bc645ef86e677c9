//! What is wrong with an archive. Only names that this worker gives to entries are told: others may be
//! anything.

use std::io;

/// Why an archive is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The machine's: the file could not be read. Try again.
    #[error("the archive could not be read ({kind})", kind = .0.kind())]
    Io(#[source] io::Error),
    /// Encrypted, and nothing to open it with.
    #[error("the archive is encrypted: name the file of an age identity (AGE-SECRET-KEY-1…)")]
    IdentityMissing,
    /// Encrypted to another recipient.
    #[error("the archive is encrypted to another recipient: none of the identities opens it")]
    IdentityWrong,
    /// The encryption is damaged.
    #[error("the encryption of the archive is damaged, or its end is missing")]
    Cipher,
    /// No zip, or a broken one.
    #[error("the archive is no whole zip of this worker: {0}")]
    Zip(&'static str),
    /// An entry that no archive has.
    #[error("entry {0} of the archive has a name that no archive of this worker has")]
    ForeignEntry(usize),
    /// One name, two entries.
    #[error("the archive holds {0} twice: expected once")]
    Repeated(&'static str),
    /// The last entry is another one.
    #[error("the last entry of the archive is not manifest.json")]
    ManifestNotLast,
    /// The manifest does not say what a manifest says.
    #[error("manifest.json is not as this version writes it: {0}")]
    Manifest(&'static str),
    /// In the manifest, not in the archive.
    #[error("the manifest lists {0}, and the archive does not hold it")]
    Missing(&'static str),
    /// In the archive, not in the manifest.
    #[error("the archive holds {0}, and the manifest does not list it")]
    Unlisted(&'static str),
    /// An entry that cannot be unpacked.
    #[error("{0} cannot be unpacked: its data or its checksum (CRC-32) is wrong")]
    Damaged(&'static str),
    /// An entry of another size.
    #[error("{entry} has {found} bytes: the manifest says {expected}")]
    Size {
        /// The entry.
        entry: &'static str,
        /// Bytes that it has.
        found: u64,
        /// Bytes that it should have.
        expected: u64,
    },
    /// An entry of another content.
    #[error("{entry} has the SHA-256 {found}: the manifest says {expected}")]
    Hash {
        /// The entry.
        entry: &'static str,
        /// The hash of its content, in lower-case hex.
        found: String,
        /// The hash that it should have.
        expected: String,
    },
    /// A record that is no JSON, or stands where none should.
    #[error("line {line} of {entry} is not as expected: {expected}")]
    Record {
        /// The entry.
        entry: &'static str,
        /// The line, from 1 on.
        line: u64,
        /// What should stand there.
        expected: &'static str,
    },
    /// More or fewer records than the manifest says.
    #[error("{entry} holds {found} records: the manifest says {expected}")]
    Count {
        /// The entry.
        entry: &'static str,
        /// Records in it.
        found: u64,
        /// Records that should be in it.
        expected: u64,
    },
}
