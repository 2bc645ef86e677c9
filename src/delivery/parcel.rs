//! What leaves of some records, given what their people have said.

use std::collections::{HashMap, HashSet};

use gdpr_jobs::Tag;

use super::{
    Deliverer,
    entry::{self, Ours, Place},
};
use crate::{
    consent::{Changes, Origin, Record, RecordKind, Refusal, Unreadable, Verdict, verdict},
    ledger::{EventEntry, Standing},
};

/// A record, and where it comes from.
pub(super) struct Item<'a> {
    /// Number of its entry in the batch.
    pub(super) entry: usize,
    /// Number of the record in its entry.
    pub(super) index: usize,
    pub(super) place: Place,
    pub(super) geolocation_off: bool,
    pub(super) ours: Ours<'a>,
    pub(super) record: Record<'a>,
    /// Its text as it was enqueued.
    pub(super) raw: &'a str,
    /// Everybody whom it names.
    pub(super) people: Vec<Tag>,
}

impl<'a> Item<'a> {
    /// Record `index` of an entry, which is number `number` of its batch.
    pub(super) fn read(
        deliverer: &Deliverer,
        (number, entry): (usize, &'a EventEntry),
        kind: RecordKind,
        (index, raw): (usize, &'a str),
    ) -> Result<Self, Unreadable> {
        let record = Record::read(kind, raw)?;
        Ok(Self {
            entry: number,
            index,
            place: entry::place(entry),
            geolocation_off: entry::geolocation_off(entry),
            ours: Ours::of(entry),
            raw,
            people: record.people().iter().map(|id| deliverer.tag(id)).collect(),
            record,
        })
    }
}

/// The tags of everybody in some items, each once.
pub(super) fn everybody<'a, 'b: 'a>(items: impl Iterator<Item = &'a Item<'b>>) -> Vec<Tag> {
    let mut known = HashSet::new();
    let all = items.flat_map(|item| &item.people);
    all.filter(|tag| known.insert(*tag)).cloned().collect()
}

/// Why a record stays.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// Somebody whom it names is opted out, or was when it was enqueued.
    OptedOut,
    /// The deletion of a profile that has had an event since.
    OutOfDate,
    /// The blacklist left nothing of it.
    NothingLeft,
    /// It cannot be delivered, for a reason.
    Unusable(String),
}

/// What leaves, and what stays.
#[derive(Default)]
pub(super) struct Selection {
    /// The JSON of the records that leave, one after the other.
    pub(super) body: Vec<u8>,
    /// Where each ends in the body, and which it is.
    pub(super) leaving: Vec<(usize, Leaving)>,
    /// Numbers of the items that stay, and why.
    pub(super) staying: Vec<(usize, Kept)>,
}

/// A record that leaves.
#[derive(Clone, Copy)]
pub(super) struct Leaving {
    /// The number of its item.
    pub(super) number: usize,
    /// What the filter changed in it.
    pub(super) changes: Changes,
}

/// What is known of people in a batch; nothing is known of the others.
pub(super) type Standings<'a> = HashMap<&'a Tag, Standing>;

/// Those of whom anything is known, which are few.
pub(super) fn known_of(people: &[Tag], standings: Vec<Standing>) -> Standings<'_> {
    let all = people.iter().zip(standings);
    all.filter(|(_, standing)| *standing != Standing::default()).collect()
}

/// Whether a record may leave: nobody in it is opted out, nor was when it was enqueued.
pub(super) fn may_leave(deliverer: &Deliverer, item: &Item<'_>, known: &Standings<'_>) -> bool {
    // A deletion of the profile and nothing else only takes away: it is never held back.
    if item.record.is_profile_deletion() {
        return true;
    }
    let standings = || item.people.iter().map(|tag| known.get(tag));
    // The event of an opt-in comes after the word that it is about, be it in the same millisecond.
    let since = item.place.ms + u64::from(item.ours == Ours::OptIn);
    let purged = standings().flatten().any(|person| since <= person.purged_to);
    let said = standings().map(|person| person.and_then(|person| person.consent));
    !purged && verdict(said, deliverer.privacy.consent_default) == Verdict::Allowed
}

/// Sorts the items numbered `numbers` into what leaves and what stays.
pub(super) fn select(
    deliverer: &Deliverer,
    items: &[Item<'_>],
    numbers: &[usize],
    known: &Standings<'_>,
) -> Selection {
    let mut selection = Selection::default();
    for &number in numbers {
        let item = &items[number];
        if !may_leave(deliverer, item, known) {
            selection.staying.push((number, Kept::OptedOut));
            continue;
        }
        let origin = Origin {
            entry_ms: item.place.ms,
            entry_seq: item.place.seq,
            index: item.index,
            geolocation_off: item.geolocation_off,
        };
        match deliverer.filter.write(&item.record, &origin, &mut selection.body) {
            Ok(changes) => {
                selection.leaving.push((selection.body.len(), Leaving { number, changes }));
            }
            Err(refusal) => {
                let kept = match refusal {
                    Refusal::NothingLeft => Kept::NothingLeft,
                    other @ Refusal::Unreadable(_) => Kept::Unusable(other.to_string()),
                };
                selection.staying.push((number, kept));
            }
        }
    }
    selection
}
