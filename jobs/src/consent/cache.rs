//! Answers of the last moment, a bounded number of them.
//!
//! Two generations: when the young one is full or past its time it becomes the old one, and the old one is
//! forgotten at once. So there is nothing to sweep, and no order of use to keep.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::Said;
use crate::tag::Tag;

#[derive(Clone, Copy)]
struct Answer {
    said: Said,
    asked_at: Instant,
}

pub(super) struct Cache {
    freshness: Duration,
    /// Most answers of one generation.
    most: usize,
    young: HashMap<Tag, Answer>,
    old: HashMap<Tag, Answer>,
    born_at: Option<Instant>,
}

impl Cache {
    pub(super) fn new(freshness: Duration, capacity: usize) -> Self {
        let most = capacity / 2;
        Self { freshness, most, young: HashMap::new(), old: HashMap::new(), born_at: None }
    }

    /// What was said, if that is still fresh at `now`. Its age counts from the question: what came later
    /// to Redis may be missing in it.
    pub(super) fn get(&self, tag: &Tag, now: Instant) -> Option<Said> {
        let answer = self.latest(tag)?;
        let fresh = now.saturating_duration_since(answer.asked_at) < self.freshness;
        fresh.then_some(answer.said)
    }

    /// Remembers the answer to a question of `asked_at`, unless that to a later one is here already.
    pub(super) fn put(&mut self, tag: Tag, said: Said, asked_at: Instant) {
        let later = |known: Answer| known.asked_at > asked_at;
        if self.freshness.is_zero() || self.most == 0 || self.latest(&tag).is_some_and(later) {
            return;
        }
        let aged = |born: Instant| asked_at.saturating_duration_since(born) >= self.freshness;
        if self.young.len() >= self.most || self.born_at.is_none_or(aged) {
            self.old = std::mem::take(&mut self.young);
            self.born_at = Some(asked_at);
        }
        self.young.insert(tag, Answer { said, asked_at });
    }

    fn latest(&self, tag: &Tag) -> Option<Answer> {
        self.young.get(tag).or_else(|| self.old.get(tag)).copied()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;
    use secrecy::SecretString;

    use super::*;
    use crate::{DistinctId, Pepper, vocabulary::ConsentState};

    const OUT: Said = Some((ConsentState::OptedOut, None));
    const IN: Said = Some((ConsentState::OptedIn, None));

    fn tag(number: usize) -> Tag {
        let pepper = Pepper::new(SecretString::from("p".repeat(32))).unwrap();
        pepper.tag(&"default".parse().unwrap(), &DistinctId::new(number.to_string()))
    }

    fn after(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    #[test]
    fn an_answer_is_given_until_its_time_is_over() {
        let start = Instant::now();
        let mut cache = Cache::new(Duration::from_secs(1), 10);
        cache.put(tag(1), OUT, start);
        cache.put(tag(2), None, start);
        for ms in [0, 999] {
            assert_eq!(cache.get(&tag(1), after(start, ms)), Some(OUT));
            assert_eq!(cache.get(&tag(2), after(start, ms)), Some(None));
        }
        assert_eq!(cache.get(&tag(1), after(start, 1_000)), None);
        assert_eq!(cache.get(&tag(3), start), None);
    }

    #[test]
    fn an_answer_that_was_long_on_its_way_replaces_no_later_one() {
        let start = Instant::now();
        let mut cache = Cache::new(Duration::from_secs(1), 10);
        cache.put(tag(1), OUT, after(start, 10));
        cache.put(tag(1), IN, start);
        assert_eq!(cache.get(&tag(1), after(start, 20)), Some(OUT));
    }

    #[test]
    fn without_freshness_or_capacity_nothing_is_remembered() {
        let start = Instant::now();
        for (freshness, capacity) in [(0, 10), (1, 0)] {
            let mut cache = Cache::new(Duration::from_secs(freshness), capacity);
            cache.put(tag(1), OUT, start);
            assert_eq!(cache.get(&tag(1), start), None);
        }
    }

    proptest! {
        /// Against the plainest model: every answer ever given, with its time.
        #[test]
        fn it_is_bounded_and_never_gives_an_answer_that_is_too_old(
            steps in prop::collection::vec((0..20_usize, any::<bool>(), 0..400_u64), 1..200),
        ) {
            let (start, mut now_ms) = (Instant::now(), 0);
            let mut cache = Cache::new(Duration::from_secs(1), 8);
            let mut given: HashMap<usize, (Said, u64)> = HashMap::new();
            for (number, out, pause) in steps {
                now_ms += pause;
                let fresh = |(said, at): &(Said, u64)| (now_ms - at < 1_000).then_some(*said);
                let known = cache.get(&tag(number), after(start, now_ms));
                prop_assert!(known.is_none() || known == given.get(&number).and_then(fresh));
                let said = if out { OUT } else { IN };
                cache.put(tag(number), said, after(start, now_ms));
                given.insert(number, (said, now_ms));
                prop_assert_eq!(cache.get(&tag(number), after(start, now_ms)), Some(said));
                prop_assert!(cache.young.len() + cache.old.len() <= 8);
            }
        }
    }
}
