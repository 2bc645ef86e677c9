//! When to look again: pure, bounded, jitter injected.

use std::time::Duration;

use crate::config::ProjectConfig;

/// While polls may take a fifth of the calls, `outstanding` tasks need five intervals each.
const INTERVALS_PER_TASK: u32 = 5;
/// A task is polled every fiftieth of its age: late by 2 % at most.
const SHARE_OF_AGE: u32 = 50;

/// Time until the next poll of a task that is `age` old, among `outstanding` ones.
/// `jitter` (0.0 to 1.0) spreads polls over ±10 %, within the bounds of the settings.
pub(super) fn next_poll(
    config: &ProjectConfig,
    age: Duration,
    outstanding: u32,
    jitter: f64,
) -> Duration {
    let wanted = (age / SHARE_OF_AGE).max(
        config.request_interval.saturating_mul(outstanding.saturating_mul(INTERVALS_PER_TASK)),
    );
    let spread = wanted.max(config.poll_min).mul_f64(0.9 + 0.2 * jitter.clamp(0.0, 1.0));
    spread.clamp(config.poll_min, config.poll_max)
}

/// Time until the next try of something that failed `times` before: doubles from `least` to `most`.
pub(super) fn backoff(least: Duration, most: Duration, times: u64) -> Duration {
    let doublings = u32::try_from(times.min(20)).unwrap_or(20);
    least.saturating_mul(2_u32.saturating_pow(doublings)).min(most)
}

/// A number from 0.0 to 1.0 that differs each time.
pub(super) fn jitter() -> f64 {
    rand::random::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::project_config;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn polls_stay_within_their_bounds_and_get_rarer_with_age() {
        let config = project_config();
        let at = |age| next_poll(&config, age, 1, 0.5);
        assert_eq!(at(Duration::ZERO), config.poll_min);
        assert!(at(HOUR) > at(Duration::ZERO) && at(5 * HOUR) > at(HOUR));
        assert_eq!(at(1000 * HOUR), config.poll_max);
        for jitter in [0.0, 0.3, 1.0, 7.0, -1.0] {
            let next = next_poll(&config, 10 * HOUR, 1, jitter);
            assert!(next >= config.poll_min && next <= config.poll_max);
        }
    }

    #[test]
    fn many_outstanding_tasks_together_use_at_most_a_fifth_of_the_calls() {
        let config = project_config();
        let tasks = 200;
        let each = next_poll(&config, Duration::ZERO, tasks, 0.5);
        assert!(each / tasks >= config.request_interval * 5);
    }

    #[test]
    fn a_backoff_doubles_up_to_its_limit() {
        let (least, most) = (Duration::from_secs(1), Duration::from_secs(60));
        let all: Vec<u64> = (0..8).map(|n| backoff(least, most, n).as_secs()).collect();
        assert_eq!(all, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(backoff(least, most, u64::MAX), most);
    }
}
