//! One parcel: claim, filter, send, settle.

use std::{collections::HashMap, time::Duration};

use bytes::Bytes;
use tokio::time::Instant;

use super::{
    ARRIVES_WITHIN, Deliverer,
    entry::{Ours, Place},
    lane::{Heard, Next, Tenure},
    parcel::{Item, Kept, Leaving, Selection, Standings, everybody, known_of, select},
    pause::{Cause, Pause},
    settlement::{Books, Ending, event_kind},
    sorting::Group,
};
use crate::{
    consent::RecordKind,
    ledger::{LedgerError, ParcelEnd, WireClaim},
    mixpanel::{Channel, Delivery, Parcel, Unfit},
};

/// How long an outcome is offered to Redis; after that the records are read and sent again, with the same `$insert_id`s.
const INSIST: Duration = Duration::from_secs(60);
/// How long a row of settled events waits for those that stand before it: together they are taken off the stream at once,
/// where a row in the middle is taken off one by one.
const IN_ORDER_WITHIN: Duration = Duration::from_millis(200);

/// A batch of records of one kind, on its way.
pub(super) struct Lane<'a, 'b> {
    pub(super) deliverer: &'a Deliverer,
    pub(super) tenure: &'a Tenure,
    pub(super) kind: RecordKind,
    pub(super) items: &'a [Item<'b>],
}

impl Lane<'_, '_> {
    const fn channel(&self) -> Channel {
        match self.kind {
            RecordKind::Event => self.deliverer.event_channel(),
            RecordKind::Profile => Channel::Engage,
        }
    }

    const fn pause(&self) -> &Pause {
        self.deliverer.pauses.of(self.kind)
    }

    /// Every record of a parcel was refused, and none of them named.
    pub(super) fn refused_all(&self) {
        if self.pause().refused_all(Instant::now(), rand::random::<f64>()) {
            let (project, kind) = (&self.deliverer.project, event_kind(self.kind).as_str());
            tracing::error!(%project, kind, "Mixpanel refuses parcel after parcel whole: records wait, one is tried now and then");
        }
    }

    /// What of a group may go now, once it may, and what comes after it. While everything is refused that is one record.
    /// The deletion of a profile waits until the events that stand before it are settled.
    pub(super) async fn next_part(&self, mut group: Group) -> (Group, Option<Group>) {
        let early = |number: &usize| {
            let item = &self.items[*number];
            matches!(item.ours, Ours::ProfileDeletion(_))
                && self.tenure.unsettled.any_before(item.place)
        };
        let mut most = if self.pause().is_probing() { 1 } else { group.len() };
        if group.first().is_some_and(early) {
            self.tenure.unsettled.none_before(self.items[group[0]].place).await;
        }
        if let Some(before) = group.iter().skip(1).position(early) {
            most = most.min(before + 1);
        }
        let later = group.split_off(most.min(group.len()));
        (group, (!later.is_empty()).then_some(later))
    }

    pub(super) async fn attempt(
        &self,
        group: Group,
        books: &mut Books<'_>,
    ) -> Result<Next, LedgerError> {
        let left = self.pause().left(Instant::now());
        if !left.is_zero() {
            return Ok(Next::again(vec![group], left));
        }
        let people = everybody(group.iter().map(|number| &self.items[*number]));
        // The claim starts to count later than this: its time is over no sooner than ours.
        let deadline = Instant::now() + self.deliverer.time_on_the_wire;
        let lane = event_kind(self.kind).as_str();
        let parcel = format!("{lane}/{:016x}", rand::random::<u64>());
        let lease = self.deliverer.time_on_the_wire + ARRIVES_WITHIN;
        let (ledger, token) = (&self.deliverer.ledger, &self.tenure.token);
        let hashed = self.deliverer.filter.hashes_ids();
        let known = match ledger.claim_wire(token, &parcel, lease, hashed, &people).await? {
            WireClaim::Gone => return Ok(Next::Gone),
            WireClaim::Busy(wait) => return Ok(Next::again(vec![group], wait)),
            WireClaim::Go(standings) => known_of(&people, standings),
        };
        crate::failpoint::reached("deliver.claimed");
        let (group, out_of_date) = self.sort_out(group).await?;
        let mut selection = select(self.deliverer, self.items, &group, &known);
        let mut ending = Ending::new(self.deliverer, self.items);
        ending.stayed(books, out_of_date);
        ending.stayed(books, std::mem::take(&mut selection.staying));
        let (next, arrived) = self.send(selection, deadline, books, &known, &mut ending).await;
        crate::failpoint::reached("deliver.sent");
        let end = ending.finish(books, arrived);
        self.let_others_settle(&end).await;
        self.settle(&parcel, &end).await?;
        Ok(next)
    }

    /// Sorts out deletions of profiles that have had an event since: whoever waited in a queue may have come back.
    async fn sort_out(&self, group: Group) -> Result<(Group, Vec<(usize, Kept)>), LedgerError> {
        let (mut left, mut out_of_date) = (Group::with_capacity(group.len()), Vec::new());
        for number in group {
            // Not in a guard of the match: with an await in it, rustc 1.95 read the item through a wild pointer.
            let came_back = match self.items[number].ours {
                Ours::ProfileDeletion(tag) => self.deliverer.ledger.is_seen(tag).await?,
                Ours::OptIn | Ours::No => false,
            };
            if came_back {
                out_of_date.push((number, Kept::OutOfDate));
            } else {
                left.push(number);
            }
        }
        Ok((left, out_of_date))
    }

    /// Sends what leaves. Returns what is next, and whether nothing of it can arrive any more.
    async fn send(
        &self,
        selection: Selection,
        deadline: Instant,
        books: &mut Books<'_>,
        known: &Standings<'_>,
        ending: &mut Ending<'_, '_>,
    ) -> (Next, bool) {
        let (parcel, sent, rest) = self.pack(selection.body, &selection.leaving, books, ending);
        if parcel.is_empty() {
            return (Next::again(rest, Duration::ZERO), true);
        }
        let answer = self.deliverer.ingestion.send(&parcel, deadline).await;
        let (pause, project) = (self.pause(), &self.deliverer.project);
        let later = |cause| {
            let wait = pause.failed(cause, Instant::now(), rand::random::<f64>());
            Next::again(vec![numbers(&sent)], wait)
        };
        let (mut next, arrived) = match answer {
            Delivery::Accepted { uncounted } => {
                pause.succeeded();
                if uncounted > 0 {
                    tracing::warn!(%project, uncounted, "Mixpanel counts fewer events than it was sent, and names none");
                }
                ending.delivered(books, sent.into_iter(), known);
                (Next::settled(Heard::Taken), true)
            }
            Delivery::Partly { refused } => {
                pause.succeeded();
                let refused: HashMap<usize, _> =
                    refused.into_iter().map(|record| (record.index, record)).collect();
                let taken = sent.iter().enumerate();
                let taken = taken.filter(|(index, _)| !refused.contains_key(index));
                ending.delivered(books, taken.map(|(_, record)| *record), known);
                for (index, record) in refused {
                    if let Some(Leaving { number, .. }) = sent.get(index) {
                        ending.not_taken(books, *number, record.reason.to_string(), record.field);
                    }
                }
                (Next::settled(Heard::Taken), true)
            }
            Delivery::Refused { .. } | Delivery::TooLarge if sent.len() > 1 => {
                (Next::halves(numbers(&sent)), true)
            }
            Delivery::Refused { reason } => {
                pause.refused_one(Instant::now(), rand::random::<f64>());
                ending.not_taken(books, sent[0].number, reason.to_string(), String::new());
                (Next::settled(Heard::Refused), true)
            }
            Delivery::TooLarge => {
                pause.succeeded();
                let reason = "Mixpanel says that it is too large (413)".to_owned();
                ending.not_taken(books, sent[0].number, reason, String::new());
                (Next::settled(Heard::Taken), true)
            }
            Delivery::Throttled { retry_after } => (later(Cause::Throttled(retry_after)), true),
            Delivery::Unauthorized { status } => {
                tracing::warn!(%project, status, "Mixpanel refuses events with this project token: they are kept");
                (later(Cause::Unauthorized(status)), true)
            }
            Delivery::Unavailable { why, sent } => {
                tracing::warn!(%project, ?why, "events are delivered again later");
                (later(Cause::Unavailable), !sent)
            }
            Delivery::Late => (Next::again(vec![numbers(&sent)], Duration::ZERO), true),
        };
        if let Next::Again { groups, .. } = &mut next {
            groups.extend(rest);
        }
        (next, arrived)
    }

    /// One parcel, the records in it, and those that did not fit.
    fn pack(
        &self,
        body: Vec<u8>,
        leaving: &[(usize, Leaving)],
        books: &mut Books<'_>,
        ending: &mut Ending<'_, '_>,
    ) -> (Parcel, Vec<Leaving>, Vec<Group>) {
        let body = Bytes::from(body);
        let (mut parcel, mut sent, mut rest) =
            (Parcel::new(self.channel()), Vec::with_capacity(leaving.len()), Group::new());
        let mut start = 0;
        for &(end, record) in leaving {
            // From the first that does not fit on, all wait: the order is theirs to keep.
            if !rest.is_empty() {
                rest.push(record.number);
                continue;
            }
            match parcel.push(body.slice(start..end)) {
                Ok(()) => sent.push(record),
                Err(Unfit::Full) => rest.push(record.number),
                Err(unfit @ Unfit::Oversized) => {
                    ending.not_taken(books, record.number, unfit.to_string(), String::new());
                }
            }
            start = end;
        }
        (parcel, sent, if rest.is_empty() { Vec::new() } else { vec![rest] })
    }

    /// Waits a moment for the events that stand before a row.
    async fn let_others_settle(&self, end: &ParcelEnd) {
        if let Some(first) = end.done.first().filter(|_| end.in_a_row) {
            let others = self.tenure.unsettled.none_before(Place::of(first));
            let _ = tokio::time::timeout(IN_ORDER_WITHIN, others).await;
        }
    }

    /// Writes until it is written: what Mixpanel has must not be sent again because Redis is away for a while.
    async fn settle(&self, parcel: &str, end: &ParcelEnd) -> Result<(), LedgerError> {
        let (mut wait, since) = (Duration::from_millis(50), Instant::now());
        loop {
            match self.deliverer.ledger.settle_wire(parcel, end).await {
                Err(LedgerError::Redis(error))
                    if since.elapsed() < INSIST && !self.tenure.over.is_cancelled() =>
                {
                    let fault = gdpr_jobs::RedisFault::from(&error);
                    tracing::warn!(project = %self.deliverer.project, %fault, "Redis did not take an outcome; trying again");
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(Duration::from_secs(2));
                }
                done => return done,
            }
        }
    }
}

/// The group that some records make.
fn numbers(records: &[Leaving]) -> Group {
    records.iter().map(|record| record.number).collect()
}
