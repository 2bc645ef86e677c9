//! The front limiter: at most one GDPR call per gap and project, whatever its kind.
//!
//! Invariant: only admitted calls open a new gap, while `shortest` is measured over all arrivals,
//! so a client's true pace stands in the statistics even when most of it was refused.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Pace of each project.
#[derive(Debug, Default)]
pub(crate) struct Limiter {
    projects: HashMap<String, Pace>,
}

#[derive(Debug)]
struct Pace {
    admitted: Instant,
    arrived: Instant,
    shortest: Option<Duration>,
}

/// What the limiter says about one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) too_early: bool,
    /// Time since the project's last call, admitted or not; `None` for the first.
    pub(crate) gap: Option<Duration>,
}

impl Limiter {
    /// Notes a call and says whether it kept the gap.
    pub(crate) fn arrive(&mut self, project: &str, now: Instant, min_gap: Duration) -> Verdict {
        let Some(pace) = self.projects.get_mut(project) else {
            let first = Pace { admitted: now, arrived: now, shortest: None };
            self.projects.insert(project.to_owned(), first);
            return Verdict { too_early: false, gap: None };
        };
        let gap = now.saturating_duration_since(pace.arrived);
        pace.shortest = Some(pace.shortest.map_or(gap, |shortest| shortest.min(gap)));
        pace.arrived = pace.arrived.max(now);
        let too_early = now.saturating_duration_since(pace.admitted) < min_gap;
        if !too_early {
            pace.admitted = now;
        }
        Verdict { too_early, gap: Some(gap) }
    }

    /// The shortest gap seen of each project, milliseconds.
    pub(crate) fn shortest_ms(&self) -> serde_json::Map<String, serde_json::Value> {
        let shortest = |pace: &Pace| pace.shortest.map(crate::clock::milliseconds).into();
        self.projects.iter().map(|(project, pace)| (project.clone(), shortest(pace))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAP: Duration = Duration::from_secs(1);

    #[test]
    fn a_call_within_the_gap_is_too_early_and_opens_no_new_gap() {
        let (mut limiter, start) = (Limiter::default(), Instant::now());
        let mut early_at =
            |ms| limiter.arrive("p", start + Duration::from_millis(ms), GAP).too_early;
        assert_eq!(
            [0, 999, 1000, 1500, 1999, 2000].map(&mut early_at),
            [false, true, false, true, true, false]
        );
        assert_eq!(limiter.shortest_ms()["p"], 1.0);
    }

    #[test]
    fn projects_do_not_slow_each_other() {
        let (mut limiter, now) = (Limiter::default(), Instant::now());
        assert!(!limiter.arrive("p", now, GAP).too_early);
        assert!(!limiter.arrive("q", now, GAP).too_early);
        assert!(limiter.arrive("p", now, GAP).too_early);
    }

    #[test]
    fn a_gap_of_nothing_admits_all() {
        let (mut limiter, now) = (Limiter::default(), Instant::now());
        assert!((0..3).all(|_| !limiter.arrive("p", now, Duration::ZERO).too_early));
    }
}
