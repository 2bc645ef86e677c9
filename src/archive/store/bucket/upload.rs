//! One archive on its way into a bucket.
//!
//! A small one is a single put. From [`PART`] bytes on it is sent in parts while it is written, and
//! the bucket shows it when all parts are there. What uploads hold in memory is bounded over the
//! whole store, by [`IN_FLIGHT`]; to that comes at most one part of each draft being written.

use std::{
    io::{self, Write},
    mem,
    sync::Arc,
};

use futures_util::future::BoxFuture;
use object_store::{
    Attribute, Attributes, MultipartUpload, PutOptions, PutPayload, PutPayloadMut, path::Path,
};
use tokio::{runtime::Handle, sync::OwnedSemaphorePermit, task::JoinSet};

use super::{Bucket, StoreError};
use crate::archive::store::{Form, name::Name};

/// The least that all providers take as a part. All parts but the last have this size, since some
/// want them equal.
pub(in crate::archive::store) const PART: usize = 5 * 1024 * 1024;
/// Bytes that may be on their way at once.
pub(super) const IN_FLIGHT: usize = 4 * PART;
/// Each upload counts as a multiple of this, so no more than 16 are on their way at once.
pub(super) const UNIT: usize = IN_FLIGHT / 16;
const BLOCK: usize = 64 * 1024;

/// One archive on its way. Dropping it gives it up.
#[derive(Debug)]
pub(in crate::archive::store) struct Upload {
    bucket: Bucket,
    key: Path,
    form: Form,
    buffer: PutPayloadMut,
    parts: Option<Parts>,
}

impl Upload {
    pub(super) fn new(bucket: Bucket, name: &Name) -> Self {
        let key = bucket.key(&name.to_string());
        Self { bucket, key, form: name.form, buffer: empty(), parts: None }
    }

    /// What remains to be done, to be spawned. Waits until there is room for it on the way.
    pub(super) fn finish(
        mut self,
    ) -> Result<BoxFuture<'static, Result<(), StoreError>>, StoreError> {
        if self.parts.is_some() {
            self.send_part()?;
        }
        let Self { bucket, key, form, buffer, parts } = self;
        if let Some(parts) = parts {
            return Ok(Box::pin(async move {
                parts.complete().await.map_err(|error| bucket.fault(&error))
            }));
        }
        let permit = bucket.permit(buffer.content_length())?;
        Ok(Box::pin(async move {
            let options = PutOptions { attributes: attributes(form), ..PutOptions::default() };
            let put = bucket.objects.put_opts(&key, buffer.freeze(), options).await;
            drop(permit);
            put.map(drop).map_err(|error| bucket.fault(&error))
        }))
    }

    fn send_part(&mut self) -> Result<(), StoreError> {
        if self.parts.is_none() {
            let attributes = attributes(self.form).into();
            let begin = self.bucket.objects.put_multipart_opts(&self.key, attributes);
            let upload = self.bucket.wait(begin).map_err(|error| self.bucket.fault(&error))?;
            self.parts = Some(Parts::new(upload, self.bucket.runtime.clone()));
        }
        let payload = mem::replace(&mut self.buffer, empty()).freeze();
        let permit = self.bucket.permit(payload.content_length())?;
        let Some(parts) = &mut self.parts else { return Ok(()) };
        parts.send(payload, permit).map_err(|error| self.bucket.fault(&error))
    }
}

impl Write for Upload {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        // A full part goes when more follows, so the last one is never empty.
        if self.buffer.content_length() >= PART && !data.is_empty() {
            self.send_part()?;
        }
        let room = PART.saturating_sub(self.buffer.content_length());
        let taken = data.get(..room).unwrap_or(data);
        self.buffer.extend_from_slice(taken);
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Bucket {
    /// Waits until so many bytes may be on their way.
    fn permit(&self, bytes: usize) -> Result<OwnedSemaphorePermit, StoreError> {
        let units = u32::try_from(bytes.div_ceil(UNIT).max(1)).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.room).acquire_many_owned(units);
        self.wait(permit).map_err(|_| StoreError::Incomplete)
    }
}

fn attributes(form: Form) -> Attributes {
    let media_type = match form {
        Form::Zip => "application/zip",
        Form::Age => "application/octet-stream",
    };
    // Whoever fetches it by a link may pass caches.
    let no_cache = (Attribute::CacheControl, "private, no-store");
    Attributes::from_iter([(Attribute::ContentType, media_type), no_cache])
}

fn empty() -> PutPayloadMut {
    PutPayloadMut::new().with_block_size(BLOCK)
}

/// The parts of an archive. Unless they are completed, what was sent is taken back.
#[derive(Debug)]
struct Parts {
    upload: Option<Box<dyn MultipartUpload>>,
    sent: JoinSet<object_store::Result<()>>,
    runtime: Handle,
}

impl Parts {
    fn new(upload: Box<dyn MultipartUpload>, runtime: Handle) -> Self {
        Self { upload: Some(upload), sent: JoinSet::new(), runtime }
    }

    /// Also tells of a part that failed before.
    fn send(&mut self, part: PutPayload, permit: OwnedSemaphorePermit) -> object_store::Result<()> {
        while let Some(done) = self.sent.try_join_next() {
            done??;
        }
        if let Some(upload) = &mut self.upload {
            let sending = upload.put_part(part);
            let sending = async move {
                let sent = sending.await;
                drop(permit);
                sent
            };
            self.sent.spawn_on(sending, &self.runtime);
        }
        Ok(())
    }

    async fn complete(mut self) -> object_store::Result<()> {
        while let Some(done) = self.sent.join_next().await {
            done??;
        }
        if let Some(upload) = &mut self.upload {
            upload.complete().await?;
        }
        self.upload = None;
        Ok(())
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        let Some(mut upload) = self.upload.take() else { return };
        let mut sent = mem::take(&mut self.sent);
        self.runtime.spawn(async move {
            sent.shutdown().await;
            // If this fails, the bucket's own rule removes the parts.
            let _ = upload.abort().await;
        });
    }
}
