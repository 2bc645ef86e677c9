//! What a finished retrieval delivers: its records, the form that they are written in, and how it is served.

pub(crate) mod links;
mod records;
mod serve;
mod taint;
mod write;
mod written;

use std::io;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::forms::ExportFormat;
use crate::people::Snapshot;

pub(crate) use records::records;
pub(crate) use serve::{Served, Serving};
pub(crate) use taint::Taint;
pub(crate) use write::content_type;
pub(crate) use written::{Cell, Written};

/// All that is needed to write and serve an export without looking at the state again.
#[derive(Debug, Clone)]
pub(crate) struct ExportOrder {
    pub(crate) snapshot: Arc<Snapshot>,
    /// Day that made-up data counts back from.
    pub(crate) today: DateTime<Utc>,
    /// Records before this moment are left out (CCPA).
    pub(crate) since: Option<DateTime<Utc>>,
    pub(crate) format: ExportFormat,
    pub(crate) password: String,
    /// What is to be wrong with it.
    pub(crate) taints: Vec<Taint>,
    pub(crate) serving: Serving,
    /// Where it is kept once it is written, so that a download can go on in the same bytes.
    pub(crate) cell: Cell,
}

/// Writes the export unless it is at hand, and serves what is asked for.
pub(crate) fn deliver(order: &ExportOrder) -> io::Result<Served> {
    let object = if let Some(object) = order.cell.get() {
        object.clone()
    } else {
        let written = write::write(order)?.into();
        order.cell.get_or_init(|| written).clone()
    };
    Ok(serve::serve(&object, &order.serving, &order.taints))
}
