//! What one stream entry is: its id, its fields, and the job that is made from them.
//!
//! Decoding happens here, before apalis sees anything, so that an entry that nobody can read is a
//! value ([`Undecodable`]) and never a backend error that would stop the worker.

use std::{
    borrow::Cow,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    str::FromStr,
};

use redis::{RedisWrite, ToRedisArgs};

/// The id of a stream entry, `milliseconds-sequence`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryId {
    milliseconds: u64,
    sequence: u64,
}

/// A text that is not a stream entry id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a stream entry id, expected <milliseconds>-<sequence>")]
pub struct NotAnEntryId;

impl FromStr for EntryId {
    type Err = NotAnEntryId;

    fn from_str(text: &str) -> Result<Self, NotAnEntryId> {
        let (milliseconds, sequence) = text.split_once('-').ok_or(NotAnEntryId)?;
        let number = |digits: &str| digits.parse().map_err(|_| NotAnEntryId);
        Ok(Self { milliseconds: number(milliseconds)?, sequence: number(sequence)? })
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.milliseconds, self.sequence)
    }
}

impl ToRedisArgs for EntryId {
    fn write_redis_args<W: ?Sized + RedisWrite>(&self, out: &mut W) {
        out.write_arg_fmt(self);
    }
}

/// The fields of an entry, in the order and with the bytes that the producer wrote.
#[derive(Clone, Default)]
pub struct Fields(Vec<(Vec<u8>, Vec<u8>)>);

impl Fields {
    /// The value of the first field called `name`.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(field, _)| *field == name.as_bytes()).map(|(_, value)| value)
    }

    /// All fields as `(name, value)`.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_slice(), value.as_slice()))
    }
}

impl FromIterator<(Vec<u8>, Vec<u8>)> for Fields {
    fn from_iter<I: IntoIterator<Item = (Vec<u8>, Vec<u8>)>>(fields: I) -> Self {
        Self(fields.into_iter().collect())
    }
}

impl fmt::Debug for Fields {
    /// Shows how many fields there are; they may hold personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fields({})", self.0.len())
    }
}

/// Why an entry cannot become a job. The reason goes to the dead stream and to the log, so it
/// must not quote the entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Undecodable(Cow<'static, str>);

impl Undecodable {
    /// An entry that is unreadable because of `reason`, a text free of the entry's content.
    pub fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self(reason.into())
    }
}

/// A job that can be read from the fields of a stream entry.
pub trait Decode: Sized + Send + 'static {
    /// Reads the job. The error sends the entry to the dead stream; it is not tried again.
    fn decode(fields: &Fields) -> Result<Self, Undecodable>;
}

/// Decodes without letting a panicking decoder take the reader down with it.
pub(super) fn decode<T: Decode>(fields: &Fields) -> Result<T, Undecodable> {
    catch_unwind(AssertUnwindSafe(|| T::decode(fields)))
        .unwrap_or_else(|_| Err(Undecodable::new("the decoder panicked")))
}

/// An entry as it came from Redis, not decoded yet.
#[derive(Debug)]
pub(super) struct RawEntry {
    pub(super) id: EntryId,
    pub(super) fields: Fields,
    /// How often it has been handed to a consumer, this time included.
    pub(super) deliveries: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_id_survives_the_round_trip_and_nothing_else_parses() {
        assert_eq!("17-4".parse::<EntryId>().map(|id| id.to_string()), Ok("17-4".into()));
        for text in ["", "17", "17-", "-4", "a-b", "17-4-1"] {
            assert_eq!(text.parse::<EntryId>(), Err(NotAnEntryId), "{text:?}");
        }
    }

    #[test]
    fn fields_are_found_by_name_and_not_shown_by_debug() {
        let fields: Fields = [(b"job".to_vec(), b"secret".to_vec())].into_iter().collect();
        assert_eq!(fields.get("job"), Some(b"secret".as_slice()));
        assert_eq!(fields.get("other"), None);
        assert_eq!(format!("{fields:?}"), "Fields(1)");
    }

    #[test]
    fn a_panicking_decoder_makes_an_undecodable_entry() {
        struct Bomb;
        impl Decode for Bomb {
            fn decode(_: &Fields) -> Result<Self, Undecodable> {
                panic!("a decoder that panics")
            }
        }
        let reason = decode::<Bomb>(&Fields::default()).err();
        assert_eq!(reason, Some(Undecodable::new("the decoder panicked")));
    }
}
