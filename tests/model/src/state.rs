//! All that matters, small enough to be kept a million times.

use crate::Rules;

/// A set of attempts. An attempt makes one call, and a call at most one task: so this is a set of tasks, too.
pub(crate) type Attempts = u64;
/// Attempts that one batch can have in a set.
pub(crate) const PER_BATCH: u8 = 12;

/// The attempt `number` (from 1) of batch `batch` (from 0).
pub(crate) fn attempt(batch: u8, number: u8) -> Attempts {
    1 << (batch * PER_BATCH + number - 1)
}

/// Where the request stands: as `batch:B state`, or `Queued` while it is in no batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Stand {
    Queued,
    Sending,
    Unknown,
    Accepted,
    Held,
    Done,
}

/// A job: its member of `work:delayed`, and whether the work stream has an entry of it that was given to somebody who is
/// no more. (More such entries than one are as good as one.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Job {
    pub(crate) delayed: bool,
    pub(crate) abandoned: bool,
}

/// What is in Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Redis {
    pub(crate) stand: Stand,
    /// The batch that the request is in, or will be in next.
    pub(crate) batch: u8,
    pub(crate) attempt: u8,
    pub(crate) unknown: u8,
    /// The attempt that was refused last while earlier ones were unknown.
    pub(crate) refused: u8,
    /// `tracking_ids`.
    pub(crate) tasks: Attempts,
    /// Tasks with a poll ahead.
    pub(crate) polls: Attempts,
    /// Attempts in the ledger.
    pub(crate) recorded: Attempts,
    pub(crate) submit: Job,
    pub(crate) resume: Job,
}

impl Redis {
    fn job(&mut self, resumes: bool) -> &mut Job {
        if resumes { &mut self.resume } else { &mut self.submit }
    }
}

/// What a worker is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum At {
    Idle,
    /// Was told that the batch is due, and got a slot.
    Slot,
    /// Recorded an attempt; waits until it is on the disk.
    Gate,
    /// May send.
    Ready,
    /// Waits for the answer.
    OnWire,
    /// Has it, and has not recorded it.
    Accepted,
    Conflict(Attempts),
    Refused,
    Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Worker {
    pub(crate) at: At,
    /// Batch and attempt it is about.
    pub(crate) batch: u8,
    pub(crate) attempt: u8,
    /// Whether the job it was given is `resume`, else `submit`.
    pub(crate) resumes: bool,
    /// Whether Redis has the entry of that job, and the disk.
    pub(crate) holds: bool,
    pub(crate) on_disk: bool,
}

pub(crate) const IDLE: Worker =
    Worker { at: At::Idle, batch: 0, attempt: 0, resumes: false, holds: false, on_disk: false };

/// The world at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct State {
    pub(crate) redis: Redis,
    /// What a crash of Redis leaves.
    pub(crate) disk: Redis,
    pub(crate) workers: [Worker; 3],
    /// Calls that were sent and have not arrived.
    pub(crate) wire: Attempts,
    /// Tasks that Mixpanel made.
    pub(crate) tasks: Attempts,
    /// Refusals that may still come.
    pub(crate) refusals: u8,
}

impl State {
    pub(crate) fn first(rules: &Rules) -> Self {
        let redis = Redis {
            stand: Stand::Queued,
            batch: 0,
            attempt: 0,
            unknown: 0,
            refused: 0,
            tasks: 0,
            polls: 0,
            recorded: 0,
            submit: Job { delayed: true, abandoned: false },
            resume: Job::default(),
        };
        let refusals = rules.refusals;
        Self { redis, disk: redis, workers: [IDLE; 3], wire: 0, tasks: 0, refusals }
    }

    /// Workers are alike: which one is which does not matter.
    pub(crate) fn normal(mut self, rules: &Rules) -> Self {
        self.workers[..rules.workers].sort_unstable();
        if rules.rollback { self } else { self.sync() }
    }

    /// A job that is due is moved to the stream and given to a worker.
    pub(crate) fn give(mut self, place: usize, resumes: bool) -> Option<Self> {
        let was_due = std::mem::take(&mut self.redis.job(resumes).delayed);
        self.workers[place] = Worker { resumes, holds: true, ..IDLE };
        was_due.then_some(self)
    }

    /// An entry that nobody has any more is given to a worker: the queue does so when its lease is over.
    pub(crate) fn give_again(mut self, place: usize, resumes: bool) -> Option<Self> {
        let was_there = std::mem::take(&mut self.redis.job(resumes).abandoned);
        let on_disk = std::mem::take(&mut self.disk.job(resumes).abandoned);
        self.workers[place] = Worker { resumes, holds: true, on_disk, ..IDLE };
        was_there.then_some(self)
    }

    /// XACK and XDEL; the worker is free. What Redis has lost it cannot settle.
    pub(crate) fn settle(mut self, place: usize) -> Self {
        let worker = std::mem::replace(&mut self.workers[place], IDLE);
        self.disk.job(worker.resumes).abandoned |= worker.on_disk;
        self
    }

    /// The worker is no more, or gave its entry up.
    pub(crate) fn abandon(self, place: usize) -> Self {
        let worker = self.workers[place];
        let mut state = self.settle(place);
        state.redis.job(worker.resumes).abandoned |= worker.holds;
        state
    }

    pub(crate) fn sync(mut self) -> Self {
        self.disk = self.redis;
        for worker in &mut self.workers {
            worker.on_disk = worker.holds;
        }
        self
    }

    /// Redis is killed, and what it had not synced is gone.
    pub(crate) fn roll_back(mut self) -> Self {
        self.redis = self.disk;
        for worker in &mut self.workers {
            worker.holds = worker.on_disk;
        }
        self
    }

    pub(crate) fn is_final(&self) -> bool {
        matches!(self.redis.stand, Stand::Done | Stand::Held)
    }
}
