//! What the Lua scripts do to a batch of one request. Each function stands for the script of its name in
//! `src/ledger/lua`, and must change with it.

use crate::{
    Rules,
    state::{Attempts, Redis, Stand, attempt},
};

/// What `claim.lua` replies.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    Gone,
    Wait,
    Due,
    Held,
    Send,
}

impl Redis {
    fn schedule_resume(&mut self) {
        self.resume.delayed = true;
    }

    fn record_attempt(&mut self) {
        self.recorded |= attempt(self.batch, self.attempt);
    }

    /// `seal.lua`: drains the group; the batch is `sending` with attempt 1, `resume` comes after its lease.
    /// False: nothing waits.
    pub(crate) fn seal(&mut self) -> bool {
        if self.stand != Stand::Queued {
            return false;
        }
        self.stand = Stand::Sending;
        (self.attempt, self.unknown, self.refused) = (1, 0, 0);
        self.schedule_resume();
        self.record_attempt();
        true
    }

    /// `claim.lua`; `over` says whether the lease, or the quarantine, has ended by the server's clock.
    pub(crate) fn claim(&mut self, rules: &Rules, over: bool, send: bool) -> Claim {
        match self.stand {
            Stand::Sending if over => {
                self.unknown += 1;
                self.stand = Stand::Unknown;
                self.schedule_resume();
                Claim::Wait
            }
            Stand::Sending => {
                self.schedule_resume();
                Claim::Wait
            }
            Stand::Unknown if !over => {
                self.schedule_resume();
                Claim::Wait
            }
            Stand::Unknown if self.unknown > rules.budget => {
                self.stand = Stand::Held;
                Claim::Held
            }
            Stand::Unknown if !send => Claim::Due,
            Stand::Unknown => {
                self.attempt += 1;
                self.stand = Stand::Sending;
                self.schedule_resume();
                self.record_attempt();
                Claim::Send
            }
            _ => Claim::Gone,
        }
    }

    /// `accept.lua`: merged in any state of its batch; of a batch that is over it is only noted.
    pub(crate) fn accept(&mut self, batch: u8, number: u8) {
        let task = attempt(batch, number);
        let is_over = batch != self.batch || matches!(self.stand, Stand::Done | Stand::Queued);
        if is_over || self.tasks & task != 0 {
            return;
        }
        self.tasks |= task;
        self.polls |= task;
        if self.stand == Stand::Accepted {
            return;
        }
        // Evidence for an earlier attempt while a later one is on the wire.
        if self.stand == Stand::Sending && self.attempt != number {
            self.unknown += 1;
        }
        self.stand = Stand::Accepted;
        self.resume.delayed = false;
    }

    /// `lost.lua`.
    pub(crate) fn lost(&mut self, batch: u8, number: u8) {
        if batch == self.batch && self.stand == Stand::Sending && self.attempt == number {
            self.stand = Stand::Unknown;
            self.unknown += 1;
            self.schedule_resume();
        }
    }

    /// `adopt.lua`: a batch of its own follows the live tasks; the one that was sent is over.
    pub(crate) fn adopt(&mut self, batch: u8, number: u8, tasks: Attempts) {
        if self.is_at(batch, number) {
            self.close();
            self.stand = Stand::Accepted;
            (self.tasks, self.polls) = (tasks, tasks);
        }
    }

    /// `settle.lua` with status `queued`, after a refusal for a passing reason, or when no call was made.
    pub(crate) fn refused(&mut self, rules: &Rules, batch: u8, number: u8) {
        if !self.is_at(batch, number) || self.refused == number {
            return;
        }
        // What is refused is not unknown any more.
        let unknown = self.unknown - u8::from(self.stand == Stand::Unknown);
        if rules.refusal_keeps_unknown && unknown > 0 {
            (self.stand, self.unknown, self.refused) = (Stand::Unknown, unknown, number);
            self.schedule_resume();
            return;
        }
        self.close();
        self.stand = Stand::Queued;
        self.submit.delayed = true;
    }

    /// `settle.lua` with status `completed`, after a poll that said SUCCESS.
    pub(crate) fn complete(&mut self) {
        self.stand = Stand::Done;
        self.resume.delayed = false;
        self.polls = 0;
    }

    /// `sweep.lua`: whatever somebody must look after gets the job for it.
    pub(crate) fn sweep(&mut self) {
        match self.stand {
            Stand::Queued => self.submit.delayed = true,
            Stand::Sending | Stand::Unknown => self.resume.delayed = true,
            // Polls are one step here.
            Stand::Accepted | Stand::Held | Stand::Done => {}
        }
    }

    fn is_at(&self, batch: u8, number: u8) -> bool {
        let waits = matches!(self.stand, Stand::Sending | Stand::Unknown);
        waits && batch == self.batch && number == self.attempt
    }

    /// `close_batch` of `prelude.lua`.
    fn close(&mut self) {
        self.batch += 1;
        (self.attempt, self.unknown, self.refused) = (0, 0, 0);
        (self.tasks, self.polls) = (0, 0);
        self.resume.delayed = false;
    }
}
