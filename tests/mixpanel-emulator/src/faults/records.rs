//! Faults of single records.

use std::collections::HashSet;

use crate::ingest::Record;
use crate::kind::Kind;

/// Which records are bad, and what their call is answered.
#[derive(Debug, Clone)]
pub(crate) struct BadRecords {
    /// Those of these people.
    pub(crate) ids: HashSet<String>,
    /// The last one of so many.
    pub(crate) every: Option<usize>,
    /// The call is refused as a whole with this status, and no record is named.
    pub(crate) status: Option<u16>,
}

/// The bad ones among the records of a call.
#[derive(Debug, Clone)]
pub(crate) struct Bad {
    pub(crate) indices: HashSet<usize>,
    pub(crate) status: Option<u16>,
}

impl BadRecords {
    /// With neither people nor a number, a record is bad that says so: it has a property `$fail`.
    pub(crate) fn among(&self, records: &[Record], kind: Kind) -> Option<Bad> {
        let says_so = self.ids.is_empty() && self.every.is_none();
        let bad = |(index, record): &(usize, &Record)| {
            let of_person = record.owner(kind).is_some_and(|id| self.ids.contains(id));
            let nth = self.every.is_some_and(|every| (index + 1).is_multiple_of(every));
            of_person || nth || (says_so && record.fails())
        };
        let indices = records.iter().enumerate().filter(bad).map(|(index, _)| index);
        let indices: HashSet<usize> = indices.collect();
        (!indices.is_empty()).then_some(Bad { indices, status: self.status })
    }
}
