//! Archives in a bucket: the store that replicas on several machines share.
//!
//! ```text
//! <prefix>/ID.zip      an archive
//! <prefix>/.project    whose prefix it is
//! ```
//! What the operator must see to, because no client can:
//! * **No versioning, no soft delete, no object lock**, or a rule that removes old versions at once:
//!   else a destroyed archive lives on as an old version.
//! * **A lifecycle rule that aborts incomplete multipart uploads** after a day. A draft that is given
//!   up aborts its upload; a process that is killed cannot. Such parts are visible to nobody, but
//!   they are there and cost money.
//! * **No public access**, and encryption at rest as the law asks.
//!
//! Calls are made on the runtime that was at hand at [`Bucket::open`]; callers block, so they must
//! not be async code. A bucket that does not answer is an error after about two minutes.

mod connect;
mod fault;
mod shipment;
mod upload;

use std::{
    fmt,
    fs::File,
    future::Future,
    io::{Seek, Write},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt, stream::BoxStream};
use gdpr_jobs::Project;
use object_store::{
    Error, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode,
    path::Path,
    signer::{Method, Signer},
};
use tokio::{runtime::Handle, sync::Semaphore};
use url::Url;

#[cfg(test)]
pub(super) use self::upload::PART;
use self::{
    connect::Connection,
    fault::fault,
    upload::{IN_FLIGHT, UNIT},
};
pub(super) use self::{shipment::Shipment, upload::Upload};
use super::{Object, StoreError, address::BucketAddress, name::Name};

const MARK: &str = ".project";
const PROBE: &str = ".probe";
/// An archive is read in pieces of this size, so that each fits the time of one request.
const PIECE: u64 = 8 * 1024 * 1024;
/// What every provider signs at most.
const LONGEST_LINK: Duration = Duration::from_secs(7 * 24 * 60 * 60);
const SHORTEST_LINK: Duration = Duration::from_secs(1);

/// A prefix of a bucket.
#[derive(Clone)]
pub(super) struct Bucket {
    address: BucketAddress,
    objects: Arc<dyn ObjectStore>,
    signer: Option<Arc<dyn Signer>>,
    runtime: Handle,
    /// What uploads may hold in memory, in units of [`UNIT`].
    room: Arc<Semaphore>,
}

impl fmt::Debug for Bucket {
    /// The client inside knows credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bucket").field(&self.address).finish()
    }
}

impl Bucket {
    /// Makes no call yet.
    pub(super) fn open(address: BucketAddress) -> Result<Self, StoreError> {
        let connection = connect::connect(&address, &connect::environment(), connect::retry())?;
        Self::new(address, connection)
    }

    fn new(address: BucketAddress, connection: Connection) -> Result<Self, StoreError> {
        Ok(Self {
            address,
            objects: connection.objects,
            signer: connection.signer,
            runtime: Handle::try_current().map_err(|_| StoreError::Runtime)?,
            room: Arc::new(Semaphore::new(IN_FLIGHT / UNIT)),
        })
    }

    /// Makes the prefix `project`'s, unless it is another's. Two projects could have a request of
    /// the same id, and one person's archive would replace another's.
    pub(super) fn claim(&self, project: &Project) -> Result<(), StoreError> {
        let mark = self.key(MARK);
        let found = match self.mark(&mark)? {
            None => self.put_mark(&mark, project)?,
            found => found,
        };
        match found {
            Some(other) if other != project.as_str() => Err(StoreError::OtherProject(other)),
            _ => Ok(()),
        }
    }

    /// What somebody else marked it with in the meantime, if anybody did.
    fn put_mark(&self, mark: &Path, project: &Project) -> Result<Option<String>, StoreError> {
        let name = Bytes::copy_from_slice(project.as_str().as_bytes());
        match self.wait(self.objects.put_opts(mark, name.into(), PutMode::Create.into())) {
            Ok(_) => Ok(None),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => self.mark(mark),
            Err(error) => Err(self.fault(&error)),
        }
    }

    fn mark(&self, mark: &Path) -> Result<Option<String>, StoreError> {
        let read = async { self.objects.get(mark).await?.bytes().await };
        match self.wait(read) {
            Ok(text) => Ok(Some(String::from_utf8_lossy(&text).into_owned())),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.fault(&error)),
        }
    }

    pub(super) fn probe(&self) -> Result<(), StoreError> {
        let key = self.key(PROBE);
        let probed = self.wait(async {
            self.objects.put(&key, Bytes::new().into()).await?;
            self.objects.delete(&key).await
        });
        probed.map_err(|error| self.fault(&error))
    }

    pub(super) fn shipment(&self) -> Shipment {
        Shipment::new(self.clone())
    }

    pub(super) fn location(&self, name: &Name) -> String {
        format!("{}/{name}", self.address)
    }

    /// The last part of a location of this bucket's.
    pub(super) fn last_part<'a>(&self, location: &'a str) -> Option<&'a str> {
        location.strip_prefix(&self.address.to_string())?.strip_prefix('/')
    }

    /// Asks first whether it is there, since a deletion does not tell.
    pub(super) fn remove(&self, name: &Name) -> Result<bool, StoreError> {
        let key = self.key(&name.to_string());
        let removed = self.wait(async {
            self.objects.head(&key).await?;
            self.objects.delete(&key).await
        });
        match removed {
            Ok(()) => Ok(true),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(self.fault(&error)),
        }
    }

    /// Page by page as the iterator goes on.
    pub(super) fn list(&self) -> impl Iterator<Item = Result<Object, StoreError>> + use<> {
        let prefix = (!self.address.prefix.is_empty()).then(|| self.key(""));
        Listing { bucket: self.clone(), objects: self.objects.list(prefix.as_ref()) }
    }

    pub(super) fn holds(&self, name: &Name) -> Result<bool, StoreError> {
        let key = self.key(&name.to_string());
        match self.wait(self.objects.head(&key)) {
            Ok(_) => Ok(true),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(self.fault(&error)),
        }
    }

    /// Fetches the archive into a file that has no name, and that nobody else can open.
    pub(super) fn read(&self, name: &Name) -> Result<File, StoreError> {
        let key = self.key(&name.to_string());
        let missing = |error| match error {
            Error::NotFound { .. } => StoreError::Missing,
            error => self.fault(&error),
        };
        let facts = self.wait(self.objects.head(&key)).map_err(missing)?;
        let mut file = tempfile::tempfile()?;
        let mut from = 0;
        while from < facts.size {
            let piece = from..facts.size.min(from + PIECE);
            from = piece.end;
            let options = GetOptions {
                range: Some(GetRange::Bounded(piece)),
                // All pieces must be of the same object.
                if_match: facts.e_tag.clone(),
                ..GetOptions::default()
            };
            let read = async { self.objects.get_opts(&key, options).await?.bytes().await };
            file.write_all(&self.wait(read).map_err(missing)?)?;
        }
        file.rewind()?;
        Ok(file)
    }

    pub(super) fn link(&self, name: &Name, lifetime: Duration) -> Result<Url, StoreError> {
        let signer = self.signer.as_ref().ok_or(StoreError::NoLinks)?;
        if !(SHORTEST_LINK..=LONGEST_LINK).contains(&lifetime) {
            return Err(StoreError::Lifetime(lifetime));
        }
        let key = self.key(&name.to_string());
        let link = signer.signed_url(Method::GET, &key, lifetime);
        self.wait(link).map_err(|error| self.fault(&error))
    }

    fn key(&self, name: &str) -> Path {
        let parts = self.address.prefix.split('/').chain([name]);
        parts.filter(|part| !part.is_empty()).collect()
    }

    fn wait<T>(&self, call: impl Future<Output = T>) -> T {
        self.runtime.block_on(call)
    }

    fn fault(&self, error: &Error) -> StoreError {
        fault(self.address.provider, error)
    }
}

struct Listing {
    bucket: Bucket,
    objects: BoxStream<'static, Result<ObjectMeta, Error>>,
}

impl Iterator for Listing {
    type Item = Result<Object, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.bucket.runtime.block_on(self.objects.next())? {
                Ok(facts) => {
                    let Some(name) = facts.location.filename().and_then(Name::parse) else {
                        continue;
                    };
                    // A prefix below this one is another store.
                    if facts.location != self.bucket.key(&name.to_string()) {
                        continue;
                    }
                    let location = self.bucket.location(&name);
                    return Some(Ok(Object::new(location, name, facts.last_modified, facts.size)));
                }
                Err(error) => return Some(Err(self.bucket.fault(&error))),
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
impl Bucket {
    /// A bucket that gives up at the first failure.
    pub(super) fn without_patience(
        address: &BucketAddress,
        variables: &connect::Variables,
    ) -> Result<Self, StoreError> {
        let retry = object_store::RetryConfig { max_retries: 0, ..connect::retry() };
        Self::new(address.clone(), connect::connect(address, variables, retry)?)
    }

    /// Another prefix of the same bucket.
    pub(super) fn beside(&self, prefix: &str) -> Self {
        let address = BucketAddress { prefix: prefix.to_owned(), ..self.address.clone() };
        Self { address, ..self.clone() }
    }

    /// Everything that lies in the bucket.
    pub(super) fn keys(&self) -> Vec<String> {
        let all = self.objects.list(None).map(|facts| facts.unwrap().location.to_string());
        let mut keys: Vec<String> = self.wait(all.collect());
        keys.sort();
        keys
    }

    /// Puts something there that is not an archive of this store.
    pub(super) fn drop_in(&self, key: &str) {
        let key = Path::from(key);
        self.wait(self.objects.put(&key, Bytes::from_static(b"x").into())).unwrap();
    }
}
