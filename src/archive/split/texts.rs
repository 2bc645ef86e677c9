//! Which text of the slab holds what.

/// A part of what a request gets; each is a file of its archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::archive) enum Part {
    /// Events.
    Events,
    /// Profiles.
    Profiles,
    /// What is no JSON object, in a batch of one person.
    Unparsed,
}

const PARTS: usize = 3;

/// How many texts a batch of `requests` needs.
pub(in crate::archive) fn count(requests: usize) -> usize {
    PARTS * requests + 1
}

/// The text of a part of what a request gets.
pub(in crate::archive) fn of(request: usize, part: Part) -> usize {
    let part = match part {
        Part::Events => 0,
        Part::Profiles => 1,
        Part::Unparsed => 2,
    };
    PARTS * request + part
}

/// The text of what nobody gets, in a batch of `requests`.
pub(in crate::archive) fn quarantine(requests: usize) -> usize {
    PARTS * requests
}
