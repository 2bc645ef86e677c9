//! How long to wait before a parcel goes out again.

use std::time::Duration;

/// Mixpanel's advice for 429 and 5xx: 2 s, doubled up to 60 s, and 1 to 5 s of jitter on top
/// (`reference/import-events.mdx`).
const FIRST: Duration = Duration::from_secs(2);
const MOST: Duration = Duration::from_secs(60);
const LEAST_JITTER: Duration = Duration::from_secs(1);
const JITTER_RANGE: Duration = Duration::from_secs(4);

/// Waits that grow with each failure in a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait after another failure: what Mixpanel `asked` for, if that is longer than our own, and always some
    /// jitter (0.0 to 1.0, from the caller's dice) so that senders do not come back in step.
    pub fn next_wait(&mut self, asked: Option<Duration>, jitter: f64) -> Duration {
        let doubled = FIRST.saturating_mul(2_u32.saturating_pow(self.failures)).min(MOST);
        self.failures = self.failures.saturating_add(1);
        let jitter = LEAST_JITTER + JITTER_RANGE.mul_f64(jitter.clamp(0.0, 1.0));
        asked.unwrap_or_default().max(doubled).saturating_add(jitter)
    }

    /// Failures since the last [`reset`](Self::reset).
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// It went through: the next failure is the first one again.
    pub const fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_minute_and_begin_anew_after_a_success() {
        let mut backoff = Backoff::default();
        let waits: Vec<u64> = (0..8).map(|_| backoff.next_wait(None, 0.0).as_secs()).collect();
        assert_eq!(waits, [3, 5, 9, 17, 33, 61, 61, 61]);
        backoff.reset();
        assert_eq!(backoff.next_wait(None, 0.0).as_secs(), 3);
        let mut tired = Backoff { failures: u32::MAX };
        assert_eq!(tired.next_wait(None, 0.0).as_secs(), 61);
    }

    #[test]
    fn jitter_is_one_to_five_seconds_whatever_the_dice_say() {
        for (jitter, wait) in [(0.0, 3.0), (0.5, 5.0), (1.0, 7.0), (7.0, 7.0), (-1.0, 3.0)] {
            let seen = Backoff::default().next_wait(None, jitter);
            assert_eq!(seen, Duration::from_secs_f64(wait), "{jitter}");
        }
    }

    #[test]
    fn what_mixpanel_asks_for_is_never_undercut() {
        let asked = |seconds| {
            let asked = Some(Duration::from_secs(seconds));
            Backoff::default().next_wait(asked, 0.0).as_secs()
        };
        assert_eq!((asked(0), asked(1), asked(90)), (3, 3, 91));
    }
}
