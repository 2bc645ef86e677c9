//! The event stream as it is read.
//!
//! One replica at a time reads a project's events ([`Ledger::become_reader`]), so that a person's profile operations keep
//! their order. Reading itself asks nobody: what a replica reads that is not the reader any more it cannot deliver, for
//! [`Ledger::claim_wire`] refuses its token. What is settled is deleted, so whatever stands on the stream is still to be
//! delivered: a reader keeps its place itself, and the next one begins at the beginning. A consumer group would cost a
//! write for each entry read, and a script turns each entry over twice.

use std::time::Duration;

use redis::{Value, from_redis_value};

use super::{Ledger, LedgerError, submission::millis};

/// Entries in the first page: nothing is known of their sizes.
const A_FEW: usize = 4;
/// Most entries in a page. They may be much larger than those before, and must be borne all the same.
const MANY: usize = 64;
/// What an entry counts besides its text.
const ENTRY_BYTES: usize = 64;

/// An entry of the event stream as it stands there.
#[derive(Clone, Debug)]
pub struct EventEntry {
    /// Its id.
    pub id: String,
    /// Names and values by turns.
    pub fields: Vec<Vec<u8>>,
}

impl EventEntry {
    fn read(value: Value) -> Option<Self> {
        let Value::Array(parts) = value else { return None };
        let [id, fields] = <[Value; 2]>::try_from(parts).ok()?;
        let Value::Array(fields) = fields else { return None };
        let fields = fields.into_iter().map(|field| from_redis_value(field).ok());
        Some(Self { id: from_redis_value(id).ok()?, fields: fields.collect::<Option<_>>()? })
    }

    fn bytes(&self) -> usize {
        ENTRY_BYTES + self.fields.iter().map(Vec::len).sum::<usize>()
    }
}

impl Ledger {
    /// Becomes the reader for `lease`, unless another one is. The token must be new: whoever lost the lease begins anew,
    /// even if nobody has it now, for somebody else may have read and delivered meanwhile.
    pub async fn become_reader(&self, token: &str, lease: Duration) -> Result<bool, LedgerError> {
        let call = self.call(|s| &s.events_lease).arg(token).arg(millis(lease));
        self.run(call.arg("take")).await
    }

    /// Stays the reader for `lease` more; with none, gives it up. Whether it was the reader.
    pub async fn keep_reading(&self, token: &str, lease: Duration) -> Result<bool, LedgerError> {
        let call = self.call(|s| &s.events_lease).arg(token).arg(millis(lease));
        self.run(call.arg("keep")).await
    }

    /// Reads the entries after `after` (`0` for all that is not settled): at most `most`, and no more than `bytes` unless
    /// a single one is larger. Nothing stood between these entries that is not among them.
    pub async fn read_events(
        &self,
        after: &str,
        most: usize,
        bytes: usize,
    ) -> Result<Vec<EventEntry>, LedgerError> {
        let mut found: Vec<EventEntry> = Vec::new();
        let (mut room, mut wanted) = (bytes, A_FEW);
        while found.len() < most && room > 0 {
            wanted = wanted.min(most - found.len());
            // A page begins with the end of the one before: where that is gone another primary may have taken over, which
            // has other entries in its place.
            let page = match found.last() {
                None => self.look_at_events(after, wanted).await?,
                Some(last) => self.page_of_events(&last.id, wanted + 1).await?,
            };
            let mut page = page.into_iter();
            if let Some(last) = found.last()
                && page.next().is_none_or(|again| again.id != last.id)
            {
                break;
            }
            let (count, mut size) = (page.len(), 0);
            for entry in page {
                let length = entry.bytes();
                if !found.is_empty() && length > room {
                    return Ok(found);
                }
                room = room.saturating_sub(length);
                size += length;
                found.push(entry);
            }
            if count < wanted {
                break;
            }
            // As many as fit if they are like those before.
            wanted = (room * count / size.max(1)).min(2 * wanted).clamp(1, MANY);
        }
        Ok(found)
    }

    /// A page of the event stream, after an entry.
    pub async fn look_at_events(
        &self,
        after: &str,
        most: usize,
    ) -> Result<Vec<EventEntry>, LedgerError> {
        self.page_of_events(&format!("({after}"), most).await
    }

    async fn page_of_events(
        &self,
        from: &str,
        most: usize,
    ) -> Result<Vec<EventEntry>, LedgerError> {
        let unexpected = || LedgerError::Unexpected("events");
        let mut command = redis::cmd("XRANGE");
        command.arg(self.keys().events()).arg(from).arg("+").arg("COUNT").arg(most);
        let reply: Vec<Value> = command.query_async(&mut self.connection()).await?;
        reply.into_iter().map(|entry| EventEntry::read(entry).ok_or_else(unexpected)).collect()
    }
}
