//! One pace per project over all replicas: no slot, no call.
//!
//! A slot is reserved on Redis' clock (`pace.lua`), so replicas need not agree on the time. While
//! both want, a poll gets every fifth slot; while no submission wants, polls get them all. A party
//! that dies is forgotten within three intervals; a slot that it had reserved is lost.
//!
//! Invariant: two calls start at least an interval apart, up to a twentieth of it. Whoever wakes
//! later than that gives the slot up. A pause (`pace_pause.lua`) stops what is not yet reserved,
//! so up to three calls that already have a slot still go out. Redis gone: no slot, no call.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use redis::Script;
use tokio::time::{Instant, sleep_until};

use crate::queue::Connection;

mod state;

pub use state::{CredentialsPause, PaceState, Pause};

/// How often a slot is reserved anew after waking too late, before the caller hears of it.
const ATTEMPTS: u8 = 5;
/// No scheduler is more exact than that, however short the interval.
const LEAST_TOLERANCE: Duration = Duration::from_millis(5);
/// Longest pause. A mistake must not stop a project for good.
const MAX_PAUSE: Duration = Duration::from_secs(24 * 60 * 60);

/// What a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Creates or cancels a task.
    Submit,
    /// Asks about a task, or tests the credentials.
    Poll,
}

impl Class {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::Poll => "poll",
        }
    }
}

/// Which calls a pause stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One class.
    Only(Class),
    /// Every call.
    All,
}

/// Why calls are paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PauseReason {
    /// Mixpanel says that we call too often.
    Throttled,
    /// Mixpanel says that too much work is outstanding.
    ScansExhausted,
    /// Mixpanel cannot be reached.
    Unreachable,
    /// Mixpanel answers with errors.
    Failing,
    /// Something that is not the API answers.
    Misdirected,
    /// A word of another version of this program.
    Unrecognised,
}

impl PauseReason {
    /// The word in Redis.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::ScansExhausted => "scans_exhausted",
            Self::Unreachable => "unreachable",
            Self::Failing => "failing",
            Self::Misdirected => "misdirected",
            Self::Unrecognised => "unrecognised",
        }
    }

    fn read(word: &str) -> Self {
        [Self::Throttled, Self::ScansExhausted, Self::Unreachable, Self::Failing, Self::Misdirected]
            .into_iter()
            .find(|reason| reason.as_str() == word)
            .unwrap_or(Self::Unrecognised)
    }
}

/// The answer to a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// Sleep this long, then call.
    Granted {
        /// At most two intervals for a submission, three for a poll.
        wait: Duration,
        /// The calls of this project are stopped for bad credentials, and this one is to find out
        /// whether they are good again: if so, [`Pace::clear_credentials`].
        half_open: bool,
    },
    /// Do not call.
    Denied(Denied),
}

/// No slot now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied {
    /// When to ask again. Whoever asks much later than that loses its place.
    pub retry_in: Duration,
    /// Why.
    pub why: Why,
}

/// Why there is no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Others go first.
    Busy,
    /// This class is paused.
    Paused(PauseReason),
    /// The project's credentials are bad.
    Credentials,
}

/// A slot to come.
#[derive(Clone, Copy, Debug)]
#[must_use = "a slot that is not used is a call lost"]
pub struct Booking {
    slot: Instant,
    tolerance: Duration,
    half_open: bool,
}

impl Booking {
    /// Sleeps until the slot is there.
    pub async fn turn(self) -> Turn {
        sleep_until(self.slot).await;
        Turn { half_open: self.half_open, expires: self.slot + self.tolerance }
    }
}

/// The right to call now; it does not keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a turn that is not used is a call lost"]
pub struct Turn {
    /// See [`Slot::Granted`].
    pub half_open: bool,
    /// From here on the call is so late that it would come too close to the next one.
    expires: Instant,
}

impl Turn {
    /// Whether the slot was missed: then give it up and get another one. The one call that tests the
    /// credentials has no other slot to go to.
    pub fn is_over(&self) -> bool {
        !self.half_open && Instant::now() > self.expires
    }
}

/// The pace is unknown, so there must be no call.
#[derive(Debug, thiserror::Error)]
pub enum PaceError {
    /// Redis did not answer.
    #[error("the pace cannot be read from Redis, so no call is made")]
    Redis(#[from] redis::RedisError),
    /// The answer is of another version of the script.
    #[error("the pace script answered {0}, which this version does not know")]
    Answer(String),
}

/// The pace of one project. Cheap to clone; clones may be used at once.
#[derive(Clone)]
pub struct Pace {
    redis: Connection,
    key: Arc<str>,
    interval: Duration,
    scripts: Arc<Scripts>,
    round_trip: Arc<RoundTrip>,
}

struct Scripts {
    reserve: Script,
    pause: Script,
}

impl std::fmt::Debug for Pace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pace")
            .field("key", &self.key)
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}

impl Pace {
    /// The pace that is kept under `key`, one hash of its own per project.
    pub fn new(redis: Connection, key: impl Into<Arc<str>>, interval: Duration) -> Self {
        Self {
            redis,
            key: key.into(),
            interval: interval.max(Duration::from_millis(1)),
            scripts: Arc::new(Scripts {
                reserve: Script::new(include_str!("pace.lua")),
                pause: Script::new(include_str!("pace_pause.lua")),
            }),
            round_trip: Arc::default(),
        }
    }

    /// Reserves a slot.
    pub async fn reserve(&self, class: Class) -> Result<Slot, PaceError> {
        let (granted, wait, word, reason): (u8, u64, String, String) = self
            .scripts
            .reserve
            .key(&*self.key)
            .arg(class.as_str())
            .arg(millis(self.interval))
            .invoke_async(&mut self.redis.clone())
            .await?;
        let wait = Duration::from_millis(wait);
        let denied = |why| Ok(Slot::Denied(Denied { retry_in: wait, why }));
        match (granted, word.as_str()) {
            (1, "") => Ok(Slot::Granted { wait, half_open: false }),
            (1, "half_open") => Ok(Slot::Granted { wait, half_open: true }),
            (0, "busy") => denied(Why::Busy),
            (0, "paused") => denied(Why::Paused(PauseReason::read(&reason))),
            (0, "credentials") => denied(Why::Credentials),
            _ => Err(PaceError::Answer(word)),
        }
    }

    /// Reserves a slot. What takes time before the call is best done before [`Booking::turn`].
    pub async fn book(&self, class: Class) -> Result<Result<Booking, Denied>, PaceError> {
        let asked = Instant::now();
        let slot = self.reserve(class).await?;
        let answered = Instant::now();
        let (wait, half_open) = match slot {
            Slot::Granted { wait, half_open } => (wait, half_open),
            Slot::Denied(denied) => return Ok(Err(denied)),
        };
        let delay = self.round_trip.excess(answered - asked);
        let tolerance = (self.interval / 20).max(LEAST_TOLERANCE).saturating_sub(delay);
        Ok(Ok(Booking { slot: answered + wait, tolerance, half_open }))
    }

    /// Reserves a slot and sleeps until it is there. Make the call at once after that.
    pub async fn acquire(&self, class: Class) -> Result<Result<Turn, Denied>, PaceError> {
        for _ in 0..ATTEMPTS {
            let turn = match self.book(class).await? {
                Ok(booking) => booking.turn().await,
                Err(denied) => return Ok(Err(denied)),
            };
            if !turn.is_over() {
                return Ok(Ok(turn));
            }
        }
        Ok(Err(Denied { retry_in: self.interval, why: Why::Busy }))
    }

    /// Stops calls for so long (a day at most), from now on. A longer pause stays as it is.
    pub async fn pause(
        &self,
        scope: Scope,
        length: Duration,
        reason: PauseReason,
    ) -> Result<(), PaceError> {
        let scopes: &[&str] = match scope {
            Scope::Only(Class::Submit) => &["submit"],
            Scope::Only(Class::Poll) => &["poll"],
            Scope::All => &["submit", "poll"],
        };
        self.run_pause(length, reason.as_str(), "", scopes).await
    }

    /// Stops every call for bad credentials, but for one each `probe_every`, until
    /// [`Pace::clear_credentials`]. The fingerprint tells which credentials are bad: a keyed hash
    /// of them, so that a worker that has others knows to clear.
    pub async fn pause_credentials(
        &self,
        fingerprint: &str,
        status: u16,
        probe_every: Duration,
    ) -> Result<(), PaceError> {
        // A pause without a fingerprint would end by itself.
        let fingerprint = if fingerprint.is_empty() { "none" } else { fingerprint };
        self.run_pause(probe_every, &status.to_string(), fingerprint, &["credentials"]).await
    }

    async fn run_pause(
        &self,
        length: Duration,
        reason: &str,
        fingerprint: &str,
        scopes: &[&str],
    ) -> Result<(), PaceError> {
        let mut call = self.scripts.pause.key(&*self.key);
        call.arg(millis(length.min(MAX_PAUSE))).arg(reason).arg(fingerprint);
        for scope in scopes {
            call.arg(*scope);
        }
        let _: u8 = call.invoke_async(&mut self.redis.clone()).await?;
        Ok(())
    }

    /// The credentials work (again), or have been replaced.
    pub async fn clear_credentials(&self) -> Result<(), PaceError> {
        let fields = ["until", "reason", "since", "fingerprint", "every"]
            .map(|field| format!("credentials_{field}"));
        let _: u8 = redis::cmd("HDEL")
            .arg(&*self.key)
            .arg(&fields[..])
            .query_async(&mut self.redis.clone())
            .await?;
        Ok(())
    }

    /// What is paused, until when and why.
    pub async fn state(&self) -> Result<PaceState, PaceError> {
        Ok(state::read(&mut self.redis.clone(), &self.key).await?)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).max(1)
}

/// The usual way to Redis and back. What an answer takes longer than that may have been spent
/// after the slot was given, and counts as being late.
#[derive(Default)]
struct RoundTrip {
    usual_micros: AtomicU64,
}

impl RoundTrip {
    /// How much longer than usual this one took. "Usual" falls at once and rises slowly, so that
    /// a slower network does not look late for ever.
    fn excess(&self, took: Duration) -> Duration {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
        let usual = match self.usual_micros.load(Ordering::Relaxed) {
            0 => took,
            usual => usual,
        };
        let excess = took.saturating_sub(usual);
        self.usual_micros
            .store(if excess == 0 { took } else { usual + excess / 4 }, Ordering::Relaxed);
        Duration::from_micros(excess)
    }
}

#[cfg(test)]
mod tests;
