//! The call log: one entry for each call that is not a control call, in the order in which the
//! calls were decided, in memory and, if asked, as lines of a file.
//!
//! Invariant: an entry is written before its answer leaves, so no caller knows more than the log.
//! Credentials never stand in it; distinct_ids do, because this is a test log of test people.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use chrono::{SecondsFormat, Utc};
use serde::{Serialize, Serializer};

use crate::kind::Kind;

/// One call.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Entry {
    /// Counts from 1 without gaps.
    pub(crate) seq: u64,
    /// Milliseconds of the true clock since the start, when the head of the call arrived.
    pub(crate) ms: f64,
    /// The same moment in milliseconds since 1970, by the machine's clock as it was then.
    pub(crate) unix_ms: f64,
    /// True date and time of the decision.
    pub(crate) time: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) kind: Kind,
    pub(crate) project: Option<String>,
    pub(crate) ids_count: usize,
    #[serde(serialize_with = "strings")]
    pub(crate) ids: Arc<[Arc<str>]>,
    /// `GDPR` or `CCPA`, and what is to be disclosed, of a call that is to make a task.
    pub(crate) compliance: Option<&'static str>,
    pub(crate) disclosure: Option<&'static str>,
    /// Status of the answer; absent if there was none.
    pub(crate) status: Option<u16>,
    /// Name of the fault rule that changed this call.
    pub(crate) fault: Option<&'static str>,
    pub(crate) too_early: bool,
    /// Milliseconds since the project's last GDPR call.
    pub(crate) gap_ms: Option<f64>,
    /// Whether the call took effect: a task made, polled or cancelled, an export or data served.
    pub(crate) acted: bool,
    pub(crate) task: Option<String>,
    /// The range that a download asked for.
    pub(crate) range: Option<String>,
    /// The word that a poll was answered with.
    pub(crate) task_status: Option<String>,
    /// Whether a pre-signed link was fetched with credentials, which a client must not do.
    pub(crate) export_with_authorization: bool,
    /// What only calls of the ingestion API have.
    pub(crate) ingestion: Option<IngestionCall>,
}

/// A call of `/track`, `/import`, `/engage` or `/groups`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct IngestionCall {
    /// When the last byte of the body arrived, on the clock of `ms`; absent if the body was cut off.
    pub(crate) whole_ms: Option<f64>,
    /// Bytes of the body that arrived, as they came.
    pub(crate) bytes: usize,
    /// Value of the query parameter `ip`.
    pub(crate) ip: Option<String>,
    pub(crate) strict: bool,
    pub(crate) verbose: bool,
    pub(crate) gzip: bool,
    /// Records in the body, if it could be read.
    pub(crate) records: usize,
    /// How many of them were accepted, of a project that there is.
    pub(crate) stored: usize,
    /// Which of them were accepted.
    #[serde(skip)]
    pub(crate) accepted: Vec<bool>,
}

fn strings<S: Serializer>(ids: &Arc<[Arc<str>]>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(ids.iter().map(|id| &**id))
}

/// All entries since the start or the last reset, and the file.
#[derive(Debug, Default)]
pub(crate) struct Log {
    entries: Vec<Entry>,
    last_seq: u64,
    file: Option<File>,
}

impl Log {
    /// A log that also appends to a file.
    pub(crate) fn open(path: Option<&Path>) -> io::Result<Self> {
        let append = |path| OpenOptions::new().create(true).append(true).open(path);
        Ok(Self { file: path.map(append).transpose()?, ..Self::default() })
    }

    /// Numbers an entry, stamps it, keeps it and shows it.
    pub(crate) fn add(&mut self, mut entry: Entry) -> &Entry {
        self.last_seq += 1;
        entry.seq = self.last_seq;
        entry.time = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
        if let Some(file) = &mut self.file {
            // One write a line, so that a killed emulator leaves whole lines.
            if let Err(error) = file.write_all(&line(&entry)) {
                eprintln!("the call log cannot be written and ends here: {error}");
                self.file = None;
            }
        }
        let place = self.entries.len();
        self.entries.push(entry);
        &self.entries[place]
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entries after a number, one JSON object a line.
    pub(crate) fn lines_after(&self, seq: u64) -> Vec<u8> {
        self.entries.iter().filter(|entry| entry.seq > seq).flat_map(line).collect()
    }

    /// Forgets the entries; numbers and file go on.
    pub(crate) fn forget(&mut self) {
        self.entries.clear();
    }
}

fn line(entry: &Entry) -> Vec<u8> {
    let mut line = serde_json::to_vec(entry).unwrap_or_default();
    line.push(b'\n');
    line
}
