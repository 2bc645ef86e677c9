//! The client that reads how far a request is. It needs no more than HGETALL.

use std::collections::HashMap;

use redis::{RedisError, aio::ConnectionLike};

use crate::{
    fault::RedisFault,
    keys::{Keys, Project},
    record::{Record, RecordError, UserRecord},
    request_id::RequestId,
};

/// Why a status could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReaderError {
    /// Redis was not reached or refused. Safe to repeat.
    #[error("Redis did not tell the status: {0}")]
    Redis(RedisFault),
    /// The hash is there but cannot be understood.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl From<RedisError> for ReaderError {
    fn from(error: RedisError) -> Self {
        Self::Redis(RedisFault::new(&error))
    }
}

/// Reads the hashes of one project. `C` as for [`crate::producer::Producer`].
#[derive(Clone, Debug)]
pub struct Reader<C> {
    connection: C,
    keys: Keys,
}

impl<C: ConnectionLike + Clone> Reader<C> {
    /// A reader for `project`.
    pub fn new(connection: C, project: &Project) -> Self {
        Self { connection, keys: Keys::new(project) }
    }

    /// Where the request `id` stands. `None` if the worker has not taken it up yet, or if its record
    /// is past its retention.
    pub async fn status(&self, id: &RequestId) -> Result<Option<Record>, ReaderError> {
        let hash = self.hash(self.keys.request(id.as_str())).await?;
        Ok(if hash.is_empty() { None } else { Some(Record::from_hash(hash)?) })
    }

    /// The life cycle of the person with this tag (one of [`Record::tags`]). `None` if nobody asked
    /// for anything yet.
    pub async fn user(&self, tag: &str) -> Result<Option<UserRecord>, ReaderError> {
        let hash = self.hash(self.keys.user(tag)).await?;
        Ok(if hash.is_empty() { None } else { Some(UserRecord::from_hash(hash)?) })
    }

    async fn hash(&self, key: String) -> Result<HashMap<String, String>, RedisError> {
        let mut connection = self.connection.clone();
        redis::cmd("HGETALL").arg(key).query_async(&mut connection).await
    }
}
