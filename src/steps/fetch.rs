//! Fetching the export of a batch into the spool, once: an export that is there already is used again.
//!
//! The download is asynchronous and sealing is not, so a few pieces wait between the two; when the disk is slow,
//! the download waits as well.

use std::{io, io::Write, sync::Arc};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::{Context, StepError};
use crate::{
    archive::{ExportName, Opened, Spool},
    failpoint,
    ledger::Batch,
    mixpanel::{DownloadError, ExportLink, Sink},
};

/// Pieces of a download, each some ten KiB, that may wait for the disk.
const WAITING: usize = 32;

/// Why there is no export to read.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    /// It could not be fetched.
    #[error(transparent)]
    Download(DownloadError),
    /// The spool folder could not be read or written, or has no room.
    #[error("the spool folder failed: {0}")]
    Spool(io::Error),
}

/// The name of a batch's export in the spool.
pub(super) fn name(ctx: &Context, batch: &Batch) -> ExportName {
    let task = batch.collected_task.as_deref().unwrap_or_default();
    ExportName::new(&ctx.project, &batch.name, task)
}

/// The export behind `link`, open for reading.
pub(super) async fn fetch(
    ctx: &Context,
    batch: &Batch,
    link: &ExportLink,
) -> Result<Result<Opened, FetchError>, StepError> {
    let name = name(ctx, batch);
    if let Some(found) = existing(ctx, &name).await?.transpose() {
        tracing::info!(project = %ctx.project, batch = batch.name, "an export that was kept is used again");
        return Ok(found.map_err(FetchError::Spool));
    }
    let (pieces, queue) = mpsc::channel(WAITING);
    let (spool, receiving) = (Arc::clone(&ctx.spool), name.clone());
    let writing = tokio::task::spawn_blocking(move || write(&spool, &receiving, queue));
    let mut sink = Pieces(pieces);
    let limit = ctx.archives.limits.unpacked_bytes;
    let got = ctx.downloader.download(link, &mut sink, limit).await;
    if got.is_ok() {
        // If the writer has given up, it says why.
        let _ = sink.0.send(Piece::End).await;
    }
    drop(sink);
    let written = writing.await.map_err(|_| StepError::Lost)?;
    let got = match (got, written) {
        // The disk is why the download ended.
        (Ok(_) | Err(DownloadError::Write(_)), Err(error)) => {
            return Ok(Err(FetchError::Spool(error)));
        }
        (Err(error), _) => return Ok(Err(FetchError::Download(error))),
        (Ok(got), Ok(())) => got,
    };
    tracing::info!(project = %ctx.project, batch = batch.name, bytes = got.bytes, breaks = got.breaks,
        checked = got.checksum_checked, "an export was fetched");
    let opened = existing(ctx, &name).await?.and_then(|found| {
        found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the export vanished"))
    });
    Ok(opened.map_err(FetchError::Spool))
}

/// Destroys the export of a batch, so that it is fetched anew if anybody asks.
pub(super) async fn forget(ctx: &Context, batch: &Batch) -> Result<(), StepError> {
    let (spool, name) = (Arc::clone(&ctx.spool), name(ctx, batch));
    let removed = tokio::task::spawn_blocking(move || spool.remove_export(&name)).await;
    if let Err(error) = removed.map_err(|_| StepError::Lost)? {
        tracing::warn!(project = %ctx.project, batch = batch.name, %error, "an export could not be destroyed; tried again when the spool is tidied");
    }
    Ok(())
}

async fn existing(
    ctx: &Context,
    name: &ExportName,
) -> Result<io::Result<Option<Opened>>, StepError> {
    let (spool, name) = (Arc::clone(&ctx.spool), name.clone());
    let found = tokio::task::spawn_blocking(move || spool.existing(&name));
    found.await.map_err(|_| StepError::Lost)
}

enum Piece {
    Bytes(Bytes),
    Restart,
    End,
}

/// The asynchronous end of the bridge.
struct Pieces(mpsc::Sender<Piece>);

impl Pieces {
    async fn hand_on(&self, piece: Piece) -> io::Result<()> {
        self.0.send(piece).await.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Sink for Pieces {
    async fn write(&mut self, chunk: Bytes) -> io::Result<()> {
        self.hand_on(Piece::Bytes(chunk)).await
    }

    async fn restart(&mut self) -> io::Result<()> {
        self.hand_on(Piece::Restart).await
    }
}

/// The blocking end. A download that ends without [`Piece::End`] leaves nothing.
fn write(spool: &Spool, name: &ExportName, mut pieces: mpsc::Receiver<Piece>) -> io::Result<()> {
    let mut receiving = spool.receive(name)?;
    while let Some(piece) = pieces.blocking_recv() {
        match piece {
            Piece::Bytes(bytes) => {
                receiving.write_all(&bytes)?;
                failpoint::reached("fetch.piece");
            }
            Piece::Restart => receiving.restart()?,
            Piece::End => return receiving.finish(),
        }
    }
    Err(io::ErrorKind::Interrupted.into())
}
