//! Gives each record to the requests that it belongs to, or to the quarantine, and counts.

use std::path::Path;

use super::{
    error::PackageError,
    json_text,
    owners::{self, Folder, Unreadable},
    people::{People, Person, Verdict},
    piles::Piles,
};

/// Why records were quarantined, with how many of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reasons {
    /// Not one JSON object in UTF-8.
    pub malformed: u64,
    /// An id stands in it twice, or is neither text nor a whole number.
    pub ambiguous: u64,
    /// Ids of more than one person of the batch.
    pub several: u64,
    /// No id of anybody in the batch.
    pub nobody: u64,
}

impl Reasons {
    /// All quarantined records.
    pub fn total(self) -> u64 {
        self.malformed + self.ambiguous + self.several + self.nobody
    }
}

/// What one request got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) events: u64,
    pub(super) profiles: u64,
}

/// The outcome of a split.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Records read.
    pub(super) read: u64,
    /// Records that went to at least one request.
    pub(super) given: u64,
    /// Records that went to nobody.
    pub(super) reasons: Reasons,
    /// Per request, in the order of the batch.
    pub(super) shares: Vec<Share>,
}

/// The pile of a request's events or profiles.
pub(super) fn pile(request: usize, folder: Folder) -> usize {
    match folder {
        Folder::Events => 2 * request,
        Folder::Profiles => 2 * request + 1,
    }
}

/// The pile of the quarantine in a batch of `requests`.
pub(super) fn quarantine_pile(requests: usize) -> usize {
    2 * requests
}

/// Splits one export. Feed it every record, then [`finish`](Self::finish).
pub(super) struct Splitter<'a> {
    people: People<'a>,
    piles: Piles,
    tally: Tally,
}

impl<'a> Splitter<'a> {
    /// Lines go to numbered piles in `folder`; see [`pile`] and [`super::piles::path`].
    pub(super) fn new(batch: &'a [Person], folder: &Path) -> Self {
        Self {
            people: People::new(batch),
            piles: Piles::new(folder, quarantine_pile(batch.len()) + 1),
            tally: Tally { shares: vec![Share::default(); batch.len()], ..Tally::default() },
        }
    }

    /// Takes one record.
    pub(super) fn record(&mut self, record: &[u8]) -> Result<(), PackageError> {
        self.tally.read += 1;
        let reasons = &mut self.tally.reasons;
        let reason = match owners::read(record) {
            Ok(reading) => match self.people.whose(&reading) {
                Verdict::Given(requests) => return self.give(record, reading.folder, &requests),
                Verdict::Nobody => &mut reasons.nobody,
                Verdict::Several => &mut reasons.several,
            },
            Err(Unreadable::Malformed) => &mut reasons.malformed,
            Err(Unreadable::Ambiguous) => &mut reasons.ambiguous,
        };
        *reason += 1;
        let quarantine = quarantine_pile(self.tally.shares.len());
        self.piles.add(quarantine, record).map_err(PackageError::Spool)
    }

    fn give(
        &mut self,
        record: &[u8],
        folder: Folder,
        requests: &[usize],
    ) -> Result<(), PackageError> {
        let line = json_text::on_one_line(record);
        for &request in requests {
            self.piles.add(pile(request, folder), &line).map_err(PackageError::Spool)?;
            let Some(share) = self.tally.shares.get_mut(request) else { continue };
            match folder {
                Folder::Events => share.events += 1,
                Folder::Profiles => share.profiles += 1,
            }
        }
        self.tally.given += u64::from(!requests.is_empty());
        Ok(())
    }

    /// Writes what is still in memory. The counts must balance.
    pub(super) fn finish(self) -> Result<Tally, PackageError> {
        self.piles.finish().map_err(PackageError::Spool)?;
        let Tally { read, given, reasons, .. } = self.tally;
        let quarantined = reasons.total();
        if given + quarantined != read {
            return Err(PackageError::Unbalanced { read, given, quarantined });
        }
        Ok(self.tally)
    }
}
