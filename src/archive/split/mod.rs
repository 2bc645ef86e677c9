//! Gives each record to the requests that it belongs to, or to the quarantine, and counts.
//!
//! * `owners`: what a record is and whom it names.
//! * `people`: whose ids these are.
//! * `mentions`: whose a record may be that cannot be read.
//! * `doubt`: who may lack something because of a record that could not be given.
//! * `texts`: where in the slab a record goes.

pub(in crate::archive) mod doubt;
mod mentions;
pub(in crate::archive) mod owners;
pub(in crate::archive) mod people;
pub(in crate::archive) mod texts;

use crate::archive::{
    bundle::shape::{self, Shape},
    error::PackageError,
    open::json_text,
    slab::{Packed, Slab},
    split::doubt::Doubt,
    split::owners::{Folder, Id, Reader, Unreadable},
    split::people::{People, Person, Verdict},
    split::texts::Part,
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
pub(in crate::archive) struct Share {
    pub(in crate::archive) events: u64,
    pub(in crate::archive) profiles: u64,
    /// Records that are no JSON object.
    pub(in crate::archive) unparsed: u64,
}

impl Share {
    /// Nothing at all.
    pub(in crate::archive) fn is_empty(self) -> bool {
        self == Self::default()
    }

    fn of(&mut self, part: Part) -> &mut u64 {
        match part {
            Part::Events => &mut self.events,
            Part::Profiles => &mut self.profiles,
            Part::Unparsed => &mut self.unparsed,
        }
    }
}

/// The outcome of a split.
#[derive(Debug, Default)]
pub(in crate::archive) struct Tally {
    /// Records read.
    pub(in crate::archive) read: u64,
    /// Records that went to at least one request.
    pub(in crate::archive) given: u64,
    /// Records that went to nobody.
    pub(in crate::archive) reasons: Reasons,
    /// Per request, in the order of the batch.
    pub(in crate::archive) shares: Vec<Share>,
    /// Requests that may lack something.
    pub(in crate::archive) doubt: Doubt,
}

/// Splits one export. Feed it every record, then [`finish`](Self::finish).
pub(in crate::archive) struct Splitter<'a> {
    reader: Reader,
    people: People<'a>,
    slab: Slab<'a>,
    tally: Tally,
    /// The requests that the record at hand names.
    named: Vec<usize>,
}

impl<'a> Splitter<'a> {
    /// Records go to the texts of `slab`, which has [`texts::count`] of them.
    pub(in crate::archive) fn new(batch: &'a [Person], slab: Slab<'a>) -> Self {
        let tally = Tally {
            shares: vec![Share::default(); batch.len()],
            doubt: Doubt::new(batch.len()),
            ..Tally::default()
        };
        Self {
            reader: Reader::default(),
            people: People::new(batch),
            slab,
            tally,
            named: Vec::new(),
        }
    }

    /// Takes one record.
    pub(in crate::archive) fn record(&mut self, record: &[u8]) -> Result<(), PackageError> {
        self.tally.read += 1;
        self.named.clear();
        let (people, named) = (&self.people, &mut self.named);
        let read = self.reader.read(record, &mut |id| people.name(id, named));
        let verdict = people.whose(named);
        if people.are_one() {
            return self.give(record, part_of_one(read));
        }
        let reasons = &mut self.tally.reasons;
        match (read, verdict) {
            (Ok(Folder::Events), Verdict::Given) => return self.give(record, Part::Events),
            (Ok(Folder::Profiles), Verdict::Given) => return self.give(record, Part::Profiles),
            (Ok(_), Verdict::Nobody) => reasons.nobody += 1,
            (Ok(_), Verdict::Several) => reasons.several += 1,
            (Err(Unreadable::Ambiguous), _) => reasons.ambiguous += 1,
            (Err(Unreadable::Malformed), _) => reasons.malformed += 1,
        }
        if read.is_err() {
            // As a device's: that is found with its prefix and without it.
            mentions::each(record, &mut |id| people.name(Id::Device(id), named));
        }
        self.tally.doubt.fall_on(named);
        let quarantine = texts::quarantine(self.tally.shares.len());
        self.slab.add(quarantine, &[record, b"\n"]).map_err(PackageError::Spool)
    }

    /// Gives a record to all that are named.
    fn give(&mut self, record: &[u8], part: Part) -> Result<(), PackageError> {
        let one_line;
        let line = if part == Part::Unparsed {
            record
        } else {
            one_line = json_text::on_one_line(record);
            &*one_line
        };
        let around = shape_of(part);
        for &request in &self.named {
            let Some(share) = self.tally.shares.get_mut(request) else { continue };
            let count = share.of(part);
            let before = if *count == 0 { around.open } else { around.between };
            *count += 1;
            let text = texts::of(request, part);
            self.slab.add(text, &[before, line]).map_err(PackageError::Spool)?;
        }
        self.tally.given += u64::from(!self.named.is_empty());
        Ok(())
    }

    /// Ends every text. The counts must balance.
    pub(in crate::archive) fn finish(mut self) -> Result<(Tally, Packed<'a>), PackageError> {
        let Tally { read, given, reasons, .. } = self.tally;
        let quarantined = reasons.total();
        if given + quarantined != read {
            return Err(PackageError::Unbalanced { read, given, quarantined });
        }
        for (request, share) in self.tally.shares.iter_mut().enumerate() {
            for part in [Part::Events, Part::Profiles, Part::Unparsed] {
                if *share.of(part) > 0 {
                    let text = texts::of(request, part);
                    let close = shape_of(part).close;
                    self.slab.add(text, &[close]).map_err(PackageError::Spool)?;
                }
            }
        }
        if !self.people.are_one() {
            self.tally.doubt.conclude(&self.tally.shares, reasons);
        }
        let packed = self.slab.finish().map_err(PackageError::Spool)?;
        Ok((self.tally, packed))
    }
}

/// Where a record of the only person goes: nothing of theirs is held back.
fn part_of_one(read: Result<Folder, Unreadable>) -> Part {
    match read {
        Ok(Folder::Profiles) => Part::Profiles,
        Ok(Folder::Events) | Err(Unreadable::Ambiguous) => Part::Events,
        Err(Unreadable::Malformed) => Part::Unparsed,
    }
}

fn shape_of(part: Part) -> &'static Shape {
    match part {
        Part::Events | Part::Unparsed => &shape::LINES,
        Part::Profiles => &shape::ARRAY,
    }
}
