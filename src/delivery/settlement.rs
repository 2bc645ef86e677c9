//! What became of a batch's records, put together for the ledger.

use std::{collections::HashSet, ops::AddAssign};

use chrono::{SecondsFormat, Utc};
use gdpr_jobs::{DistinctId, Tag};

use super::{
    Deliverer,
    lane::Chunk,
    parcel::{Item, Kept, Leaving, Standings},
};
use crate::{
    consent::{Changes, RecordKind},
    ledger::{EventEntry, EventKind, ParcelEnd, RefusedEvent, seen_seal},
};

/// What became of some records, for the counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    delivered: u32,
    opted_out: u32,
    out_of_date: u32,
    nothing_left: u32,
    changes: Changes,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.delivered += other.delivered;
        self.opted_out += other.opted_out;
        self.out_of_date += other.out_of_date;
        self.nothing_left += other.nothing_left;
        self.changes += other.changes;
    }
}

impl Tally {
    /// The fields of the hash `filter` that are not 0.
    fn counts(&self, kind: RecordKind) -> Vec<(&'static str, u64)> {
        let delivered = match kind {
            RecordKind::Event => "events_delivered",
            RecordKind::Profile => "profiles_delivered",
        };
        let changes = &self.changes;
        let all = [
            (delivered, self.delivered),
            ("opted_out", self.opted_out),
            ("out_of_date", self.out_of_date),
            ("nothing_left", self.nothing_left),
            ("blacklisted", changes.blacklisted),
            ("geolocation", changes.geolocation),
            ("anonymized", changes.anonymized),
            ("email", changes.email),
            ("phone", changes.phone),
            ("card", changes.card),
            ("dropped_values", changes.dropped_values),
        ];
        all.into_iter().filter(|(_, by)| *by > 0).map(|(name, by)| (name, by.into())).collect()
    }
}

/// What is left of each entry.
#[derive(Clone, Copy, Default)]
struct Page {
    /// Records that are not settled yet.
    left: usize,
    /// What became of the others.
    tally: Tally,
}

/// How far each entry is. What became of its records is counted when the last one is settled: an array that breaks off
/// in its middle is read again from its beginning, and must not count twice.
pub(super) struct Books<'a> {
    entries: &'a [EventEntry],
    pages: Vec<Page>,
    kind: RecordKind,
    /// Whether the entries stood one after the other in the queue, with nothing between them.
    in_a_row: bool,
}

impl<'a> Books<'a> {
    /// Books for entries with so many records each.
    pub(super) fn new(chunk: Chunk<'a>, records: Vec<usize>, kind: RecordKind) -> Self {
        let pages = records.into_iter().map(|left| Page { left, ..Page::default() });
        Self { entries: chunk.entries, pages: pages.collect(), kind, in_a_row: chunk.in_a_row }
    }

    /// Entries in which there is nothing to deliver.
    pub(super) fn empty(&self) -> Vec<String> {
        let all = self.entries.iter().zip(&self.pages);
        all.filter(|(_, page)| page.left == 0).map(|(entry, _)| entry.id.clone()).collect()
    }

    /// Strikes a record off. Returns the number of its entry, and what became of all records in it, when that was the
    /// last one.
    fn strike(&mut self, item: &Item<'_>, tally: Tally) -> Option<(usize, Tally)> {
        let page = self.pages.get_mut(item.entry)?;
        page.left = page.left.saturating_sub(1);
        page.tally += tally;
        (page.left == 0).then_some((item.entry, page.tally))
    }
}

/// The word for a kind in the streams.
pub(super) const fn event_kind(kind: RecordKind) -> EventKind {
    match kind {
        RecordKind::Event => EventKind::Event,
        RecordKind::Profile => EventKind::Profile,
    }
}

/// A record that is set aside: `source` names its entry and its place in it.
pub(super) fn refused(
    deliverer: &Deliverer,
    kind: RecordKind,
    source: String,
    raw: &[u8],
    reason: String,
) -> RefusedEvent {
    RefusedEvent {
        kind: event_kind(kind),
        reason,
        field: None,
        tags: Vec::new(),
        geolocation_off: false,
        sealed: deliverer.vault.seal_bytes(&source, raw).unwrap_or_default(),
        at: Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true),
        source,
    }
}

/// Puts the end of one attempt together.
pub(super) struct Ending<'a, 'b> {
    pub(super) deliverer: &'a Deliverer,
    pub(super) items: &'a [Item<'b>],
    end: ParcelEnd,
    /// Numbers of the entries that are settled.
    done: Vec<usize>,
    tally: Tally,
}

impl<'a, 'b> Ending<'a, 'b> {
    pub(super) fn new(deliverer: &'a Deliverer, items: &'a [Item<'b>]) -> Self {
        let (end, tally) = (ParcelEnd::default(), Tally::default());
        Self { deliverer, items, end, done: Vec::new(), tally }
    }

    fn strike(&mut self, books: &mut Books<'_>, number: usize, tally: Tally) {
        if let Some((entry, tally)) = books.strike(&self.items[number], tally) {
            self.done.push(entry);
            self.tally += tally;
        }
    }

    /// Records that stay: they are settled, whatever happens to the others.
    pub(super) fn stayed(&mut self, books: &mut Books<'_>, staying: Vec<(usize, Kept)>) {
        for (number, kept) in staying {
            let mut tally = Tally::default();
            match kept {
                Kept::OptedOut => tally.opted_out = 1,
                Kept::OutOfDate => tally.out_of_date = 1,
                Kept::NothingLeft => tally.nothing_left = 1,
                Kept::Unusable(reason) => self.set_aside(books, number, reason, String::new()),
            }
            self.strike(books, number, tally);
        }
    }

    fn set_aside(&mut self, books: &Books<'_>, number: usize, reason: String, field: String) {
        let item = &self.items[number];
        let source = format!("{}-{}-{}", item.place.ms, item.place.seq, item.index);
        self.end.refused.push(RefusedEvent {
            field: Some(field).filter(|field| !field.is_empty()),
            tags: item.people.iter().map(|tag| tag.as_str().to_owned()).collect(),
            geolocation_off: item.geolocation_off,
            ..refused(self.deliverer, books.kind, source, item.raw.as_bytes(), reason)
        });
    }

    /// A record that Mixpanel did not take.
    pub(super) fn not_taken(
        &mut self,
        books: &mut Books<'_>,
        number: usize,
        reason: String,
        field: String,
    ) {
        self.set_aside(books, number, reason, field);
        self.strike(books, number, Tally::default());
    }

    /// Records that Mixpanel took.
    pub(super) fn delivered(
        &mut self,
        books: &mut Books<'_>,
        taken: impl Iterator<Item = Leaving>,
        known: &Standings<'_>,
    ) {
        let kept_until = Utc::now() + self.deliverer.privacy.event_retention;
        self.end.kept_until = kept_until.to_rfc3339_opts(SecondsFormat::Secs, true);
        let today = self.end.kept_until.get(..10).unwrap_or_default().to_owned();
        let (mut kept, mut seen, mut others) = (HashSet::new(), HashSet::new(), HashSet::new());
        for Leaving { number, changes } in taken {
            let item = &self.items[number];
            if books.kind == RecordKind::Event {
                let moves = |tag: &&Tag| {
                    let until = known.get(*tag).and_then(|person| person.retained_until.as_ref());
                    until.is_some_and(|until| until.get(..10) < Some(today.as_str()))
                };
                kept.extend(item.people.iter().filter(moves));
                if let (Some(_), Some(owner)) =
                    (self.deliverer.privacy.profile_retention, item.record.owner())
                {
                    seen.insert(owner);
                    others.extend(&item.people);
                }
            }
            self.strike(books, number, Tally { delivered: 1, changes, ..Tally::default() });
        }
        self.end.kept.extend(kept.into_iter().cloned());
        let sightings = seen.into_iter().filter_map(|owner| self.sighting(&owner));
        self.end.seen.extend(sightings.collect::<Vec<_>>());
        self.end.seen.extend(others.into_iter().map(|tag: &Tag| (tag.clone(), Vec::new())));
    }

    /// Whose event it was, with the id for the day on which the profile may have to go.
    fn sighting(&self, owner: &DistinctId) -> Option<(Tag, Vec<u8>)> {
        let tag = self.deliverer.tag(owner);
        let name = seen_seal(tag.as_str());
        let sealed = self.deliverer.vault.seal_bytes(&name, owner.expose().as_bytes()).ok()?;
        Some((tag, sealed))
    }

    pub(super) fn finish(mut self, books: &Books<'_>, off_the_wire: bool) -> ParcelEnd {
        self.end.off_the_wire = off_the_wire;
        self.end.counts = self.tally.counts(books.kind);
        self.done.sort_unstable();
        self.end.in_a_row =
            books.in_a_row && self.done.windows(2).all(|pair| pair[0] + 1 == pair[1]);
        self.end.done = self.done.iter().map(|entry| books.entries[*entry].id.clone()).collect();
        self.end
    }
}
