//! Which bytes of a zip belong to which entry: each to one at most, and to one at least.
//!
//! Entries that share bytes are how a small zip unpacks to petabytes. Bytes that belong to no entry
//! may be an entry that the directory keeps quiet about, with somebody's records in it.

use std::collections::BTreeMap;

use crate::archive::error::Fault;

/// What may lie behind an entry's content and belongs to it: the longest data descriptor. It is
/// shorter than the shortest entry.
const DESCRIPTOR: u64 = 24;

/// The bytes that entries have claimed, from start to end. Neighbours become one extent.
pub(super) struct Extents {
    claimed: BTreeMap<u64, u64>,
    /// Where the directory begins.
    limit: u64,
}

impl Extents {
    /// No bytes are claimed yet, of those before `limit`.
    pub(super) fn before(limit: u64) -> Self {
        Self { claimed: BTreeMap::new(), limit }
    }

    /// Claims the bytes from `start` to `end`; without an end it is beyond all bounds.
    pub(super) fn claim(&mut self, start: u64, end: Option<u64>) -> Result<(), Fault> {
        let end = end.filter(|&end| end <= self.limit).ok_or(Fault::Damaged)?;
        let before = self.claimed.range(..=start).next_back().map(|(&from, &to)| (from, to));
        let after = self.claimed.range(start..).next().map(|(&from, &to)| (from, to));
        if before.is_some_and(|(_, to)| to > start) || after.is_some_and(|(from, _)| from < end) {
            return Err(Fault::Inconsistent);
        }
        let from = before.filter(|&(_, to)| to == start).map_or(start, |(from, _)| from);
        let to = match after.filter(|&(from, _)| from == end) {
            Some((from, to)) => {
                self.claimed.remove(&from);
                to
            }
            None => end,
        };
        self.claimed.insert(from, to);
        Ok(())
    }

    /// That no bytes are left which could be an entry.
    pub(super) fn all_claimed(&self) -> Result<(), Fault> {
        let mut end = 0;
        let directory = (self.limit, self.limit);
        for (from, to) in self.claimed.iter().map(|(&from, &to)| (from, to)).chain([directory]) {
            if from.saturating_sub(end) > DESCRIPTOR {
                return Err(Fault::Inconsistent);
            }
            end = to;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(claims: &[(u64, u64)]) -> Result<Extents, Fault> {
        let mut extents = Extents::before(400);
        claims.iter().try_for_each(|&(from, to)| extents.claim(from, Some(to)))?;
        Ok(extents)
    }

    #[test]
    fn entries_in_any_order_may_touch_and_become_one_extent() {
        let extents = claims(&[(200, 300), (0, 100), (300, 400), (100, 200)]);
        assert!(extents.is_ok_and(|e| e.claimed.len() == 1 && e.all_claimed().is_ok()));
    }

    #[test]
    fn entries_that_share_bytes_are_refused() {
        for second in [(100, 200), (199, 300), (50, 101), (50, 300), (120, 130), (100, 101)] {
            assert_eq!(
                claims(&[(100, 200), second]).err(),
                Some(Fault::Inconsistent),
                "{second:?}"
            );
        }
    }

    #[test]
    fn entries_beyond_the_directory_are_refused() {
        assert_eq!(claims(&[(0, 401)]).err(), Some(Fault::Damaged));
        assert_eq!(Extents::before(400).claim(0, None), Err(Fault::Damaged));
    }

    #[test]
    fn room_for_a_descriptor_may_be_left_and_room_for_an_entry_may_not() {
        for (spans, whole) in [
            (&[(24, 200), (224, 376)][..], true),
            (&[(25, 400)], false),
            (&[(0, 200), (225, 400)], false),
            (&[(0, 375)], false),
            (&[], false),
        ] {
            let extents = claims(spans);
            assert_eq!(extents.is_ok_and(|e| e.all_claimed().is_ok()), whole, "{spans:?}");
        }
    }
}
