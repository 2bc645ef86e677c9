//! Time as the emulator tells it: the machine's clock plus what `POST /_emulator/clock` added.
//! Task ages and link lifetimes use it; the limiter and the log's `ms` use the true clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, TimeDelta, Utc};

/// The two clocks and the difference between them.
#[derive(Debug)]
pub(crate) struct Clock {
    started: Instant,
    started_at: DateTime<Utc>,
    advanced: Duration,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), started_at: Utc::now(), advanced: Duration::ZERO }
    }

    /// True milliseconds since the start, at a moment.
    pub(crate) fn true_ms(&self, moment: Instant) -> f64 {
        milliseconds(moment.saturating_duration_since(self.started))
    }

    /// Milliseconds since 1970 at a moment that is past.
    pub(crate) fn unix_ms(moment: Instant) -> f64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        milliseconds(now.saturating_sub(moment.elapsed()))
    }

    /// Virtual seconds since the start.
    pub(crate) fn seconds(&self) -> f64 {
        (self.started.elapsed() + self.advanced).as_secs_f64()
    }

    /// Virtual date and time.
    pub(crate) fn date(&self) -> DateTime<Utc> {
        let past = TimeDelta::from_std(self.started.elapsed() + self.advanced);
        past.ok()
            .and_then(|past| self.started_at.checked_add_signed(past))
            .unwrap_or(self.started_at)
    }

    /// Moves the virtual clock forward. Seconds must be from 0 to 1e10.
    pub(crate) fn advance(&mut self, seconds: f64) -> Result<(), String> {
        if !(0.0..=1e10).contains(&seconds) {
            return Err(format!("advance_seconds is {seconds}: expected 0 to 10000000000"));
        }
        self.advanced = self.advanced.saturating_add(Duration::from_secs_f64(seconds));
        Ok(())
    }
}

/// Milliseconds with three decimals, as the log and the statistics show them.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
