//! The wire: what is on its way to Mixpanel, and what became of it. How events are read stands in `reading.rs`.
//!
//! Before a parcel goes out it is registered on the wire ([`Ledger::claim_wire`]); the same script tells
//! what its people have said, so that an opt-out either comes before, and the parcel leaves that person out, or after,
//! and waits until the parcel has arrived ([`Ledger::acknowledge`]).
//!
//! | key after `gdpr:{project}:` | type | what |
//! | --- | --- | --- |
//! | `events` `events:refused` `filter` | | the contract |
//! | `events:reader` | string | token of the reader, with a time to live |
//! | `wire` `wire:PARCEL` | zset, string | parcels by the end of their time (ms), and the tags in each, separated by blanks |
//! | `ids:hashed` | string | since when ids have left as keyed hashes, if they ever did |
//! | `waiting:wire` | set | requests that go on when a parcel has arrived |

use std::{collections::BTreeMap, time::Duration};

use gdpr_jobs::{ConsentState, RequestId, Tag};
use redis::{Value, from_redis_value};

use super::{Ledger, LedgerError, refused::RefusedEvent, submission::millis};

/// Name under which the event of an opt-in is sealed.
pub fn opt_in_seal(request: &str) -> String {
    format!("opt_in/{request}")
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

impl Standing {
    /// Whether the person forbids what was enqueued at a moment (Unix ms), by what they have said themselves.
    pub fn forbids(&self, enqueued: u64) -> bool {
        self.consent == Some(ConsentState::OptedOut) || enqueued <= self.purged_to
    }
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
    /// Whether these stood one after the other, in this order and with nothing between them, when they were read.
    pub in_a_row: bool,
    /// What to add to the hash `filter` for the entries that are settled. What is refused is counted by itself.
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

impl Ledger {
    /// Registers a parcel on the wire for `lease`, and tells what is known of everybody in it. With `hashed`, ids leave
    /// in it as keyed hashes: that is noted for good before it may go ([`Ledger::intake`]).
    pub async fn claim_wire(
        &self,
        token: &str,
        parcel: &str,
        lease: Duration,
        hashed: bool,
        tags: &[Tag],
    ) -> Result<WireClaim, LedgerError> {
        let unexpected = || LedgerError::Unexpected("wire");
        self.must_be_durable().await?;
        let forms = if hashed { "hashed" } else { "plain" };
        let call = self.call(|s| &s.wire_claim).arg(token).arg(parcel).arg(millis(lease));
        let call = call.arg(forms).arg(words(tags.iter().map(Tag::as_str)));
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
        let (first, last) = match &*end.done {
            [first, .., last] if end.in_a_row => (first.as_str(), last.as_str()),
            _ => ("", ""),
        };
        call = call.arg(first).arg(last).arg(words(end.done.iter().map(String::as_str)));
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
        self.run_kept(self.call(|s| &s.acknowledge).arg(request.as_str())).await
    }

    /// How many entries wait on the event stream, and what the filter has counted.
    pub async fn events_state(&self) -> Result<(u64, BTreeMap<String, u64>), LedgerError> {
        let mut pipe = redis::pipe();
        pipe.cmd("XLEN").arg(self.keys().events());
        pipe.cmd("HGETALL").arg(self.keys().filter());
        Ok(pipe.query_async(&mut self.connection()).await?)
    }

    /// What is known of people, by tag.
    pub async fn standings(
        &self,
        tags: impl Iterator<Item = &str>,
    ) -> Result<Vec<Standing>, LedgerError> {
        let mut pipe = redis::pipe();
        for tag in tags {
            let key = self.keys().user(tag);
            pipe.cmd("HMGET").arg(key).arg(&["consent", "purged_to", "events_retained_until"]);
        }
        if pipe.is_empty() {
            return Ok(Vec::new());
        }
        let known: Vec<[Option<String>; 3]> = pipe.query_async(&mut self.connection()).await?;
        Ok(known.into_iter().map(standing).collect())
    }

    /// Takes entries off the event stream that hold nothing that may be delivered.
    pub async fn drop_events(&self, entries: &[String]) -> Result<u64, LedgerError> {
        let mut command = redis::cmd("XDEL");
        command.arg(self.keys().events()).arg(entries);
        let gone: u64 = command.query_async(&mut self.connection()).await?;
        let counted = redis::cmd("HINCRBY")
            .arg(self.keys().filter())
            .arg("purged")
            .arg(gone)
            .query_async::<()>(&mut self.connection())
            .await;
        // A count that is lost is not worth a second purge.
        let _ = counted;
        Ok(gone)
    }
}

/// Thousands of words as one argument: as many arguments would cost Redis more than what it does with them.
fn words<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let mut all = String::new();
    for word in words {
        all.push_str(word);
        all.push(' ');
    }
    all
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
