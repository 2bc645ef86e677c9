//! From an exchange to its outcome: the one place that decides what a status means.
//!
//! Invariant: a status belongs to exactly one [`StatusClass`], and every call decides about every
//! class by name.

use gdpr_jobs::DistinctId;

use super::{
    complaint,
    exchange::{Answer, Body, Exchange},
    outcome::{Ambiguity, CancelOutcome, CreateOutcome, PollOutcome, ProbeOutcome, Refusal},
    wire,
};

/// What kind of statement a status is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StatusClass {
    /// 2xx.
    Success,
    /// 3xx: never followed, so nothing was done.
    Redirect,
    /// 401, 403.
    Credentials,
    /// 404, 410.
    Missing,
    /// 405.
    MethodRefused,
    /// About address, protocol or what stands in between; not about the batch.
    Protocol,
    /// 408, 499: the server or a proxy gave up on the call, perhaps after passing it on.
    GaveUp,
    /// 409.
    Conflict,
    /// 413.
    TooLarge,
    /// 425, 429.
    Throttled,
    /// Every other 4xx.
    Invalid,
    /// 5xx.
    Server,
    /// 1xx and what lies outside HTTP.
    Nonsense,
}

pub(super) const fn class(status: u16) -> StatusClass {
    match status {
        200..=299 => StatusClass::Success,
        300..=399 => StatusClass::Redirect,
        401 | 403 => StatusClass::Credentials,
        404 | 410 => StatusClass::Missing,
        405 => StatusClass::MethodRefused,
        406 | 407 | 411 | 415 | 417 | 421 | 426 | 428 | 431 | 451 => StatusClass::Protocol,
        408 | 499 => StatusClass::GaveUp,
        409 => StatusClass::Conflict,
        413 => StatusClass::TooLarge,
        425 | 429 => StatusClass::Throttled,
        400..=499 => StatusClass::Invalid,
        500..=599 => StatusClass::Server,
        0..=199 | 600.. => StatusClass::Nonsense,
    }
}

/// What an answer means when no call has a meaning of its own for its status.
enum General {
    Refused(Refusal),
    Unclear(Ambiguity),
}

fn general(answer: &Answer, sent: &[DistinctId]) -> General {
    let status = answer.status;
    match class(status) {
        StatusClass::Success => General::Unclear(Ambiguity::Unreadable { status }),
        StatusClass::Redirect
        | StatusClass::Missing
        | StatusClass::MethodRefused
        | StatusClass::Protocol => General::Refused(Refusal::Misdirected { status }),
        StatusClass::Credentials => General::Refused(Refusal::Credentials { status }),
        StatusClass::Conflict | StatusClass::Invalid => {
            let named = complaint::named(answer.body.bytes(), sent);
            General::Refused(Refusal::Invalid { status, named })
        }
        StatusClass::TooLarge => General::Refused(Refusal::TooLarge),
        StatusClass::Throttled => General::Refused(Refusal::Throttled {
            limit: complaint::throttle(answer.body.bytes()),
            retry_after: answer.retry_after,
        }),
        StatusClass::GaveUp => General::Unclear(Ambiguity::RequestTimeout { status }),
        StatusClass::Server => {
            General::Unclear(Ambiguity::ServerError { status, retry_after: answer.retry_after })
        }
        StatusClass::Nonsense => General::Unclear(Ambiguity::Unexpected { status }),
    }
}

/// The outcome of a creation; `sent` are the people in it.
pub(super) fn create(exchange: &Exchange, sent: &[DistinctId]) -> CreateOutcome {
    let answer = match exchange {
        Exchange::Answered(answer) => answer,
        Exchange::NotSent => return CreateOutcome::Refused(Refusal::Unreachable),
        Exchange::TimedOut => return CreateOutcome::Unknown(Ambiguity::Timeout),
        Exchange::Lost => return CreateOutcome::Unknown(Ambiguity::ConnectionLost),
    };
    match class(answer.status) {
        StatusClass::Success => {
            if let Some(task) = wire::created(answer.body.bytes()) {
                return CreateOutcome::Accepted { task };
            }
        }
        StatusClass::Conflict => {
            return CreateOutcome::Conflict(complaint::conflict(answer.body.bytes(), sent));
        }
        StatusClass::Redirect
        | StatusClass::Credentials
        | StatusClass::Missing
        | StatusClass::MethodRefused
        | StatusClass::Protocol
        | StatusClass::GaveUp
        | StatusClass::TooLarge
        | StatusClass::Throttled
        | StatusClass::Invalid
        | StatusClass::Server
        | StatusClass::Nonsense => {}
    }
    match general(answer, sent) {
        General::Refused(refusal) => CreateOutcome::Refused(refusal),
        General::Unclear(ambiguity) => CreateOutcome::Unknown(ambiguity),
    }
}

/// The outcome of a poll.
pub(super) fn poll(exchange: &Exchange) -> PollOutcome {
    let answer = match exchange {
        Exchange::Answered(answer) => answer,
        Exchange::NotSent => return PollOutcome::Refused(Refusal::Unreachable),
        Exchange::TimedOut => return PollOutcome::Unavailable(Ambiguity::Timeout),
        Exchange::Lost => return PollOutcome::Unavailable(Ambiguity::ConnectionLost),
    };
    match class(answer.status) {
        StatusClass::Success => {
            if let Some(report) = wire::report(answer.body.bytes()) {
                return PollOutcome::Report(report);
            }
        }
        StatusClass::Missing => return PollOutcome::NoSuchTask,
        StatusClass::Redirect
        | StatusClass::Credentials
        | StatusClass::MethodRefused
        | StatusClass::Protocol
        | StatusClass::GaveUp
        | StatusClass::Conflict
        | StatusClass::TooLarge
        | StatusClass::Throttled
        | StatusClass::Invalid
        | StatusClass::Server
        | StatusClass::Nonsense => {}
    }
    match general(answer, &[]) {
        General::Refused(refusal) => PollOutcome::Refused(refusal),
        General::Unclear(ambiguity) => PollOutcome::Unavailable(ambiguity),
    }
}

/// The outcome of a cancellation.
pub(super) fn cancel(exchange: &Exchange) -> CancelOutcome {
    let answer = match exchange {
        Exchange::Answered(answer) => answer,
        Exchange::NotSent => return CancelOutcome::Refused(Refusal::Unreachable),
        Exchange::TimedOut => return CancelOutcome::Unknown(Ambiguity::Timeout),
        Exchange::Lost => return CancelOutcome::Unknown(Ambiguity::ConnectionLost),
    };
    match class(answer.status) {
        StatusClass::Success => return CancelOutcome::Cancelled,
        StatusClass::Missing => return CancelOutcome::NoSuchTask,
        StatusClass::MethodRefused => return CancelOutcome::TooLate,
        StatusClass::Redirect
        | StatusClass::Credentials
        | StatusClass::Protocol
        | StatusClass::GaveUp
        | StatusClass::Conflict
        | StatusClass::TooLarge
        | StatusClass::Throttled
        | StatusClass::Invalid
        | StatusClass::Server
        | StatusClass::Nonsense => {}
    }
    match general(answer, &[]) {
        General::Refused(refusal) => CancelOutcome::Refused(refusal),
        General::Unclear(ambiguity) => CancelOutcome::Unknown(ambiguity),
    }
}

/// The outcome of a test of the credentials.
pub(super) fn probe(exchange: &Exchange) -> ProbeOutcome {
    let answer = match exchange {
        Exchange::Answered(answer) => answer,
        Exchange::NotSent => return ProbeOutcome::Unreachable,
        Exchange::TimedOut => return ProbeOutcome::Unavailable(Ambiguity::Timeout),
        Exchange::Lost => return ProbeOutcome::Unavailable(Ambiguity::ConnectionLost),
    };
    let status = answer.status;
    match class(status) {
        StatusClass::Credentials => ProbeOutcome::Bad { status },
        StatusClass::Throttled => ProbeOutcome::Busy { retry_after: answer.retry_after },
        // The API speaks JSON; a web server that knows nothing of it sends a page.
        StatusClass::Success
        | StatusClass::Missing
        | StatusClass::MethodRefused
        | StatusClass::Conflict
        | StatusClass::TooLarge
        | StatusClass::Invalid => match &answer.body {
            Body::Whole(bytes) if wire::object(bytes).is_some() => ProbeOutcome::Good,
            Body::Whole(_) | Body::Unusable => ProbeOutcome::NotTheApi { status },
        },
        StatusClass::Redirect | StatusClass::Protocol => ProbeOutcome::NotTheApi { status },
        StatusClass::GaveUp => ProbeOutcome::Unavailable(Ambiguity::RequestTimeout { status }),
        StatusClass::Server => ProbeOutcome::Unavailable(Ambiguity::ServerError {
            status,
            retry_after: answer.retry_after,
        }),
        StatusClass::Nonsense => ProbeOutcome::Unavailable(Ambiguity::Unexpected { status }),
    }
}

#[cfg(test)]
mod tests;
