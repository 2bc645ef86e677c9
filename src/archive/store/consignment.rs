//! Archives that are stored together: the requests of one batch.
//!
//! ```text
//! draft ─▶ write … ─▶ place      for each archive, from any number of threads
//!                       ⋮
//!                     settle     once
//! ```
//! After [`Consignment::settle`] every archive placed is there to stay, even if the power fails.
//! Before, each is there whole or not at all. What one consignment meets, another does not notice:
//! errors reach the batch that they belong to.

use std::sync::atomic::{AtomicBool, Ordering};

use gdpr_jobs::RequestId;

use super::{
    Form, StoreError,
    bucket::Shipment,
    draft::{Draft, Target},
    folder::Staging,
    name::Name,
};

/// A finished archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Where it is: the field `archive` of the request's hash.
    pub location: String,
    /// SHA-256 of the archive, in lower-case hex.
    pub sha256: String,
    /// Size of the archive.
    pub bytes: u64,
}

/// Archives that are stored together. Dropping it instead of settling it gives up what is not there
/// yet. Not for async code: it blocks.
#[derive(Debug)]
pub struct Consignment {
    way: Way,
    failed: AtomicBool,
}

/// How the archives come to their store.
#[derive(Debug)]
pub(super) enum Way {
    Folder(Staging),
    Bucket(Shipment),
}

impl Consignment {
    pub(super) fn new(way: Way) -> Self {
        Self { way, failed: AtomicBool::new(false) }
    }

    /// An empty draft of the archive of `request`.
    pub fn draft(&self, request: &RequestId, form: Form) -> Result<Draft, StoreError> {
        let name = Name::new(request, form);
        let target = match &self.way {
            Way::Folder(staging) => Target::File(staging.draft()?),
            Way::Bucket(shipment) => Target::Upload(Box::new(shipment.upload(&name))),
        };
        Ok(Draft::new(name, target))
    }

    /// Makes `draft` the archive of its request, in place of an earlier one of either form: at the
    /// latest when the consignment is settled. An error may be that of an archive placed before;
    /// after one, nothing helps but a new
    /// consignment.
    pub fn place(&self, draft: Draft) -> Result<Stored, StoreError> {
        self.try_place(draft).inspect_err(|_| self.failed.store(true, Ordering::Relaxed))
    }

    fn try_place(&self, draft: Draft) -> Result<Stored, StoreError> {
        let written = draft.finish()?;
        let location = match (&self.way, written.target) {
            (Way::Folder(staging), Target::File(file)) => staging.place(written.name, file)?,
            (Way::Bucket(shipment), Target::Upload(upload)) => {
                shipment.place(&written.name, *upload)?
            }
            _ => return Err(StoreError::Elsewhere),
        };
        Ok(Stored { location, sha256: written.sha256, bytes: written.bytes })
    }

    /// Makes everything placed survive a power cut. Costs about as much for 2,000 archives in a
    /// folder as for one; waits for the uploads of a bucket.
    pub fn settle(self) -> Result<(), StoreError> {
        if self.failed.into_inner() {
            return Err(StoreError::Incomplete);
        }
        match self.way {
            Way::Folder(staging) => staging.settle(),
            Way::Bucket(shipment) => shipment.settle(),
        }
    }
}
