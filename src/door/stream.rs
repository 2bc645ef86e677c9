//! How records get on the stream of a project: in few entries, and those of one call and project all
//! together or not at all.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use gdpr_jobs::Keys;

use super::{projects::DoorProject, record::Kind, refusal::Refusal};
use crate::queue::{Connection, GateError, Together};

/// Most records in an entry.
const MAX_ENTRY_RECORDS: usize = 500;
/// Size at which an entry takes no more records, in bytes.
const ENTRY_BYTES: usize = 256 * 1024;
/// How long a known length counts.
const LENGTH_COUNTS: Duration = Duration::from_millis(100);
/// When to come again if too much waits.
const COME_AGAIN: Duration = Duration::from_secs(5);

/// The records of one project, one kind and one call: JSON arrays, ready to be put on the stream.
#[derive(Default)]
pub(super) struct Entries {
    closed: Vec<String>,
    open: String,
    open_records: usize,
    /// How many records there are in all.
    pub(super) records: usize,
}

impl Entries {
    /// Adds a record.
    pub(super) fn push(&mut self, json: &str) {
        let is_full = self.open_records == MAX_ENTRY_RECORDS
            || self.open.len() + json.len() + 2 > ENTRY_BYTES;
        if self.open_records > 0 && is_full {
            self.close();
        }
        self.open.push(if self.open_records == 0 { '[' } else { ',' });
        self.open.push_str(json);
        self.open_records += 1;
        self.records += 1;
    }

    fn close(&mut self) {
        if self.open_records > 0 {
            self.open.push(']');
            self.closed.push(std::mem::take(&mut self.open));
            self.open_records = 0;
        }
    }

    /// The entries.
    pub(super) fn finish(mut self) -> Vec<String> {
        self.close();
        self.closed
    }
}

/// The streams, of all projects.
pub(super) struct Streams {
    most: usize,
    fails: AtomicBool,
}

/// The stream of one project.
pub(super) struct Stream {
    redis: Connection,
    writers: Together,
    key: String,
    length: Mutex<Option<(Instant, usize)>>,
}

impl Stream {
    pub(super) fn new(project: &DoorProject) -> Self {
        let (redis, writers) = (project.redis.clone(), Together::new(project.gate.clone()));
        Self { redis, writers, key: Keys::new(&project.project).events(), length: Mutex::new(None) }
    }
}

impl Streams {
    /// `most` entries may wait on one stream.
    pub(super) fn new(most: usize) -> Self {
        Self { most, fails: AtomicBool::new(false) }
    }

    /// Whether a stream has room. Asks Redis at most every 100 ms.
    pub(super) async fn has_room(&self, stream: &Stream, now: Instant) -> Result<(), Refusal> {
        let known = *stream.length.lock().unwrap_or_else(PoisonError::into_inner);
        let length = match known {
            Some((at, length)) if now.saturating_duration_since(at) < LENGTH_COUNTS => length,
            _ => {
                let mut redis = stream.redis.clone();
                let asked = redis::cmd("XLEN").arg(&stream.key).query_async(&mut redis).await;
                let length = self.told(asked.map_err(GateError::from))?;
                *stream.length.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, length));
                length
            }
        };
        if length < self.most { Ok(()) } else { Err(Refusal::Backlog(COME_AGAIN)) }
    }

    /// Puts the entries of one call on their streams, in one transaction for each project. `Ok` means that Redis has them for
    /// good; after an error it may have all of a project's or none.
    pub(super) async fn append(
        &self,
        kind: Kind,
        entries: Vec<(&Stream, Vec<String>)>,
        geolocation_off: bool,
    ) -> Result<(), Refusal> {
        for (stream, entries) in entries {
            let mut transaction = redis::pipe();
            transaction.atomic();
            for json in entries {
                transaction.cmd("XADD").arg(&stream.key).arg("*").arg(kind.field()).arg(json);
                if geolocation_off {
                    transaction.arg("geolocation").arg("off");
                }
                transaction.ignore();
            }
            self.told(stream.writers.write(&transaction).await)?;
        }
        Ok(())
    }

    /// Logs the first failure of a series, and its end: not one line for each call.
    fn told<T>(&self, answer: Result<T, GateError>) -> Result<T, Refusal> {
        let failed = answer.is_err();
        if self.fails.swap(failed, Ordering::Relaxed) != failed {
            match &answer {
                Ok(_) => tracing::info!("Redis takes events again"),
                Err(error) => tracing::warn!(
                    %error,
                    "Redis does not take events: SDKs are told to come again until it does"
                ),
            }
        }
        answer.map_err(|_| Refusal::NotTaken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(records: &[&str]) -> Vec<String> {
        let mut entries = Entries::default();
        for record in records {
            entries.push(record);
        }
        assert_eq!(entries.records, records.len());
        entries.finish()
    }

    #[test]
    fn an_entry_is_an_array_of_at_most_500_records_and_256_kilobytes() {
        assert_eq!(entries(&["{}", "{ }"]), ["[{},{ }]"]);
        let counts = |records: &[&str]| -> Vec<usize> {
            entries(records).iter().map(|entry| entry.matches('x').count()).collect()
        };
        assert_eq!(counts(&["x"; 1_001]), [500, 500, 1]);
        let hundred_kilobytes = format!("x{}", " ".repeat(100 * 1024));
        assert_eq!(counts(&[hundred_kilobytes.as_str(); 5]), [2, 2, 1]);
        let large = format!("x{}", " ".repeat(ENTRY_BYTES));
        assert_eq!(counts(&["x", &large, "x"]), [1, 1, 1]);
        assert!(entries(&[]).is_empty());
    }
}
