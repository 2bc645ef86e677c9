//! One record, an array of them, or one after the other: the values as they stand, counted while they are read.

use std::fmt;

use serde::{
    Deserializer as _,
    de::{Error as _, SeqAccess, Visitor},
};
use serde_json::{Deserializer, value::RawValue};

use crate::door::refusal::Refusal;

/// Most records in a call. [import-events; profile-set]
pub(in crate::door) const MAX_RECORDS: usize = 2_000;

const BAD_JSON: Refusal = Refusal::Unreadable("not JSON");
/// How the visitor tells that it gave up counting.
const TOO_MANY: &str = "too many records";

/// The records in `text`: at least one, at most [`MAX_RECORDS`].
pub(in crate::door) fn several(text: &str) -> Result<Vec<&RawValue>, Refusal> {
    let text = text.trim();
    let mut reader = Deserializer::from_str(text);
    let records = if text.starts_with('[') {
        let records = reader.deserialize_seq(Bounded).map_err(|error| {
            if error.to_string().starts_with(TOO_MANY) {
                Refusal::TooMany(MAX_RECORDS)
            } else {
                BAD_JSON
            }
        })?;
        reader.end().map_err(|_| BAD_JSON)?;
        records
    } else {
        let values = reader.into_iter::<&RawValue>().take(MAX_RECORDS + 1);
        values.collect::<Result<Vec<_>, _>>().map_err(|_| BAD_JSON)?
    };
    match records.len() {
        0 => Err(Refusal::Unreadable("no records")),
        1..=MAX_RECORDS => Ok(records),
        _ => Err(Refusal::TooMany(MAX_RECORDS)),
    }
}

/// An array that is not read to its end when it is too long: a value of one byte costs many in memory.
struct Bounded;

impl<'de> Visitor<'de> for Bounded {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Self::Value, A::Error> {
        let mut records = Vec::new();
        while let Some(record) = values.next_element()? {
            if records.len() == MAX_RECORDS {
                return Err(A::Error::custom(TOO_MANY));
            }
            records.push(record);
        }
        Ok(records)
    }
}
