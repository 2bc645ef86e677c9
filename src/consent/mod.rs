//! Whether a record may leave, and what of it. Knows no Redis and no HTTP.
//!
//! | file | one idea |
//! | --- | --- |
//! | `records` | an entry's document is cut into records |
//! | `members` | an object's names and values, borrowed; a name that stands twice counts once |
//! | `names` | what a name means to Mixpanel, and where |
//! | `ids` | the ids in a value |
//! | `record` | one event or profile update: whom it names, whose and when it is |
//! | `verdict` | from what people said to whether the record may leave |
//! | `filter` | the rules of one project |
//! | `draft`, `event`, `profile` | a record is written anew under these rules |
//! | `alias` | keyed hashes in place of ids |
//! | `insert_id`, `moment` | the two properties that Mixpanel is strict about |
//! | `personal` | texts that look like e-mail addresses, phone or card numbers |
//! | `changes` | what the rules did, for the counters |
//!
//! Invariants: no error and no `Debug` output has content of a record in it; what is not touched leaves
//! byte for byte; the same record from the same entry is always written the same.

mod alias;
mod changes;
mod draft;
mod event;
mod filter;
mod ids;
mod insert_id;
mod members;
mod moment;
mod names;
mod personal;
mod profile;
mod record;
mod records;
mod verdict;

#[cfg(test)]
mod tests;

pub use changes::Changes;
pub use filter::{Filter, Origin, Refusal};
pub use names::is_protected;
pub use record::{Record, RecordKind};
pub use records::{MAX_RECORD_BYTES, MAX_RECORDS, Unreadable, records};
pub use verdict::{Verdict, verdict};
