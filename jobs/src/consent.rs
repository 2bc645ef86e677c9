//! Whether a person may be tracked: what a backend asks before it sends an event by a road of its own.
//!
//! Answers are remembered for a short time in the process. The `redis` crate's client-side caching would
//! need a RESP3 connection that its owner set up for it, is marked experimental, and goes on answering
//! from memory when the connection is dead and no invalidation can arrive; an answer with an age of its own
//! holds on any connection.

mod cache;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use redis::{RedisError, aio::ConnectionLike};

use crate::{
    distinct_id::DistinctId,
    fault::RedisFault,
    keys::{Keys, Project},
    record::RecordError,
    tag::{Pepper, Tag},
    vocabulary::ConsentState,
};
use cache::Cache;

/// How long an answer is good for, unless it is said otherwise.
pub const FRESHNESS: Duration = Duration::from_secs(1);
/// How many answers are remembered, unless it is said otherwise.
pub const CAPACITY: usize = 10_000;

/// Why a consent is not known. It is no permission: do not send.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConsentError {
    /// Redis was not reached or refused. Safe to repeat.
    #[error("Redis did not tell the consent, so nothing may be sent: {0}")]
    Redis(RedisFault),
    /// The user hash holds something else than it may.
    #[error("the consent cannot be read, so nothing may be sent: {0}")]
    Record(#[from] RecordError),
}

impl From<RedisError> for ConsentError {
    fn from(error: RedisError) -> Self {
        Self::Redis(RedisFault::new(&error))
    }
}

/// What holds for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsentAnswer {
    /// The person said so.
    Said {
        /// What was said last.
        state: ConsentState,
        /// When, if that is known.
        at: Option<DateTime<Utc>>,
    },
    /// Nobody asked the person: the project's default holds.
    Default(ConsentState),
}

impl ConsentAnswer {
    /// Whether the person is in or out.
    pub const fn state(&self) -> ConsentState {
        match self {
            Self::Said { state, .. } | Self::Default(state) => *state,
        }
    }

    /// Whether an event of this person may be sent.
    pub const fn allows_tracking(&self) -> bool {
        matches!(self.state(), ConsentState::OptedIn)
    }
}

/// What the hash of one tag says, if anything.
type Said = Option<(ConsentState, Option<DateTime<Utc>>)>;

/// Asks for consents in one project. `C` as for [`crate::producer::Producer`]; it must lead to the primary,
/// because a replica may not know of an opt-out yet.
///
/// A clone shares what is remembered. An opt-out is in force for the callers of a process at most the
/// freshness ([`FRESHNESS`]) after it stands in Redis.
#[derive(Clone)]
pub struct Consent<C> {
    connection: C,
    keys: Keys,
    project: Project,
    pepper: Pepper,
    default: ConsentState,
    cache: Arc<Mutex<Cache>>,
}

impl<C: ConnectionLike + Clone> Consent<C> {
    /// For `project`, with the worker's pepper and its `GDPR_CONSENT_DEFAULT`.
    pub fn new(connection: C, project: &Project, pepper: Pepper, default: ConsentState) -> Self {
        Self {
            connection,
            keys: Keys::new(project),
            project: project.clone(),
            pepper,
            default,
            cache: Arc::new(Mutex::new(Cache::new(FRESHNESS, CAPACITY))),
        }
    }

    /// Remembers at most `capacity` answers, each for `freshness` from the moment it was asked for; a
    /// freshness of zero asks Redis each time. Forgets what was remembered.
    #[must_use]
    pub fn remembering(mut self, freshness: Duration, capacity: usize) -> Self {
        self.cache = Arc::new(Mutex::new(Cache::new(freshness, capacity)));
        self
    }

    /// What holds for the person with this id. An id `$device:X` is also the device `X`.
    ///
    /// An error is no permission: hold the event back, or drop it.
    pub async fn of(&self, id: &DistinctId) -> Result<ConsentAnswer, ConsentError> {
        self.of_all(std::slice::from_ref(id)).await
    }

    /// What holds for one person with these ids, in one round trip at most: out if any of them is opted out,
    /// else in if any is opted in, else the default. Give a `$device_id` as `$device:X`.
    ///
    /// An error is no permission: hold the event back, or drop it.
    pub async fn of_all(&self, ids: &[DistinctId]) -> Result<ConsentAnswer, ConsentError> {
        let asked_at = Instant::now();
        let (mut said, mut unknown) = (Vec::new(), Vec::new());
        {
            let cache = self.cache();
            for tag in self.tags(ids) {
                match cache.get(&tag, asked_at) {
                    Some(known) => said.push(known),
                    None => unknown.push(tag),
                }
            }
        }
        if !unknown.is_empty() {
            let answers = self.ask(&unknown).await?;
            let mut cache = self.cache();
            for (tag, answer) in unknown.into_iter().zip(answers) {
                cache.put(tag, answer, asked_at);
                said.push(answer);
            }
        }
        Ok(self.together(&said))
    }

    fn tags(&self, ids: &[DistinctId]) -> impl Iterator<Item = Tag> {
        let tag = |id: &DistinctId| self.pepper.tag(&self.project, id);
        ids.iter().flat_map(move |id| [Some(tag(id)), id.device().as_ref().map(tag)]).flatten()
    }

    fn together(&self, said: &[Said]) -> ConsentAnswer {
        // An opt-out outweighs all else; of the same words, the latest counts.
        let deciding =
            said.iter().flatten().max_by_key(|(state, at)| (*state == ConsentState::OptedOut, *at));
        match deciding {
            Some(&(state, at)) => ConsentAnswer::Said { state, at },
            None => ConsentAnswer::Default(self.default),
        }
    }

    async fn ask(&self, tags: &[Tag]) -> Result<Vec<Said>, ConsentError> {
        let mut pipeline = redis::pipe();
        for tag in tags {
            pipeline
                .cmd("HMGET")
                .arg(self.keys.user(tag.as_str()))
                .arg("consent")
                .arg("consent_at");
        }
        let mut connection = self.connection.clone();
        let answers: Vec<(Option<String>, Option<String>)> =
            pipeline.query_async(&mut connection).await?;
        if answers.len() != tags.len() {
            return Err(ConsentError::Redis(RedisFault::from_text("an answer is missing")));
        }
        Ok(answers.into_iter().map(read).collect::<Result<_, _>>()?)
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The fields `consent` and `consent_at`. An empty one is absent, as in any hash of the contract.
fn read((consent, at): (Option<String>, Option<String>)) -> Result<Said, RecordError> {
    let Some(consent) = consent.filter(|word| !word.is_empty()) else { return Ok(None) };
    let state = consent.parse().map_err(|_| RecordError::Invalid("consent"))?;
    let at = match at.filter(|text| !text.is_empty()) {
        None => None,
        Some(text) => {
            let at = DateTime::parse_from_rfc3339(&text);
            Some(at.map_err(|_| RecordError::Invalid("consent_at"))?.to_utc())
        }
    };
    Ok(Some((state, at)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(consent: &str, at: &str) -> Result<Said, RecordError> {
        read((Some(consent.to_owned()), Some(at.to_owned())))
    }

    #[test]
    fn only_the_two_words_are_a_consent() {
        let at = "2026-01-31T09:30:00Z".parse().ok();
        assert_eq!(said("opted_in", "2026-01-31T09:30:00Z"), Ok(Some((ConsentState::OptedIn, at))));
        assert_eq!(said("opted_out", ""), Ok(Some((ConsentState::OptedOut, None))));
        assert_eq!(said("", ""), Ok(None));
        assert_eq!(read((None, None)), Ok(None));
        for unknown in ["OPTED_IN", "yes", " opted_in"] {
            assert_eq!(said(unknown, ""), Err(RecordError::Invalid("consent")));
        }
        assert_eq!(said("opted_in", "yesterday"), Err(RecordError::Invalid("consent_at")));
    }
}
