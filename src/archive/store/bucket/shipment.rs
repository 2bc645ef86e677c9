//! The archives of one consignment on their way into a bucket.
//!
//! Uploads overlap: placing an archive waits only for room on the way, not for the answer. Answers
//! are looked at with the next archive, and all of them when the consignment is settled.

use std::sync::{Mutex, PoisonError};

use futures_util::{StreamExt, stream};
use object_store::{Error, path::Path};
use tokio::task::{JoinError, JoinSet};

use super::{Bucket, StoreError, Upload};
use crate::archive::store::name::Name;

/// The archives of one consignment. Dropping it gives up what is still on its way.
#[derive(Debug)]
pub(in crate::archive::store) struct Shipment {
    bucket: Bucket,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    sent: JoinSet<Result<(), StoreError>>,
    /// Archives that are replaced if they are there: the other form of each one placed.
    replaced: Vec<Path>,
}

impl Shipment {
    pub(super) fn new(bucket: Bucket) -> Self {
        Self { bucket, state: Mutex::default() }
    }

    pub(in crate::archive::store) fn upload(&self, name: &Name) -> Upload {
        Upload::new(self.bucket.clone(), name)
    }

    pub(in crate::archive::store) fn place(
        &self,
        name: &Name,
        upload: Upload,
    ) -> Result<String, StoreError> {
        let sending = upload.finish()?;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.sent.spawn_on(sending, &self.bucket.runtime);
        state.replaced.push(self.bucket.key(&name.other().to_string()));
        while let Some(done) = state.sent.try_join_next() {
            answer(done)?;
        }
        Ok(self.bucket.location(name))
    }

    pub(in crate::archive::store) fn settle(self) -> Result<(), StoreError> {
        let State { mut sent, replaced } =
            self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.bucket.wait(async {
            while let Some(done) = sent.join_next().await {
                answer(done)?;
            }
            Ok::<_, StoreError>(())
        })?;
        self.bucket.remove_all(replaced)
    }
}

impl Bucket {
    /// Removes what there is of `keys`: on S3, with a call for a thousand of them.
    fn remove_all(&self, keys: Vec<Path>) -> Result<(), StoreError> {
        let mut removals = self.objects.delete_stream(stream::iter(keys).map(Ok).boxed());
        self.wait(async {
            while let Some(removed) = removals.next().await {
                match removed {
                    Ok(_) | Err(Error::NotFound { .. }) => {}
                    Err(error) => return Err(self.fault(&error)),
                }
            }
            Ok(())
        })
    }
}

fn answer(done: Result<Result<(), StoreError>, JoinError>) -> Result<(), StoreError> {
    done.unwrap_or(Err(StoreError::Incomplete))
}
