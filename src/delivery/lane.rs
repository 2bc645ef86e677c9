//! One batch of entries, until all of it is settled: claim, filter, send, settle, as often as it takes.

use std::{collections::HashMap, time::Duration};

use bytes::Bytes;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    ARRIVES_WITHIN, Deliverer,
    entry::{self, Ours},
    parcel::{Item, Kept, Selection, Standings, everybody, select},
    pause::Cause,
    settlement::{Books, Ending, event_kind},
    sorting::{Group, groups, sort},
};
use crate::{
    consent::RecordKind,
    ledger::{EventEntry, LedgerError, ParcelEnd, WireClaim},
    mixpanel::{Channel, Delivery, Parcel, Unfit},
};

/// How long an outcome is offered to Redis; after that the records are read and sent again, with the same `$insert_id`s.
const INSIST: Duration = Duration::from_secs(60);

/// The time in which this process is the reader.
#[derive(Clone)]
pub(super) struct Tenure {
    pub(super) token: std::sync::Arc<str>,
    /// Cancelled when it is over, or the process is told to stop.
    pub(super) over: CancellationToken,
}

/// What an attempt left to do.
enum Next {
    /// These, one after the other, after a while; none when all is settled.
    Again(Vec<Group>, Duration),
    /// Somebody else reads now.
    Gone,
}

impl Next {
    const SETTLED: Self = Self::Again(Vec::new(), Duration::ZERO);

    fn halves(mut first: Group) -> Self {
        let second = first.split_off(first.len().div_ceil(2));
        Self::Again(vec![first, second], Duration::ZERO)
    }
}

/// Delivers entries of one kind. What is not settled when the tenure is over is read again by the next reader.
pub(super) async fn deliver(
    deliverer: &Deliverer,
    tenure: &Tenure,
    kind: RecordKind,
    entries: &[EventEntry],
) -> Result<(), LedgerError> {
    let contents: Vec<_> = entries.iter().map(|entry| entry::content(deliverer, entry)).collect();
    let sorted = sort(deliverer, kind, entries, &contents);
    let items = sorted.items;
    let mut books = Books::new(entries, sorted.counts, kind);
    let opening = ParcelEnd {
        done: books.empty(),
        counts: vec![("refused", sorted.unreadable.len() as u64)],
        refused: sorted.unreadable,
        ..ParcelEnd::default()
    };
    if !opening.done.is_empty() || !opening.refused.is_empty() {
        deliverer.ledger.settle_wire("", &opening).await?;
    }
    let lane = Lane { deliverer, tenure, kind, items: &items };
    let mut stack = groups(items.iter().map(|item| item.raw.len()));
    stack.reverse();
    while let Some(group) = stack.pop() {
        if tenure.over.is_cancelled() {
            return Ok(());
        }
        match lane.attempt(group, &mut books).await? {
            Next::Gone => {
                tenure.over.cancel();
                return Ok(());
            }
            Next::Again(groups, wait) => {
                stack.extend(groups.into_iter().rev());
                if wait.is_zero() {
                    continue;
                }
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = tenure.over.cancelled() => return Ok(()),
                }
            }
        }
    }
    Ok(())
}

struct Lane<'a, 'b> {
    deliverer: &'a Deliverer,
    tenure: &'a Tenure,
    kind: RecordKind,
    items: &'a [Item<'b>],
}

impl Lane<'_, '_> {
    const fn channel(&self) -> Channel {
        match self.kind {
            RecordKind::Event => self.deliverer.event_channel(),
            RecordKind::Profile => Channel::Engage,
        }
    }

    async fn attempt(&self, group: Group, books: &mut Books<'_>) -> Result<Next, LedgerError> {
        let left = self.deliverer.pause.left(Instant::now());
        if !left.is_zero() {
            return Ok(Next::Again(vec![group], left));
        }
        let people = everybody(group.iter().map(|number| &self.items[*number]));
        // The claim starts to count later than this: its time is over no sooner than ours.
        let deadline = Instant::now() + self.deliverer.time_on_the_wire;
        let lane = event_kind(self.kind).as_str();
        let parcel = format!("{lane}/{:016x}", rand::random::<u64>());
        let lease = self.deliverer.time_on_the_wire + ARRIVES_WITHIN;
        let (ledger, token) = (&self.deliverer.ledger, &self.tenure.token);
        let known = match ledger.claim_wire(token, &parcel, lease, &people).await? {
            WireClaim::Gone => return Ok(Next::Gone),
            WireClaim::Busy(wait) => return Ok(Next::Again(vec![group], wait)),
            WireClaim::Go(standings) => people.iter().zip(standings).collect::<Standings<'_>>(),
        };
        crate::failpoint::reached("deliver.claimed");
        let (group, out_of_date) = self.sort_out(group).await?;
        let mut selection = select(self.deliverer, self.items, &group, &known);
        let mut ending = Ending::new(self.deliverer, self.items);
        ending.stayed(books, out_of_date);
        ending.stayed(books, std::mem::take(&mut selection.staying));
        let (next, arrived) = self.send(selection, deadline, books, &known, &mut ending).await;
        crate::failpoint::reached("deliver.sent");
        let end = ending.finish(arrived);
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
        let (parcel, numbers, rest) = self.pack(selection.body, &selection.leaving, books, ending);
        if parcel.is_empty() {
            return (Next::Again(rest, Duration::ZERO), true);
        }
        let answer = self.deliverer.ingestion.send(&parcel, deadline).await;
        let pause = &self.deliverer.pause;
        let wait = |cause| pause.failed(cause, Instant::now(), rand::random::<f64>());
        let project = &self.deliverer.project;
        let (mut next, arrived) = match answer {
            Delivery::Accepted { uncounted } => {
                pause.succeeded();
                if uncounted > 0 {
                    tracing::warn!(%project, uncounted, "Mixpanel counts fewer events than it was sent, and names none");
                }
                ending.delivered(books, numbers.into_iter(), known);
                ending.changed(&selection.changes);
                (Next::SETTLED, true)
            }
            Delivery::Partly { refused } => {
                pause.succeeded();
                ending.changed(&selection.changes);
                let refused: HashMap<usize, _> =
                    refused.into_iter().map(|record| (record.index, record)).collect();
                let taken = numbers.iter().enumerate();
                let taken = taken.filter(|(index, _)| !refused.contains_key(index));
                ending.delivered(books, taken.map(|(_, number)| *number), known);
                for (index, record) in refused {
                    if let Some(number) = numbers.get(index) {
                        ending.not_taken(books, *number, record.reason.to_string(), record.field);
                    }
                }
                (Next::SETTLED, true)
            }
            Delivery::Refused { .. } | Delivery::TooLarge if numbers.len() > 1 => {
                (Next::halves(numbers), true)
            }
            Delivery::Refused { reason } => {
                pause.succeeded();
                ending.not_taken(books, numbers[0], reason.to_string(), String::new());
                (Next::SETTLED, true)
            }
            Delivery::TooLarge => {
                pause.succeeded();
                let reason = "Mixpanel says that it is too large (413)".to_owned();
                ending.not_taken(books, numbers[0], reason, String::new());
                (Next::SETTLED, true)
            }
            Delivery::Throttled { retry_after } => {
                (Next::Again(vec![numbers], wait(Cause::Throttled(retry_after))), true)
            }
            Delivery::Unauthorized { status } => {
                tracing::warn!(%project, status, "Mixpanel refuses events with this project token: they are kept");
                (Next::Again(vec![numbers], wait(Cause::Unauthorized(status))), true)
            }
            Delivery::Unavailable { why, sent } => {
                tracing::warn!(%project, ?why, "events are delivered again later");
                (Next::Again(vec![numbers], wait(Cause::Unavailable)), !sent)
            }
            Delivery::Late => (Next::Again(vec![numbers], Duration::ZERO), true),
        };
        if let Next::Again(groups, _) = &mut next {
            groups.extend(rest);
        }
        (next, arrived)
    }

    /// One parcel, the numbers of the items in it, and those that did not fit.
    fn pack(
        &self,
        body: Vec<u8>,
        leaving: &[(usize, usize)],
        books: &mut Books<'_>,
        ending: &mut Ending<'_, '_>,
    ) -> (Parcel, Group, Vec<Group>) {
        let body = Bytes::from(body);
        let (mut parcel, mut numbers, mut rest) =
            (Parcel::new(self.channel()), Group::new(), Group::new());
        let mut start = 0;
        for &(end, number) in leaving {
            // From the first that does not fit on, all wait: the order is theirs to keep.
            if !rest.is_empty() {
                rest.push(number);
                continue;
            }
            match parcel.push(body.slice(start..end)) {
                Ok(()) => numbers.push(number),
                Err(Unfit::Full) => rest.push(number),
                Err(unfit @ Unfit::Oversized) => {
                    ending.not_taken(books, number, unfit.to_string(), String::new());
                }
            }
            start = end;
        }
        (parcel, numbers, if rest.is_empty() { Vec::new() } else { vec![rest] })
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
