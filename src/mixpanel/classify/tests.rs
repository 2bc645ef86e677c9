//! Every status of every call, pinned as text.

use std::fmt::Write;

use super::*;

fn answered(status: u16, body: &[u8]) -> Exchange {
    Exchange::Answered(Answer { status, retry_after: None, body: Body::Whole(body.to_vec()) })
}

/// `from-to outcome`, one line per run of statuses with one outcome.
fn table(outcome: impl Fn(u16) -> String) -> String {
    let mut lines = String::new();
    let mut from = 100;
    for status in 100..=599 {
        let class = outcome(status).replace(&status.to_string(), "_");
        if status == 599 || outcome(status + 1).replace(&(status + 1).to_string(), "_") != class {
            let range = if from == status { format!("{from}") } else { format!("{from}-{status}") };
            let _ = writeln!(lines, "{range} {class}");
            from = status + 1;
        }
    }
    lines
}

#[test]
fn every_status_of_a_creation_has_its_outcome() {
    let seen = table(|status| format!("{:?}", create(&answered(status, b"{}"), &[])));
    assert_eq!(seen, CREATE, "{seen}");
}

#[test]
fn every_status_of_a_poll_has_its_outcome() {
    let seen = table(|status| format!("{:?}", poll(&answered(status, b"{}"))));
    assert_eq!(seen, POLL, "{seen}");
}

#[test]
fn every_status_of_a_cancellation_has_its_outcome() {
    let seen = table(|status| format!("{:?}", cancel(&answered(status, b"{}"))));
    assert_eq!(seen, CANCEL, "{seen}");
}

#[test]
fn every_status_of_a_test_of_the_credentials_has_its_outcome() {
    let seen = table(|status| format!("{:?}", probe(&answered(status, b"{}"))));
    assert_eq!(seen, PROBE, "{seen}");
    assert_eq!(probe(&answered(404, b"<html>")), ProbeOutcome::NotTheApi { status: 404 });
}

#[test]
fn a_body_that_is_cut_off_keeps_what_its_status_decides() {
    let cut =
        |status| Exchange::Answered(Answer { status, retry_after: None, body: Body::Unusable });
    assert_eq!(
        create(&cut(201), &[]),
        CreateOutcome::Unknown(Ambiguity::Unreadable { status: 201 })
    );
    assert_eq!(
        create(&cut(401), &[]),
        CreateOutcome::Refused(Refusal::Credentials { status: 401 })
    );
    assert_eq!(poll(&cut(200)), PollOutcome::Unavailable(Ambiguity::Unreadable { status: 200 }));
    assert_eq!(cancel(&cut(200)), CancelOutcome::Cancelled);
}

#[test]
fn without_an_answer_only_a_missing_connection_is_a_sure_no() {
    assert_eq!(create(&Exchange::NotSent, &[]), CreateOutcome::Refused(Refusal::Unreachable));
    assert_eq!(create(&Exchange::TimedOut, &[]), CreateOutcome::Unknown(Ambiguity::Timeout));
    assert_eq!(create(&Exchange::Lost, &[]), CreateOutcome::Unknown(Ambiguity::ConnectionLost));
}

const CREATE: &str = "\
100-199 Unknown(Unexpected { status: _ })
200-299 Unknown(Unreadable { status: _ })
300-399 Refused(Misdirected { status: _ })
400 Refused(Invalid { status: _, named: [] })
401 Refused(Credentials { status: _ })
402 Refused(Invalid { status: _, named: [] })
403 Refused(Credentials { status: _ })
404-407 Refused(Misdirected { status: _ })
408 Unknown(RequestTimeout { status: _ })
409 Conflict(Conflict { ids: [], tasks: [], foreign: 0 })
410-411 Refused(Misdirected { status: _ })
412 Refused(Invalid { status: _, named: [] })
413 Refused(TooLarge)
414 Refused(Invalid { status: _, named: [] })
415 Refused(Misdirected { status: _ })
416 Refused(Invalid { status: _, named: [] })
417 Refused(Misdirected { status: _ })
418-420 Refused(Invalid { status: _, named: [] })
421 Refused(Misdirected { status: _ })
422-424 Refused(Invalid { status: _, named: [] })
425 Refused(Throttled { limit: Unspecified, retry_after: None })
426 Refused(Misdirected { status: _ })
427 Refused(Invalid { status: _, named: [] })
428 Refused(Misdirected { status: _ })
429 Refused(Throttled { limit: Unspecified, retry_after: None })
430 Refused(Invalid { status: _, named: [] })
431 Refused(Misdirected { status: _ })
432-450 Refused(Invalid { status: _, named: [] })
451 Refused(Misdirected { status: _ })
452-498 Refused(Invalid { status: _, named: [] })
499 Unknown(RequestTimeout { status: _ })
500-599 Unknown(ServerError { status: _, retry_after: None })
";
const POLL: &str = "\
100-199 Unavailable(Unexpected { status: _ })
200-299 Unavailable(Unreadable { status: _ })
300-399 Refused(Misdirected { status: _ })
400 Refused(Invalid { status: _, named: [] })
401 Refused(Credentials { status: _ })
402 Refused(Invalid { status: _, named: [] })
403 Refused(Credentials { status: _ })
404 NoSuchTask
405-407 Refused(Misdirected { status: _ })
408 Unavailable(RequestTimeout { status: _ })
409 Refused(Invalid { status: _, named: [] })
410 NoSuchTask
411 Refused(Misdirected { status: _ })
412 Refused(Invalid { status: _, named: [] })
413 Refused(TooLarge)
414 Refused(Invalid { status: _, named: [] })
415 Refused(Misdirected { status: _ })
416 Refused(Invalid { status: _, named: [] })
417 Refused(Misdirected { status: _ })
418-420 Refused(Invalid { status: _, named: [] })
421 Refused(Misdirected { status: _ })
422-424 Refused(Invalid { status: _, named: [] })
425 Refused(Throttled { limit: Unspecified, retry_after: None })
426 Refused(Misdirected { status: _ })
427 Refused(Invalid { status: _, named: [] })
428 Refused(Misdirected { status: _ })
429 Refused(Throttled { limit: Unspecified, retry_after: None })
430 Refused(Invalid { status: _, named: [] })
431 Refused(Misdirected { status: _ })
432-450 Refused(Invalid { status: _, named: [] })
451 Refused(Misdirected { status: _ })
452-498 Refused(Invalid { status: _, named: [] })
499 Unavailable(RequestTimeout { status: _ })
500-599 Unavailable(ServerError { status: _, retry_after: None })
";
const CANCEL: &str = "\
100-199 Unknown(Unexpected { status: _ })
200-299 Cancelled
300-399 Refused(Misdirected { status: _ })
400 Refused(Invalid { status: _, named: [] })
401 Refused(Credentials { status: _ })
402 Refused(Invalid { status: _, named: [] })
403 Refused(Credentials { status: _ })
404 NoSuchTask
405 TooLate
406-407 Refused(Misdirected { status: _ })
408 Unknown(RequestTimeout { status: _ })
409 Refused(Invalid { status: _, named: [] })
410 NoSuchTask
411 Refused(Misdirected { status: _ })
412 Refused(Invalid { status: _, named: [] })
413 Refused(TooLarge)
414 Refused(Invalid { status: _, named: [] })
415 Refused(Misdirected { status: _ })
416 Refused(Invalid { status: _, named: [] })
417 Refused(Misdirected { status: _ })
418-420 Refused(Invalid { status: _, named: [] })
421 Refused(Misdirected { status: _ })
422-424 Refused(Invalid { status: _, named: [] })
425 Refused(Throttled { limit: Unspecified, retry_after: None })
426 Refused(Misdirected { status: _ })
427 Refused(Invalid { status: _, named: [] })
428 Refused(Misdirected { status: _ })
429 Refused(Throttled { limit: Unspecified, retry_after: None })
430 Refused(Invalid { status: _, named: [] })
431 Refused(Misdirected { status: _ })
432-450 Refused(Invalid { status: _, named: [] })
451 Refused(Misdirected { status: _ })
452-498 Refused(Invalid { status: _, named: [] })
499 Unknown(RequestTimeout { status: _ })
500-599 Unknown(ServerError { status: _, retry_after: None })
";
const PROBE: &str = "\
100-199 Unavailable(Unexpected { status: _ })
200-299 Good
300-399 NotTheApi { status: _ }
400 Good
401 Bad { status: _ }
402 Good
403 Bad { status: _ }
404-405 Good
406-407 NotTheApi { status: _ }
408 Unavailable(RequestTimeout { status: _ })
409-410 Good
411 NotTheApi { status: _ }
412-414 Good
415 NotTheApi { status: _ }
416 Good
417 NotTheApi { status: _ }
418-420 Good
421 NotTheApi { status: _ }
422-424 Good
425 Busy { retry_after: None }
426 NotTheApi { status: _ }
427 Good
428 NotTheApi { status: _ }
429 Busy { retry_after: None }
430 Good
431 NotTheApi { status: _ }
432-450 Good
451 NotTheApi { status: _ }
452-498 Good
499 Unavailable(RequestTimeout { status: _ })
500-599 Unavailable(ServerError { status: _, retry_after: None })
";
