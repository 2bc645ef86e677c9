//! What a finished retrieval delivers: its records, and the form that they are written in.

pub(crate) mod links;
mod records;
mod write;

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::forms::ExportFormat;
use crate::people::Snapshot;

pub(crate) use records::records;
pub(crate) use write::{content_type, write};

/// All that is needed to write an export without looking at the state again.
#[derive(Debug, Clone)]
pub(crate) struct ExportOrder {
    pub(crate) snapshot: Arc<Snapshot>,
    /// Day that made-up data counts back from.
    pub(crate) today: DateTime<Utc>,
    /// Records before this moment are left out (CCPA).
    pub(crate) since: Option<DateTime<Utc>>,
    pub(crate) format: ExportFormat,
    pub(crate) password: String,
}
