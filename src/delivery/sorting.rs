//! What a batch of entries holds: records that can be read, in parcels' worths, and what cannot be read.

use super::{Deliverer, entry::Content, parcel::Item, settlement::refused};
use crate::{
    consent::{RecordKind, records},
    ledger::{EventEntry, RefusedEvent},
    mixpanel::MAX_PARCEL_RECORDS,
};

/// Bytes of records, as they were enqueued, in one parcel. The filter may add a token and an id to each.
const PARCEL_BYTES: usize = 1_500_000;

/// Numbers of items that go into one parcel.
pub(super) type Group = Vec<usize>;

/// The records of a batch.
pub(super) struct Sorted<'a> {
    /// Those that can be read, in their order.
    pub(super) items: Vec<Item<'a>>,
    /// How many of these each entry has.
    pub(super) counts: Vec<usize>,
    /// What cannot be read.
    pub(super) unreadable: Vec<RefusedEvent>,
}

/// Reads all entries, which are of one kind.
pub(super) fn sort<'a>(
    deliverer: &Deliverer,
    kind: RecordKind,
    entries: &'a [EventEntry],
    contents: &'a [Content<'_>],
) -> Sorted<'a> {
    let (mut items, mut counts, mut unreadable) = (Vec::new(), Vec::new(), Vec::new());
    for (number, (entry, content)) in entries.iter().zip(contents).enumerate() {
        let before = items.len();
        let mut refuse = |source: String, raw: &[u8], reason: String| {
            unreadable.push(refused(deliverer, kind, source, raw, reason));
        };
        let found = match content {
            Content::Unusable(reason) => {
                refuse(entry.id.clone(), &entry.fields.concat(), (*reason).to_owned());
                Vec::new()
            }
            Content::Records(_, json) => records(json).unwrap_or_else(|fault| {
                refuse(entry.id.clone(), json, fault.to_string());
                Vec::new()
            }),
        };
        for (index, raw) in found.into_iter().enumerate() {
            match Item::read(deliverer, (number, entry), kind, (index, raw)) {
                Ok(item) => items.push(item),
                Err(fault) => {
                    let source = format!("{}-{index}", entry.id);
                    refuse(source, raw.as_bytes(), fault.to_string());
                }
            }
        }
        counts.push(items.len() - before);
    }
    Sorted { items, counts, unreadable }
}

/// Parcels' worth of items, in order.
pub(super) fn groups(sizes: impl Iterator<Item = usize>) -> Vec<Group> {
    let (mut groups, mut group, mut bytes) = (Vec::new(), Group::new(), 0);
    for (number, size) in sizes.enumerate() {
        let full = group.len() >= MAX_PARCEL_RECORDS || bytes + size > PARCEL_BYTES;
        if full && !group.is_empty() {
            groups.push(std::mem::take(&mut group));
            bytes = 0;
        }
        group.push(number);
        bytes += size;
    }
    if !group.is_empty() {
        groups.push(group);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parcels_are_bounded_in_records_and_in_bytes_and_keep_the_order() {
        let many = groups(std::iter::repeat_n(100, MAX_PARCEL_RECORDS + 1));
        assert_eq!(many.iter().map(Vec::len).collect::<Vec<_>>(), [MAX_PARCEL_RECORDS, 1]);
        let large = groups([PARCEL_BYTES, 1, PARCEL_BYTES + 1, 5].into_iter());
        assert_eq!(large, [vec![0], vec![1], vec![2], vec![3]]);
        assert!(groups(std::iter::empty()).is_empty());
    }
}
