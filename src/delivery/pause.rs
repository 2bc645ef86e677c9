//! When Mixpanel wants less, refuses the token or everything, or does not answer: all lanes of one kind wait together.
//! Events and profile updates go to different endpoints, so that each kind has its own pause.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::{consent::RecordKind, mixpanel::Backoff};

/// Failures in a row from which on a person is told.
const MANY: u32 = 5;
/// A refused token is asked about this often.
const TOKEN_AGAIN: Duration = Duration::from_secs(60);
/// After so many parcels in a row of which Mixpanel took no record, the records are hardly what is wrong.
const REFUSED_IN_A_ROW: u32 = 3;

/// Why a parcel is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// 429.
    Throttled(Option<Duration>),
    /// No answer, or an error on Mixpanel's side.
    Unavailable,
    /// 401 or 403, with the status.
    Unauthorized(u16),
    /// Record after record is refused.
    RefusedAgain,
}

#[derive(Default)]
struct State {
    not_before: Option<Instant>,
    backoff: Backoff,
    cause: Option<Cause>,
    /// Parcels in a row of which every record was refused, and Mixpanel did not say which one was wrong.
    refused: u32,
}

/// The waiting of one kind of records.
#[derive(Default)]
pub(super) struct Pause(Mutex<State>);

/// The waiting of one project.
#[derive(Default)]
pub(super) struct Pauses {
    events: Pause,
    profiles: Pause,
}

impl Pauses {
    /// The pause of a kind.
    pub(super) const fn of(&self, kind: RecordKind) -> &Pause {
        match kind {
            RecordKind::Event => &self.events,
            RecordKind::Profile => &self.profiles,
        }
    }

    /// What is wrong, in words.
    pub(super) fn problems(&self) -> impl Iterator<Item = String> {
        let events = self.events.problem("events");
        events.into_iter().chain(self.profiles.problem("profile updates"))
    }
}

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
                Cause::Unavailable | Cause::RefusedAgain => state.backoff.next_wait(None, jitter),
                Cause::Unauthorized(_) => TOKEN_AGAIN,
            };
            state.not_before = Some(now + wait);
            state.cause = Some(cause);
            wait
        })
    }

    /// Mixpanel takes records, or says of each one what is wrong with it.
    pub(super) fn succeeded(&self) {
        self.with(|state| *state = State::default());
    }

    /// A record was refused alone. Unless that is what everything meets, Mixpanel is well and the next one may go.
    pub(super) fn refused_one(&self, now: Instant, jitter: f64) {
        if self.is_probing() {
            self.failed(Cause::RefusedAgain, now, jitter);
        } else {
            self.with(|state| *state = State { refused: state.refused, ..State::default() });
        }
    }

    /// Every record of a parcel was refused, one by one. Whether that is one too many: from now on everybody waits, and
    /// a single record is tried now and then.
    pub(super) fn refused_all(&self, now: Instant, jitter: f64) -> bool {
        let refused = self.with(|state| {
            state.refused = state.refused.saturating_add(1);
            state.refused
        });
        if refused >= REFUSED_IN_A_ROW {
            self.failed(Cause::RefusedAgain, now, jitter);
        }
        refused == REFUSED_IN_A_ROW
    }

    /// Whether only a single record may be tried at a time.
    pub(super) fn is_probing(&self) -> bool {
        self.with(|state| state.refused >= REFUSED_IN_A_ROW)
    }

    /// How long to wait still.
    pub(super) fn left(&self, now: Instant) -> Duration {
        self.with(|state| {
            state.not_before.map_or(Duration::ZERO, |at| at.saturating_duration_since(now))
        })
    }

    /// What is wrong, in words; `what` is what waits.
    fn problem(&self, what: &str) -> Option<String> {
        if self.is_probing() {
            return Some(format!(
                "Mixpanel refuses all {what}, whatever is in them: one is tried now and then. Expected that it takes most: see the reasons with gdpr-worker refused --show, mend the project or the settings, then gdpr-worker refused --retry all"
            ));
        }
        self.with(|state| match state.cause? {
            Cause::Unauthorized(status) => Some(format!(
                "Mixpanel refuses {what} with this MIXPANEL_PROJECT_TOKEN (HTTP {status}): correct it; they are kept"
            )),
            Cause::Throttled(_) if state.backoff.failures() > MANY => {
                Some(format!("Mixpanel has been asking for fewer {what} (429) for a while; they are kept"))
            }
            Cause::Unavailable if state.backoff.failures() > MANY => {
                Some(format!("Mixpanel has not been taking {what} for a while; they are kept"))
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
        assert_eq!(pause.problem("events"), None);
        pause.succeeded();
        pause.failed(Cause::Unauthorized(401), now, 0.0);
        assert!(
            pause.problem("events").is_some_and(|text| text.contains("MIXPANEL_PROJECT_TOKEN"))
        );
    }

    #[test]
    fn three_parcels_without_one_record_taken_are_enough_and_one_that_is_taken_ends_it() {
        let (pauses, now) = (Pauses::default(), Instant::now());
        let pause = pauses.of(RecordKind::Profile);
        for last in [false, false, true] {
            assert!(!pause.is_probing());
            // A batch of bad records is gone through without a wait.
            for _ in 0..100 {
                pause.refused_one(now, 0.0);
                assert_eq!(pause.left(now), Duration::ZERO);
            }
            assert_eq!(pause.refused_all(now, 0.0), last);
        }
        assert!(pause.is_probing() && pause.left(now) > Duration::ZERO);
        assert_eq!(pauses.of(RecordKind::Event).left(now), Duration::ZERO);
        let problems: Vec<String> = pauses.problems().collect();
        assert!(problems.len() == 1 && problems[0].contains("profile updates"), "{problems:?}");

        let first = pause.left(now);
        pause.refused_one(now + first, 0.0);
        assert!(pause.left(now + first) > first, "each try waits longer");
        // An outage in between is not an answer.
        pause.failed(Cause::Unavailable, now + first * 9, 0.0);
        assert!(pause.is_probing());
        pause.succeeded();
        assert!(!pause.is_probing() && pauses.problems().next().is_none());
        assert!(!pause.refused_all(now, 0.0), "it begins anew");
    }
}
