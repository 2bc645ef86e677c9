//! What became of a batch's records, put together for the ledger.

use std::collections::HashSet;

use chrono::{SecondsFormat, Utc};
use gdpr_jobs::{DistinctId, Tag};

use super::{
    Deliverer,
    parcel::{Item, Kept, Standings},
};
use crate::{
    consent::{Changes, RecordKind},
    ledger::{EventEntry, EventKind, ParcelEnd, RefusedEvent, seen_seal},
};

/// How many records of each entry are not settled yet.
pub(super) struct Books<'a> {
    entries: &'a [EventEntry],
    left: Vec<usize>,
    kind: RecordKind,
}

impl<'a> Books<'a> {
    /// Books for entries with so many records each.
    pub(super) fn new(entries: &'a [EventEntry], records: Vec<usize>, kind: RecordKind) -> Self {
        Self { entries, left: records, kind }
    }

    /// Entries in which there is nothing to deliver.
    pub(super) fn empty(&self) -> Vec<String> {
        let all = self.entries.iter().zip(&self.left);
        all.filter(|(_, left)| **left == 0).map(|(entry, _)| entry.id.clone()).collect()
    }

    /// Strikes a record off. Returns its entry when that was the last one.
    fn strike(&mut self, item: &Item<'_>) -> Option<String> {
        let left = self.left.get_mut(item.entry)?;
        *left = left.saturating_sub(1);
        (*left == 0).then(|| self.entries[item.entry].id.clone())
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
    pub(super) end: ParcelEnd,
    counts: Vec<(&'static str, u64)>,
}

impl<'a, 'b> Ending<'a, 'b> {
    pub(super) fn new(deliverer: &'a Deliverer, items: &'a [Item<'b>]) -> Self {
        Self { deliverer, items, end: ParcelEnd::default(), counts: Vec::new() }
    }

    fn count(&mut self, name: &'static str, by: u64) {
        match self.counts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum += by,
            None => self.counts.push((name, by)),
        }
    }

    /// Records that stay: they are settled, whatever happens to the others.
    pub(super) fn stayed(&mut self, books: &mut Books<'_>, staying: Vec<(usize, Kept)>) {
        for (number, kept) in staying {
            match kept {
                Kept::OptedOut => self.count("opted_out", 1),
                Kept::OutOfDate => self.count("out_of_date", 1),
                Kept::NothingLeft => self.count("nothing_left", 1),
                Kept::Unusable(reason) => self.set_aside(books, number, reason, String::new()),
            }
            self.end.done.extend(books.strike(&self.items[number]));
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
        self.count("refused", 1);
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
        self.end.done.extend(books.strike(&self.items[number]));
    }

    /// Records that Mixpanel took.
    pub(super) fn delivered(
        &mut self,
        books: &mut Books<'_>,
        numbers: impl Iterator<Item = usize>,
        known: &Standings<'_>,
    ) {
        let kept_until = Utc::now() + self.deliverer.privacy.event_retention;
        self.end.kept_until = kept_until.to_rfc3339_opts(SecondsFormat::Secs, true);
        let today = self.end.kept_until.get(..10).unwrap_or_default().to_owned();
        let (mut kept, mut seen, mut others) = (HashSet::new(), HashSet::new(), HashSet::new());
        for number in numbers {
            let item = &self.items[number];
            match books.kind {
                RecordKind::Event => self.count("events_delivered", 1),
                RecordKind::Profile => self.count("profiles_delivered", 1),
            }
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
            self.end.done.extend(books.strike(&self.items[number]));
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

    /// What the filter did to records that were taken.
    pub(super) fn changed(&mut self, changes: &Changes) {
        for (name, by) in [
            ("blacklisted", changes.blacklisted),
            ("geolocation", changes.geolocation),
            ("anonymized", changes.anonymized),
            ("email", changes.email),
            ("phone", changes.phone),
            ("card", changes.card),
            ("dropped_values", changes.dropped_values),
        ] {
            self.count(name, u64::from(by));
        }
    }

    pub(super) fn finish(mut self, selection_is_off_the_wire: bool) -> ParcelEnd {
        self.end.off_the_wire = selection_is_off_the_wire;
        self.end.counts = self.counts.into_iter().filter(|(_, by)| *by > 0).collect();
        self.end
    }
}
