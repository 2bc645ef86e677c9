//! When Mixpanel wants less, refuses the token, or does not answer: all lanes of a project wait together.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::mixpanel::Backoff;

/// Failures in a row from which on a person is told.
const MANY: u32 = 5;
/// A refused token is asked about this often.
const TOKEN_AGAIN: Duration = Duration::from_secs(60);

/// Why a parcel is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// 429.
    Throttled(Option<Duration>),
    /// No answer, or an error on Mixpanel's side.
    Unavailable,
    /// 401 or 403, with the status.
    Unauthorized(u16),
}

#[derive(Default)]
struct State {
    not_before: Option<Instant>,
    backoff: Backoff,
    cause: Option<Cause>,
}

/// The waiting of one project.
#[derive(Default)]
pub(super) struct Pause(Mutex<State>);

impl Pause {
    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes a failure and returns how long everybody waits. Failures that come while a wait is on lengthen nothing.
    pub(super) fn failed(&self, cause: Cause, now: Instant, jitter: f64) -> Duration {
        self.with(|state| {
            if let Some(until) = state.not_before.filter(|until| *until > now) {
                return until - now;
            }
            let wait = match cause {
                Cause::Throttled(asked) => state.backoff.next_wait(asked, jitter),
                Cause::Unavailable => state.backoff.next_wait(None, jitter),
                Cause::Unauthorized(_) => TOKEN_AGAIN,
            };
            state.not_before = Some(now + wait);
            state.cause = Some(cause);
            wait
        })
    }

    /// Mixpanel takes parcels.
    pub(super) fn succeeded(&self) {
        self.with(|state| *state = State::default());
    }

    /// How long to wait still.
    pub(super) fn left(&self, now: Instant) -> Duration {
        self.with(|state| {
            state.not_before.map_or(Duration::ZERO, |at| at.saturating_duration_since(now))
        })
    }

    /// What is wrong, in words.
    pub(super) fn problem(&self) -> Option<String> {
        self.with(|state| match state.cause? {
            Cause::Unauthorized(status) => Some(format!(
                "Mixpanel refuses events with this MIXPANEL_PROJECT_TOKEN (HTTP {status}): correct it; events are kept"
            )),
            Cause::Throttled(_) if state.backoff.failures() > MANY => {
                Some("Mixpanel has been asking for fewer events (429) for a while; events are kept".to_owned())
            }
            Cause::Unavailable if state.backoff.failures() > MANY => {
                Some("Mixpanel has not been taking events for a while; events are kept".to_owned())
            }
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_outage_seen_by_several_lanes_is_one_step_of_the_backoff() {
        let (pause, now) = (Pause::default(), Instant::now());
        let first = pause.failed(Cause::Unavailable, now, 0.0);
        assert_eq!(pause.failed(Cause::Unavailable, now, 0.9), first);
        let second = pause.failed(Cause::Unavailable, now + first, 0.0);
        assert!(second > first);
        pause.succeeded();
        assert_eq!(pause.left(now), Duration::ZERO);
        assert_eq!(pause.failed(Cause::Unavailable, now, 0.0), first);
    }

    #[test]
    fn what_mixpanel_asks_for_is_kept_and_a_refused_token_is_told_at_once() {
        let (pause, now) = (Pause::default(), Instant::now());
        let asked = Duration::from_secs(300);
        assert!(pause.failed(Cause::Throttled(Some(asked)), now, 0.0) >= asked);
        assert_eq!(pause.problem(), None);
        pause.succeeded();
        pause.failed(Cause::Unauthorized(401), now, 0.0);
        assert!(pause.problem().is_some_and(|text| text.contains("MIXPANEL_PROJECT_TOKEN")));
    }
}
