//! Events and profile updates that could not be delivered: why, whose they are by tag, and the record itself,
//! sealed. A person decides: back on the stream, or away.

use redis::streams::{StreamId, StreamRangeReply};

use super::{Ledger, LedgerError, vault::Vault};
use crate::queue::EntryId;

/// How many are read in one round trip; each may have a megabyte.
const PAGE: usize = 50;

/// What a record is: the field that it has on the stream `events`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// An event.
    Event,
    /// A profile update.
    Profile,
}

impl EventKind {
    /// The field's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Profile => "profile",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Event, Self::Profile].into_iter().find(|kind| kind.as_str() == word)
    }
}

/// A record that was refused: one entry of the stream `events:refused`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedEvent {
    /// What it is.
    pub kind: EventKind,
    /// Why it was refused, without a word of the record.
    pub reason: String,
    /// The field that was at fault, if that is known.
    pub field: Option<String>,
    /// Where it came from: `{entry of events}-{place in it}`. Its sealed record opens under this name only.
    pub source: String,
    /// The tags of the people in it.
    pub tags: Vec<String>,
    /// Whether its producer forbade to derive a place from it; a retry forbids that, too.
    pub geolocation_off: bool,
    /// The record as its producer gave it, before the filter, sealed by [`Vault::seal_bytes`] under `source`.
    pub sealed: Vec<u8>,
    /// When, in RFC 3339.
    pub at: String,
}

/// An entry of the stream, and what it says, if that can be read.
pub type RefusedEntry = (EntryId, Option<RefusedEvent>);

impl RefusedEvent {
    /// The fields of the stream entry, as XADD takes them. Absent ones are left out.
    pub fn fields(&self) -> Vec<(&'static str, Vec<u8>)> {
        let mut fields: Vec<(&'static str, Vec<u8>)> = vec![
            ("kind", self.kind.as_str().into()),
            ("reason", self.reason.as_str().into()),
            ("source", self.source.as_str().into()),
            ("tags", self.tags.join(" ").into()),
            ("sealed", self.sealed.clone()),
            ("at", self.at.as_str().into()),
        ];
        fields.extend(self.field.as_ref().map(|field| ("field", field.as_str().into())));
        fields.extend(self.geolocation_off.then(|| ("geolocation", b"off".to_vec())));
        fields
    }

    /// The record in clear: JSON.
    pub fn open(&self, vault: &Vault) -> Result<String, LedgerError> {
        let record = vault.open_bytes(&self.source, &self.sealed)?;
        String::from_utf8(record).map_err(|_| LedgerError::Unexpected("events:refused"))
    }

    fn read(entry: &StreamId) -> Option<Self> {
        let text = |name: &str| entry.get::<String>(name).filter(|text| !text.is_empty());
        Some(Self {
            kind: EventKind::from_word(&text("kind")?)?,
            reason: text("reason").unwrap_or_default(),
            field: text("field"),
            source: text("source")?,
            tags: text("tags").unwrap_or_default().split_whitespace().map(str::to_owned).collect(),
            geolocation_off: text("geolocation").is_some_and(|word| word == "off"),
            sealed: entry.get("sealed")?,
            at: text("at").unwrap_or_default(),
        })
    }
}

impl Ledger {
    /// The next page of what was refused, oldest first: after `after`, or from the beginning. Empty at the end.
    pub async fn refused_events(
        &self,
        after: Option<EntryId>,
    ) -> Result<Vec<RefusedEntry>, LedgerError> {
        let start = after.map_or_else(|| "-".to_owned(), |entry| format!("({entry}"));
        self.refused_between(&start, "+", PAGE).await
    }

    /// What was refused last, if anything is there.
    pub async fn last_refused_event(&self) -> Result<Option<EntryId>, LedgerError> {
        let mut command = redis::cmd("XREVRANGE");
        command.arg(self.keys().refused_events()).arg("+").arg("-").arg("COUNT").arg(1);
        let last: StreamRangeReply = command.query_async(&mut self.connection()).await?;
        last.ids.first().map(entry_id).transpose()
    }

    /// One refused record, if it is (still) there.
    pub async fn refused_event(&self, id: EntryId) -> Result<Option<RefusedEntry>, LedgerError> {
        let id = id.to_string();
        Ok(self.refused_between(&id, &id, 1).await?.pop())
    }

    /// Puts the record of a refused event, opened, back on the stream of the producers. Returns whether it was
    /// still there.
    pub async fn retry_event(
        &self,
        id: EntryId,
        event: &RefusedEvent,
        record: &str,
    ) -> Result<bool, LedgerError> {
        let geolocation = if event.geolocation_off { "off" } else { "" };
        let call = self
            .call(|s| &s.retry_event)
            .arg(id)
            .arg(event.kind.as_str())
            .arg(record)
            .arg(geolocation);
        self.run(call).await
    }

    /// Removes a refused record for good. Returns whether it was still there.
    pub async fn drop_refused_event(&self, id: EntryId) -> Result<bool, LedgerError> {
        let mut command = redis::cmd("XDEL");
        command.arg(self.keys().refused_events()).arg(id);
        Ok(command.query_async(&mut self.connection()).await?)
    }

    async fn refused_between(
        &self,
        start: &str,
        end: &str,
        count: usize,
    ) -> Result<Vec<RefusedEntry>, LedgerError> {
        let mut command = redis::cmd("XRANGE");
        command.arg(self.keys().refused_events()).arg(start).arg(end).arg("COUNT").arg(count);
        let page: StreamRangeReply = command.query_async(&mut self.connection()).await?;
        page.ids.iter().map(|entry| Ok((entry_id(entry)?, RefusedEvent::read(entry)))).collect()
    }
}

fn entry_id(entry: &StreamId) -> Result<EntryId, LedgerError> {
    entry.id.parse().map_err(|_| LedgerError::Unexpected("events:refused"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use gdpr_jobs::{Pepper, Project};
    use redis::Value;

    use super::*;

    fn vault(project: &str) -> Vault {
        let pepper = Pepper::new("p".repeat(32).into()).unwrap();
        Vault::new(&pepper, &project.parse::<Project>().unwrap())
    }

    fn refused(field: Option<&str>, geolocation_off: bool) -> RefusedEvent {
        let source = "1795000000000-0-7";
        RefusedEvent {
            kind: EventKind::Profile,
            reason: "Mixpanel refused it".to_owned(),
            field: field.map(str::to_owned),
            source: source.to_owned(),
            tags: vec!["a".to_owned(), "b".to_owned()],
            geolocation_off,
            sealed: vault("p").seal_bytes(source, br#"{"$distinct_id":"u1"}"#).unwrap(),
            at: "2026-01-31T09:30:00Z".to_owned(),
        }
    }

    fn entry(fields: Vec<(&'static str, Vec<u8>)>) -> StreamId {
        let map = fields.into_iter().map(|(k, v)| (k.to_owned(), Value::BulkString(v))).collect();
        StreamId { id: "1795000000001-0".to_owned(), map, ..StreamId::default() }
    }

    #[test]
    fn what_is_written_reads_back() {
        for event in [refused(None, false), refused(Some("properties.time"), true)] {
            assert_eq!(RefusedEvent::read(&entry(event.fields())), Some(event));
        }
    }

    #[test]
    fn an_entry_without_its_record_cannot_be_read() {
        for missing in ["kind", "source", "sealed"] {
            let mut fields = refused(None, false).fields();
            fields.retain(|(name, _)| *name != missing);
            assert_eq!(RefusedEvent::read(&entry(fields)), None, "{missing}");
        }
    }

    #[test]
    fn the_record_opens_under_its_own_source_and_project_only() {
        let event = refused(None, false);
        assert_eq!(event.open(&vault("p")).unwrap(), r#"{"$distinct_id":"u1"}"#);
        assert!(event.open(&vault("q")).is_err());
        let moved = RefusedEvent { source: "1795000000000-0-8".to_owned(), ..event };
        assert!(moved.open(&vault("p")).is_err());
    }
}
