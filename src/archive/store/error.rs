//! Why the store did not do what it was asked. No text holds a path, an address or a credential.

use std::{io, time::Duration};

use super::Provider;

/// Why the store cannot be used, or not for this.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A kind of store that this version does not have.
    #[error(
        "GDPR_ARCHIVE_URL has the scheme {0}: expected file:///absolute/path, \
         file://./relative/path, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix"
    )]
    Scheme(String),
    /// Not the address of a folder or bucket.
    #[error(
        "GDPR_ARCHIVE_URL is not the address of a store: expected file:///absolute/path, \
         file://./relative/path, a path, s3://bucket/prefix, gs://bucket/prefix or \
         az://container/prefix; names of buckets and prefixes consist of letters, digits, \
         '.', '_', '-' and '='"
    )]
    Address,
    /// The address carries more than an address.
    #[error(
        "GDPR_ARCHIVE_URL holds a user, a password, a port or a query (not shown): expected \
         only the names of bucket and prefix; put credentials and endpoint into {0}"
    )]
    Credentials(Provider),
    /// Other people can look into the folder, and it holds other things than archives.
    #[error(
        "the archive folder is open to others and holds other files: expected a folder of its own; \
         name an empty one in GDPR_ARCHIVE_URL or run chmod 700 on it"
    )]
    Shared,
    /// Another project keeps its archives there.
    #[error(
        "the archive store is project {0}'s: expected a folder or prefix of its own for each \
         project; set archive_url in the project's table of the file, or GDPR_ARCHIVE_URL"
    )]
    OtherProject(String),
    /// The location is not one of this store's.
    #[error(
        "the archive is not in the store of GDPR_ARCHIVE_URL: was the setting changed since it \
         was made? Remove the file by hand, or set the store back"
    )]
    Elsewhere,
    /// Nothing is at the location.
    #[error("the archive is not in the store: was it destroyed already, or removed by hand?")]
    Missing,
    /// No room.
    #[error("the archive store is full: make room or raise its quota; it is tried again")]
    Full,
    /// The file system failed otherwise.
    #[error("the archive folder failed ({kind})", kind = .0.kind())]
    Folder(#[source] io::Error),
    /// This store cannot hand out links.
    #[error(
        "this store gives no links: expected a bucket (s3://, gs://, az://) in GDPR_ARCHIVE_URL; \
         archives of a folder are copied from the location that the request names"
    )]
    NoLinks,
    /// A link cannot work for that long, or not that briefly.
    #[error("a link cannot work for {} s: expected 1 s to 7 days", .0.as_secs())]
    Lifetime(Duration),
    /// The settings of the bucket do not fit together.
    #[error(
        "the settings of the bucket cannot be used: found {found}, expected {provider}; \
         correct the environment and start again"
    )]
    Setting {
        /// Whose bucket it is.
        provider: Provider,
        /// What is there: names of variables, never values.
        found: String,
    },
    /// The credentials are absent, wrong or may not do this.
    #[error(
        "the bucket refused the credentials{code}: expected ones that may list, get, put and \
         delete objects there; see {provider}"
    )]
    Refused {
        /// Whose bucket it is.
        provider: Provider,
        /// The code of the answer.
        code: Code,
    },
    /// There is no such bucket.
    #[error("there is no such bucket: make it, or correct GDPR_ARCHIVE_URL")]
    NoBucket,
    /// No connection, or no answer in time.
    #[error(
        "the bucket cannot be reached ({0}): check the network and the endpoint; it is tried again"
    )]
    Unreachable(&'static str),
    /// The server failed.
    #[error("the bucket's server failed{0}: see its own log; it is tried again")]
    Server(Code),
    /// An archive of the same consignment was not stored.
    #[error("an archive before this one could not be stored: the whole batch is stored again")]
    Incomplete,
    /// A defect of the caller.
    #[error("a bucket was opened outside of the asynchronous runtime, which does its calls")]
    Runtime,
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            // A draft of a bucket tells its error through `io::Write`.
            _ => error.downcast::<Self>().unwrap_or_else(Self::Folder),
        }
    }
}

impl From<StoreError> for io::Error {
    fn from(error: StoreError) -> Self {
        let kind = match error {
            StoreError::Folder(error) => return error,
            StoreError::Full => io::ErrorKind::StorageFull,
            StoreError::Refused { .. } => io::ErrorKind::PermissionDenied,
            StoreError::NoBucket | StoreError::Missing => io::ErrorKind::NotFound,
            StoreError::Unreachable(_) => io::ErrorKind::NotConnected,
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

/// What a server calls its error, such as ` (SlowDown)`; empty if it did not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Code(pub(super) Option<String>);

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.as_ref().map_or(Ok(()), |code| write!(f, " ({code})"))
    }
}
