//! What can happen next. A worker's step is one script, or one thing that it does outside of Redis.

use crate::{
    Rules,
    scripts::Claim,
    state::{At, State, Worker, attempt},
};

/// What happened, for a trace.
pub(crate) type Step = &'static str;

/// Calls `see` with every state that can follow.
pub(crate) fn next(rules: &Rules, now: &State, see: &mut dyn FnMut(Step, State)) {
    for place in 0..rules.workers {
        worker(rules, now, place, see);
    }
    network(rules, now, see);
    redis(rules, now, see);
}

/// What a worker does with a job that it was just given.
type Job = fn(&Rules, &State, usize, &mut dyn FnMut(Step, State));

fn with(now: &State, place: usize, worker: Worker) -> State {
    let mut state = *now;
    state.workers[place] = worker;
    state
}

fn worker(rules: &Rules, now: &State, place: usize, see: &mut dyn FnMut(Step, State)) {
    let worker = now.workers[place];
    match worker.at {
        At::Idle => {
            for (resumes, job) in [(false, submit as Job), (true, resume as Job)] {
                let given = [now.give(place, resumes), now.give_again(place, resumes)];
                for given in given.iter().flatten() {
                    job(rules, given, place, see);
                }
            }
            return;
        }
        At::Slot => claim_to_send(rules, now, place, see),
        // `Ledger::seal` and `claim` have returned; the sync is waited for on the same connection.
        At::Gate => {
            let mut state = with(now, place, Worker { at: At::Ready, ..worker });
            if rules.sync_before_sending {
                state = state.sync();
            }
            see("an attempt is on the disk", state);
        }
        At::Ready => {
            let mut state = with(now, place, Worker { at: At::OnWire, ..worker });
            state.wire |= attempt(worker.batch, worker.attempt);
            see("a call is sent", state);
            if now.refusals > 0 {
                let mut state = with(now, place, Worker { at: At::Refused, ..worker });
                state.refusals -= 1;
                see("no slot is left for the call", state);
            }
        }
        At::OnWire => {
            see("no answer in time", with(now, place, Worker { at: At::Lost, ..worker }));
        }
        At::Accepted | At::Conflict(_) | At::Refused | At::Lost => {
            record(rules, now, place, see);
        }
    }
    see("a worker dies", now.abandon(place));
}

/// The job `submit`: seals what waits. Its reply may be lost: then the job is given up, and comes again.
fn submit(_: &Rules, now: &State, place: usize, see: &mut dyn FnMut(Step, State)) {
    let mut state = *now;
    if !state.redis.seal() {
        return see("nothing to seal", state.settle(place));
    }
    see("sealed, but the reply is lost", state.abandon(place));
    see("sealed", at_attempt(&state, place));
}

/// The worker has recorded the present attempt.
fn at_attempt(state: &State, place: usize) -> State {
    let (batch, attempt) = (state.redis.batch, state.redis.attempt);
    with(state, place, Worker { at: At::Gate, batch, attempt, ..state.workers[place] })
}

/// The job `resume`: looks after a batch whose answer is missing.
fn resume(rules: &Rules, now: &State, place: usize, see: &mut dyn FnMut(Step, State)) {
    for over in [false, true] {
        let mut state = *now;
        if state.redis.claim(rules, over, false) == Claim::Due {
            let (batch, attempt) = (state.redis.batch, state.redis.attempt);
            let slot = Worker { at: At::Slot, batch, attempt, ..state.workers[place] };
            see("due, and there is a slot", with(&state, place, slot));
        } else {
            see("looked after the batch", state.settle(place));
        }
    }
}

fn claim_to_send(rules: &Rules, now: &State, place: usize, see: &mut dyn FnMut(Step, State)) {
    // The job names its batch: another one is none of its business.
    if now.workers[place].batch != now.redis.batch {
        return see("the batch is over", now.settle(place));
    }
    for over in [false, true] {
        let mut state = *now;
        if state.redis.claim(rules, over, true) == Claim::Send {
            see("claimed, but the reply is lost", state.abandon(place));
            see("claimed", at_attempt(&state, place));
        } else {
            see("not to be sent after all", state.settle(place));
        }
    }
}

/// `Context::insist`: the script is called until its reply comes, so it may run twice.
fn record(rules: &Rules, now: &State, place: usize, see: &mut dyn FnMut(Step, State)) {
    let Worker { at, batch, attempt, .. } = now.workers[place];
    let mut state = *now;
    let step = match at {
        At::Accepted => {
            state.redis.accept(batch, attempt);
            "recorded: accepted"
        }
        At::Conflict(tasks) => {
            state.redis.adopt(batch, attempt, tasks);
            "recorded: adopted"
        }
        At::Refused => {
            state.redis.refused(rules, batch, attempt);
            "recorded: refused"
        }
        _ => {
            state.redis.lost(batch, attempt);
            "recorded: lost"
        }
    };
    see("recorded, but the reply is lost", state);
    see(step, state.settle(place));
}

/// Calls arrive, or do not; answers arrive, or do not.
fn network(rules: &Rules, now: &State, see: &mut dyn FnMut(Step, State)) {
    let mut left = now.wire;
    while left != 0 {
        let call = left & left.wrapping_neg();
        left &= !call;
        let mut state = *now;
        state.wire &= !call;
        see("a call is lost", state);
        arrive(rules, now, call, see);
    }
}

fn arrive(rules: &Rules, now: &State, call: u64, see: &mut dyn FnMut(Step, State)) {
    let mut state = *now;
    state.wire &= !call;
    let answer = if rules.conflicts && state.tasks != 0 {
        At::Conflict(state.tasks)
    } else {
        state.tasks |= call;
        At::Accepted
    };
    answered(&state, call, answer, see);
    if now.refusals > 0 {
        let mut state = *now;
        state.wire &= !call;
        state.refusals -= 1;
        answered(&state, call, At::Refused, see);
    }
}

fn answered(state: &State, call: u64, answer: At, see: &mut dyn FnMut(Step, State)) {
    see("Mixpanel acts, its answer is lost", *state);
    let waits =
        |worker: &Worker| worker.at == At::OnWire && attempt(worker.batch, worker.attempt) == call;
    if let Some(place) = state.workers.iter().position(waits) {
        let worker = Worker { at: answer, ..state.workers[place] };
        see("Mixpanel answers", with(state, place, worker));
    }
}

fn redis(rules: &Rules, now: &State, see: &mut dyn FnMut(Step, State)) {
    let mut polls = now.redis.polls & now.tasks;
    while polls != 0 {
        polls &= polls - 1;
        let mut state = *now;
        // A poll of one that goes on changes nothing here.
        state.redis.complete();
        see("a poll says SUCCESS", state);
    }
    if rules.sweep {
        let mut state = *now;
        state.redis.sweep();
        see("swept", state);
    }
    if rules.rollback && now.redis != now.disk {
        see("Redis syncs", now.sync());
        let mut state = now.roll_back();
        // Whoever waits for the sync is told that the connection broke.
        for place in 0..rules.workers {
            if state.workers[place].at == At::Gate {
                state = state.abandon(place);
            }
        }
        see("Redis loses what it had not synced", state);
    }
}
