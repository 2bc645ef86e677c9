//! The event stream and the wire: who reads it, what is on its way to Mixpanel, and what became of it.
//!
//! One replica at a time reads a project's events ([`Ledger::read_events`]), so that a person's profile operations keep
//! their order. Before a parcel goes out it is registered on the wire ([`Ledger::claim_wire`]); the same script tells
//! what its people have said, so that an opt-out either comes before, and the parcel leaves that person out, or after,
//! and waits until the parcel has arrived ([`Ledger::acknowledge`]).
//!
//! | key after `gdpr:{project}:` | type | what |
//! | --- | --- | --- |
//! | `events` `events:refused` `filter` | | the contract |
//! | `events:reader` | string | token of the reader, with a time to live |
//! | `wire` `wire:PARCEL` | zset, set | parcels by the end of their time (ms), and the tags in each |
//! | `waiting:wire` | set | requests that go on when a parcel has arrived |
//! | `seen` `seen:ids` | zset, hash | tag → last event (Unix s), and the sealed id; only with a profile retention |
//! | `retention:DAY` | string | profiles deleted for lack of events on that day |

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use gdpr_jobs::{ConsentState, RequestId, Tag};
use redis::{Value, from_redis_value};

use super::{Ledger, LedgerError, refused::RefusedEvent, submission::millis};

/// Name under which the event of an opt-in is sealed.
pub fn opt_in_seal(request: &str) -> String {
    format!("opt_in/{request}")
}

/// Name under which the id of somebody who was seen is sealed.
pub fn seen_seal(tag: &str) -> String {
    format!("seen/{tag}")
}

/// An entry of the event stream as it stands there. Without fields it was deleted after it was read.
#[derive(Clone, Debug)]
pub struct EventEntry {
    /// Its id.
    pub id: String,
    /// Names and values by turns.
    pub fields: Vec<Vec<u8>>,
}

/// What a read came to.
#[derive(Debug)]
pub enum EventsRead {
    /// Another replica reads, at least for so long.
    NotTheReader(Duration),
    /// Entries; none when there are no more.
    Entries(Vec<EventEntry>),
}

/// What is known of a person when a parcel is claimed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// What they said.
    pub consent: Option<ConsentState>,
    /// Entries up to this moment (Unix ms) are not to be delivered.
    pub purged_to: u64,
    /// `events_retained_until`, if the person has a user hash.
    pub retained_until: Option<String>,
}

/// What a claim came to.
#[derive(Debug)]
pub enum WireClaim {
    /// The caller is not the reader any more.
    Gone,
    /// Profiles must wait: others may still be on their way.
    Busy(Duration),
    /// The parcel is on the wire; one standing for each tag, in order.
    Go(Vec<Standing>),
}

/// What became of a parcel.
#[derive(Clone, Debug, Default)]
pub struct ParcelEnd {
    /// Whether nothing of it can arrive any more.
    pub off_the_wire: bool,
    /// Entries that are settled as a whole.
    pub done: Vec<String>,
    /// Counts for the hash `filter`.
    pub counts: Vec<(&'static str, u64)>,
    /// Records that were not taken.
    pub refused: Vec<RefusedEvent>,
    /// Whose events were delivered, with the sealed id when it may not be known yet.
    pub seen: Vec<(Tag, Vec<u8>)>,
    /// Whose `events_retained_until` moves.
    pub kept: Vec<Tag>,
    /// To what, in RFC 3339.
    pub kept_until: String,
}

/// What a look for people without events came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retained {
    /// Profiles asked to be deleted now.
    pub asked: u64,
    /// Profiles that are overdue and left.
    pub left: u64,
    /// Profiles asked to be deleted today.
    pub today: u64,
}

/// How the retention of profiles stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionState {
    /// People whose last event is on record.
    pub seen: u64,
    /// Profiles asked to be deleted today.
    pub today: u64,
    /// Profiles that are overdue.
    pub left: u64,
}

impl Ledger {
    /// Reads entries, as the reader `token` and for `lease` more. `after`: `>` for new ones, or the entry after
    /// which to read again what was read and not settled (`0` for all of it).
    pub async fn read_events(
        &self,
        token: &str,
        lease: Duration,
        most: usize,
        bytes: usize,
        after: &str,
    ) -> Result<EventsRead, LedgerError> {
        let unexpected = || LedgerError::Unexpected("events");
        let call = self.call(|s| &s.events_read).arg(token).arg(millis(lease));
        let reply: Vec<Value> = self.run(call.arg(most).arg(bytes).arg(after)).await?;
        let [mine, rest] = <[Value; 2]>::try_from(reply).map_err(|_| unexpected())?;
        if mine == Value::Int(0) {
            let ms: u64 = from_redis_value(rest).map_err(|_| unexpected())?;
            return Ok(EventsRead::NotTheReader(Duration::from_millis(ms)));
        }
        let Value::Array(entries) = rest else { return Err(unexpected()) };
        let entries = entries.into_iter().map(|entry| event_entry(entry).ok_or_else(unexpected));
        entries.collect::<Result<_, _>>().map(EventsRead::Entries)
    }

    /// Stays the reader for `lease` more; with none, gives it up. Whether it was the reader.
    pub async fn keep_reading(&self, token: &str, lease: Duration) -> Result<bool, LedgerError> {
        let call = self.call(|s| &s.events_lease).arg(token).arg(millis(lease));
        self.run(call).await
    }

    /// Registers a parcel on the wire for `lease`, and tells what is known of everybody in it.
    pub async fn claim_wire(
        &self,
        token: &str,
        parcel: &str,
        lease: Duration,
        tags: &[Tag],
    ) -> Result<WireClaim, LedgerError> {
        let unexpected = || LedgerError::Unexpected("wire");
        let mut call = self.call(|s| &s.wire_claim).arg(token).arg(parcel).arg(millis(lease));
        for tag in tags {
            call = call.arg(tag.as_str());
        }
        let mut reply = self.run::<Vec<Value>>(call).await?.into_iter();
        let mut next = || reply.next().and_then(|value| from_redis_value::<String>(value).ok());
        match next().as_deref() {
            Some("gone") => return Ok(WireClaim::Gone),
            Some("busy") => {
                let ms = next().and_then(|ms| ms.parse().ok()).ok_or_else(unexpected)?;
                return Ok(WireClaim::Busy(Duration::from_millis(ms)));
            }
            Some("go") => {}
            _ => return Err(unexpected()),
        }
        let mut standings = vec![Standing::default(); tags.len()];
        while let Some(number) = next() {
            let number: usize = number.parse().map_err(|_| unexpected())?;
            let known = standings.get_mut(number).ok_or_else(unexpected)?;
            *known = standing([next(), next(), next()]);
        }
        Ok(WireClaim::Go(standings))
    }

    /// Records what became of a parcel.
    pub async fn settle_wire(&self, parcel: &str, end: &ParcelEnd) -> Result<(), LedgerError> {
        let call = self.call(|s| &s.wire_settle).arg(parcel);
        let mut call = call.arg(if end.off_the_wire { "off" } else { "on" });
        call = call.arg(end.done.len()).arg(&end.done);
        call = call.arg(end.counts.len());
        for (name, by) in &end.counts {
            call = call.arg(*name).arg(*by);
        }
        call = call.arg(end.refused.len());
        for refused in &end.refused {
            let fields = refused.fields();
            call = call.arg(fields.len() * 2);
            for (name, value) in fields {
                call = call.arg(name).arg(value);
            }
        }
        call = call.arg(end.seen.len());
        for (tag, sealed) in &end.seen {
            call = call.arg(tag.as_str()).arg(sealed);
        }
        call = call.arg(end.kept.len());
        for tag in &end.kept {
            call = call.arg(tag.as_str());
        }
        self.run(call.arg(&end.kept_until)).await
    }

    /// Lets a request go on that waited for the wire, if nothing of its person is there any more.
    pub async fn acknowledge(&self, request: &RequestId) -> Result<bool, LedgerError> {
        self.run(self.call(|s| &s.acknowledge).arg(request.as_str())).await
    }

    /// Asks for the deletion of at most `most_a_day` profiles whose last event is older than `since` (Unix s).
    pub async fn retain(&self, since: i64, most_a_day: usize) -> Result<Retained, LedgerError> {
        const AT_ONCE: usize = 500;
        let call = self.call(|s| &s.retain).arg(since).arg(most_a_day).arg(AT_ONCE);
        let (asked, left, today) = self.run(call).await?;
        Ok(Retained { asked, left, today })
    }

    /// The state of the retention at `now`, for people without an event since `since` (Unix s). Changes nothing.
    pub async fn retention_state(
        &self,
        since: Option<i64>,
        now: DateTime<Utc>,
    ) -> Result<RetentionState, LedgerError> {
        let seen = self.keys().named("seen");
        let mut pipe = redis::pipe();
        pipe.cmd("ZCARD").arg(&seen);
        pipe.cmd("GET").arg(self.keys().named(&format!("retention:{}", now.format("%Y-%m-%d"))));
        pipe.cmd("ZCOUNT").arg(&seen).arg("-inf").arg(since.unwrap_or(i64::MIN));
        let (seen, today, left): (u64, Option<u64>, u64) =
            pipe.query_async(&mut self.connection()).await?;
        Ok(RetentionState { seen, today: today.unwrap_or(0), left })
    }

    /// Whether a person was seen (again): a deletion of the profile is out of date then.
    pub async fn is_seen(&self, tag: &str) -> Result<bool, LedgerError> {
        let mut command = redis::cmd("ZSCORE");
        command.arg(self.keys().named("seen")).arg(tag);
        let score: Option<f64> = command.query_async(&mut self.connection()).await?;
        Ok(score.is_some())
    }

    /// How many entries wait on the event stream, and what the filter has counted.
    pub async fn events_state(&self) -> Result<(u64, BTreeMap<String, u64>), LedgerError> {
        let mut pipe = redis::pipe();
        pipe.cmd("XLEN").arg(self.keys().named("events"));
        pipe.cmd("HGETALL").arg(self.keys().named("filter"));
        Ok(pipe.query_async(&mut self.connection()).await?)
    }

    /// A page of the event stream, after an entry.
    pub async fn look_at_events(
        &self,
        after: &str,
        most: usize,
    ) -> Result<Vec<EventEntry>, LedgerError> {
        let unexpected = || LedgerError::Unexpected("events");
        let mut command = redis::cmd("XRANGE");
        command.arg(self.keys().named("events")).arg(format!("({after}")).arg("+");
        let reply: Vec<Value> =
            command.arg("COUNT").arg(most).query_async(&mut self.connection()).await?;
        reply.into_iter().map(|entry| event_entry(entry).ok_or_else(unexpected)).collect()
    }

    /// What is known of people.
    pub async fn standings(&self, tags: &[Tag]) -> Result<Vec<Standing>, LedgerError> {
        if tags.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipe = redis::pipe();
        for tag in tags {
            let key = self.keys().user(tag.as_str());
            pipe.cmd("HMGET").arg(key).arg(&["consent", "purged_to", "events_retained_until"]);
        }
        let known: Vec<[Option<String>; 3]> = pipe.query_async(&mut self.connection()).await?;
        Ok(known.into_iter().map(standing).collect())
    }

    /// Whether one of these people is opted out, or was after the moment `ms`.
    pub async fn was_anyone_opted_out(
        &self,
        tags: &[String],
        ms: u64,
    ) -> Result<bool, LedgerError> {
        if tags.is_empty() {
            return Ok(false);
        }
        let mut pipe = redis::pipe();
        for tag in tags {
            pipe.cmd("HMGET").arg(self.keys().user(tag)).arg(&["consent", "purged_to"]);
        }
        let said: Vec<[Option<String>; 2]> = pipe.query_async(&mut self.connection()).await?;
        let standings = said.into_iter().map(|[consent, purged]| standing([consent, purged, None]));
        Ok(standings
            .into_iter()
            .any(|person| person.consent == Some(ConsentState::OptedOut) || ms <= person.purged_to))
    }

    /// Takes entries off the event stream that hold nothing that may be delivered.
    pub async fn drop_events(&self, entries: &[String]) -> Result<u64, LedgerError> {
        let key = self.keys().named("events");
        let (_, gone): (u64, u64) = redis::pipe()
            .atomic()
            .cmd("XACK")
            .arg(&key)
            .arg("workers")
            .arg(entries)
            .cmd("XDEL")
            .arg(&key)
            .arg(entries)
            .query_async(&mut self.connection())
            .await?;
        let counted = redis::cmd("HINCRBY")
            .arg(self.keys().named("filter"))
            .arg("purged")
            .arg(gone)
            .query_async::<()>(&mut self.connection())
            .await;
        // A count that is lost is not worth a second purge.
        let _ = counted;
        Ok(gone)
    }
}

fn event_entry(value: Value) -> Option<EventEntry> {
    let Value::Array(parts) = value else { return None };
    let [id, fields] = <[Value; 2]>::try_from(parts).ok()?;
    let fields = match fields {
        Value::Array(fields) => {
            fields.into_iter().map(|f| from_redis_value(f).ok()).collect::<Option<_>>()?
        }
        _ => Vec::new(),
    };
    Some(EventEntry { id: from_redis_value(id).ok()?, fields })
}

fn standing([consent, purged_to, retained]: [Option<String>; 3]) -> Standing {
    let said = |text: Option<String>| text.filter(|text| !text.is_empty());
    // What cannot be read was changed by hand: it forbids, for that person alone.
    let unclear = ConsentState::OptedOut;
    Standing {
        consent: said(consent).map(|word| word.parse().unwrap_or(unclear)),
        purged_to: said(purged_to).map_or(0, |ms| ms.parse().unwrap_or(u64::MAX)),
        retained_until: said(retained),
    }
}
