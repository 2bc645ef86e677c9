//! How long to wait before trying again.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(1);

/// Pauses that double from 50 ms to 1 s, with jitter so that replicas do not come back in step.
#[derive(Debug)]
pub(super) struct Patience {
    next: Duration,
}

impl Patience {
    pub(super) fn new() -> Self {
        Self { next: FIRST }
    }

    /// All is well again: start over with short pauses.
    pub(super) fn reset(&mut self) {
        self.next = FIRST;
    }

    /// The length of the next pause: between half and all of the current step.
    pub(super) fn pause(&mut self) -> Duration {
        let step = self.next;
        self.next = (step * 2).min(LONGEST);
        step.mul_f64(rand::random_range(0.5..=1.0))
    }
}

/// The pause before delivery `deliveries + 1` of an entry whose handler failed: `first`, doubled
/// with every failure, at most `longest`.
pub(super) fn retry_pause(first: Duration, longest: Duration, deliveries: u64) -> Duration {
    let doublings = u32::try_from(deliveries.saturating_sub(1)).unwrap_or(u32::MAX).min(20);
    first.saturating_mul(1 << doublings).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_one_second_and_start_over_after_a_reset() {
        let mut patience = Patience::new();
        assert!(patience.pause() <= FIRST);
        let last = (0..10).map(|_| patience.pause()).last().unwrap_or_default();
        assert!(last >= LONGEST / 2 && last <= LONGEST);
        patience.reset();
        assert!(patience.pause() <= FIRST);
    }

    #[test]
    fn a_retry_pause_doubles_up_to_its_cap() {
        let second = Duration::from_secs(1);
        let pauses = [1, 2, 3, 60, u64::MAX].map(|n| retry_pause(second, second * 10, n));
        assert_eq!(pauses.map(|pause| pause.as_secs()), [1, 2, 4, 10, 10]);
    }
}
