//! How many records a second one project may send: a bucket of tokens, one a record. The rate holds for this process.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How many seconds' worth may come at once.
const BURST_SECONDS: f64 = 2.0;

/// The bucket of one project.
pub(super) struct Rate {
    per_second: f64,
    state: Mutex<Bucket>,
}

struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl Rate {
    /// A full bucket.
    pub(super) fn new(per_second: u32, now: Instant) -> Self {
        let per_second = f64::from(per_second);
        let state = Mutex::new(Bucket { tokens: per_second * BURST_SECONDS, filled: now });
        Self { per_second, state }
    }

    /// Takes `records` tokens, or says how long to wait. A call comes through whole while anything is in the bucket, and
    /// the next ones wait for what it overdrew: else a call larger than the bucket could never come through.
    pub(super) fn take(&self, records: usize, now: Instant) -> Result<(), Duration> {
        let mut bucket = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = now.saturating_duration_since(bucket.filled).as_secs_f64();
        bucket.tokens =
            self.per_second.mul_add(passed, bucket.tokens).min(self.per_second * BURST_SECONDS);
        bucket.filled = bucket.filled.max(now);
        if bucket.tokens <= 0.0 {
            return Err(Duration::from_secs_f64((1.0 - bucket.tokens) / self.per_second));
        }
        bucket.tokens -= f64::from(u32::try_from(records).unwrap_or(u32::MAX));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_time_no_more_comes_through_than_the_rate_and_one_burst() {
        let start = Instant::now();
        let rate = Rate::new(100, start);
        let mut taken = 0;
        for step in 0..1_000 {
            if rate.take(10, start + Duration::from_millis(10 * step)).is_ok() {
                taken += 10;
            }
        }
        // 200 at once, 100 in each of 9.99 seconds, and what the last call overdrew.
        assert!((1_190..=1_210).contains(&taken), "{taken}");
    }

    #[test]
    fn a_call_larger_than_the_bucket_comes_through_and_is_paid_for_afterwards() {
        let start = Instant::now();
        let rate = Rate::new(1, start);
        assert_eq!(rate.take(50, start), Ok(()));
        assert_eq!(rate.take(1, start), Err(Duration::from_secs(49)));
        assert!(rate.take(1, start + Duration::from_secs(48)).is_err());
        assert_eq!(rate.take(1, start + Duration::from_millis(48_001)), Ok(()));
    }

    #[test]
    fn a_clock_that_stands_still_fills_nothing() {
        let start = Instant::now();
        let rate = Rate::new(10, start + Duration::from_secs(5));
        assert_eq!(rate.take(20, start), Ok(()));
        assert!(rate.take(1, start).is_err());
    }
}
