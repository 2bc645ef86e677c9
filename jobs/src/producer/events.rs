//! Events and profile updates: many to an entry, several entries to a round trip.

use std::fmt;

use redis::{Pipeline, RedisError, RedisResult, aio::ConnectionLike};

use super::{CHUNK_BYTES, Producer, after_a_failure, unexpected_answer};
use crate::{
    event::{Event, Profile},
    fault::{RedisFault, by_fate},
};

/// Most records in one entry of the stream.
const ENTRY_RECORDS: usize = 500;
/// Largest entry, in bytes of JSON; a larger record is alone in one.
const ENTRY_BYTES: usize = 256 * 1024;

/// Where an event or a profile update stands: `{stream entry}-{place in it, from 0}`. The `source` of what
/// is refused later.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EventSource {
    entry: String,
    index: usize,
}

impl fmt::Display for EventSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.entry, self.index)
    }
}

/// Why an event or a profile update is not, or perhaps not, on the stream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Redis was not reached; nothing was sent. Repeat it when Redis is back.
    #[error("Redis was not reached, so it was not sent: {0}")]
    NotSent(RedisFault),
    /// Redis answered with an error; it is not on the stream.
    #[error("Redis did not take it: {0}")]
    Refused(RedisFault),
    /// The answer is lost: it may be on the stream or not. The same [`Event`] is safe to repeat, a
    /// [`Profile`] if it sets and does not add.
    #[error(
        "the answer of Redis is lost, so it may or may not be on the stream; repeat it if that does no harm: {0}"
    )]
    AnswerLost(RedisFault),
}

impl From<RedisError> for EventError {
    fn from(error: RedisError) -> Self {
        by_fate(&error, Self::NotSent, Self::Refused, Self::AnswerLost)
    }
}

type Sent = Result<EventSource, EventError>;

impl<C: ConnectionLike + Clone> Producer<C> {
    /// The same producer, for events and profile updates that Mixpanel shall derive no place from,
    /// whatever the project's setting is.
    #[must_use]
    pub fn without_geolocation(mut self) -> Self {
        self.geolocation = false;
        self
    }

    /// Puts events on the stream, in order. One result for each, in the same order.
    ///
    /// They are delivered at least once, if their people allow it; a repeat of the same [`Event`] after
    /// [`EventError::AnswerLost`] is one event to Mixpanel. After a failure of the connection nothing more
    /// is tried: what was on its way counts as [`EventError::AnswerLost`] or [`EventError::NotSent`], the rest as
    /// [`EventError::NotSent`].
    pub async fn events(&self, events: &[Event]) -> Vec<Sent> {
        let records: Vec<_> = events.iter().map(Event::as_json).collect();
        self.add("event", &records).await
    }

    /// Puts profile updates on the stream, as [`Producer::events`] does with events.
    pub async fn profiles(&self, updates: &[Profile]) -> Vec<Sent> {
        let records: Vec<_> = updates.iter().map(Profile::as_json).collect();
        self.add("profile", &records).await
    }

    async fn add(&self, field: &str, records: &[&str]) -> Vec<Sent> {
        let mut outcomes = Vec::with_capacity(records.len());
        let mut rest = records;
        while !rest.is_empty() {
            let (pipeline, counts) = self.pipeline(field, rest);
            let mut connection = self.connection.clone();
            let answers = pipeline.query_async::<Vec<RedisResult<String>>>(&mut connection).await;
            let (chunk, later) = rest.split_at(counts.iter().sum());
            match answers {
                Ok(answers) if answers.len() == counts.len() => {
                    outcomes.extend(answers.into_iter().zip(counts).flat_map(of_entry));
                }
                answers => {
                    let error = answers.map_or_else(EventError::from, |_| {
                        EventError::AnswerLost(unexpected_answer())
                    });
                    outcomes.extend(chunk.iter().map(|_| Err(error.clone())));
                    outcomes
                        .extend(later.iter().map(|_| Err(EventError::NotSent(after_a_failure()))));
                    break;
                }
            }
            rest = later;
        }
        outcomes
    }

    /// What goes into the next round trip, and how many records each of its entries has.
    fn pipeline(&self, field: &str, records: &[&str]) -> (Pipeline, Vec<usize>) {
        let (mut pipeline, mut counts, mut bytes) = (redis::pipe(), Vec::new(), 0);
        let mut rest = records;
        while !rest.is_empty() && bytes < CHUNK_BYTES {
            let (entry, later) = rest.split_at(entry_length(rest));
            let payload = payload(entry);
            bytes += payload.len();
            counts.push(entry.len());
            pipeline.cmd("XADD").arg(self.keys.events()).arg("*").arg(field).arg(payload);
            if !self.geolocation {
                pipeline.arg("geolocation").arg("off");
            }
            rest = later;
        }
        pipeline.ignore_errors();
        (pipeline, counts)
    }
}

/// The outcomes of the records of one entry.
fn of_entry((answer, count): (RedisResult<String>, usize)) -> impl Iterator<Item = Sent> {
    let entry = answer.map_err(EventError::from);
    (0..count).map(move |index| entry.clone().map(|entry| EventSource { entry, index }))
}

/// How many of `records`, at least one, go into the next entry.
fn entry_length(records: &[&str]) -> usize {
    // The first bracket; each record is followed by a comma or the last one.
    let mut bytes = 1;
    let fitting = records.iter().take(ENTRY_RECORDS).take_while(|record| {
        bytes += record.len() + 1;
        bytes <= ENTRY_BYTES
    });
    fitting.count().max(1)
}

/// One object as it is, several as an array.
fn payload(records: &[&str]) -> String {
    match records {
        [record] => (*record).to_owned(),
        records => format!("[{}]", records.join(",")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_bounded_in_records_and_in_bytes() {
        let small = r#"{"a":1}"#;
        assert_eq!(entry_length(&[small; 3]), 3);
        assert_eq!(entry_length(&vec![small; 2_000]), ENTRY_RECORDS);
        let (large, half) = ("x".repeat(ENTRY_BYTES), "x".repeat(ENTRY_BYTES / 2 - 2));
        assert_eq!(entry_length(&[&large, small]), 1);
        assert_eq!(entry_length(&[small, &large]), 1);
        // Two halves, their comma and both brackets make 1 byte too few for a third byte.
        assert_eq!(entry_length(&[&half, &half, small]), 2);
        assert!(payload(&[&half, &half]).len() <= ENTRY_BYTES);
        let more = "x".repeat(ENTRY_BYTES / 2 - 1);
        assert_eq!(entry_length(&[&more, &more]), 1);
    }

    #[test]
    fn one_record_is_an_object_and_several_are_an_array() {
        assert_eq!(payload(&["{}"]), "{}");
        assert_eq!(payload(&["{}", "{}"]), "[{},{}]");
    }
}
