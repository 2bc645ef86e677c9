//! Enqueues a request, and waits a moment for it to be in force.

use std::time::Duration;

use gdpr_jobs::{Document, Enqueued, Producer, ProducerError, Reader, RequestId, Status};
use tokio::time::Instant;

use crate::door::projects::DoorProject;

/// How long an answer may wait for the request to be completed.
const PATIENCE: Duration = Duration::from_secs(3);
/// First pause between two looks; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(320);

/// How far a request came.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) id: RequestId,
    pub(super) status: Status,
    /// Why it ended as it did, if the worker says so.
    pub(super) reason: Option<String>,
}

/// Why nothing was asked for.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    /// Redis does not take it.
    #[error(transparent)]
    Producer(#[from] ProducerError),
    /// The id is that of a request of another kind: its status would be taken for this one's.
    #[error("this id is that of another request: expected one of its own for each request")]
    IdTaken,
}

/// Puts `document` on the stream of its project; returns as soon as it is final, or after a few seconds.
pub(super) async fn ask(project: &DoorProject, document: &Document) -> Result<Asked, AskError> {
    let producer = Producer::new(project.redis.clone(), &project.project);
    let producer = project.document_key.clone().into_iter().fold(producer, Producer::signing);
    let enqueued = producer.enqueue(document).await?;
    let was_known = matches!(enqueued, Enqueued::AlreadyKnown(_));
    let id = enqueued.id().clone();
    let reader = Reader::new(project.redis.clone(), &project.project);
    let (deadline, mut pause) = (Instant::now() + PATIENCE, FIRST_PAUSE);
    let (mut status, mut reason) = (Status::Queued, None);
    loop {
        // That the status cannot be read does not undo the request.
        if let Ok(Some(record)) = reader.status(&id).await {
            if was_known && record.kind.is_some_and(|kind| kind != document.kind) {
                return Err(AskError::IdTaken);
            }
            (status, reason) = (record.status, record.reason);
        }
        if !status.is_open() && is_kept(project, &id, status).await {
            return Ok(Asked { id, status, reason });
        }
        if Instant::now() + pause > deadline {
            // What may still be forgotten is not said to be in force.
            let status = if status.is_open() { status } else { Status::Queued };
            return Ok(Asked { id, status, reason });
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Whether the server that has a status has it for good.
async fn is_kept(project: &DoorProject, id: &RequestId, status: Status) -> bool {
    let Ok(mut passage) = project.gate.enter().await else { return false };
    // Read over the connection that is waited for: after a failover another server would answer for this one.
    let reader = Reader::new(passage.connection().clone(), &project.project);
    let same =
        reader.status(id).await.is_ok_and(|record| record.is_some_and(|r| r.status == status));
    same && passage.kept().await.is_ok()
}
