//! Answers of Mixpanel, of every shape, to every call.
//!
//! The first line is the call, the HTTP status and `Retry-After`, separated by blanks (`poll 200 30`), the rest the
//! body. With `cut` for the call's name, it did not arrive whole.
//!
//! Dictionary: answer
#![no_main]

use std::{sync::LazyLock, time::Duration};

use gdpr_jobs::DistinctId;
use gdpr_worker::mixpanel::{
    Ambiguity, CancelOutcome, Channel, CreateOutcome, Delivery, Outage, Parcel, PollOutcome,
    ProbeOutcome, Refusal, RemoteStatus,
    fuzzing::{self, Answered},
};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// In bodies they stand for people; in what is told of an answer they must not stand.
const PEOPLE: [&str; 3] = ["canary-1@example.test", "canary-2", "777000777"];

static SENT: LazyLock<Vec<DistinctId>> =
    LazyLock::new(|| PEOPLE.iter().copied().map(DistinctId::new).collect());
static PARCELS: LazyLock<[Parcel; 3]> =
    LazyLock::new(|| [Channel::Import, Channel::Track, Channel::Engage].map(parcel));

/// Four records; the last two have one `$insert_id`.
fn parcel(channel: Channel) -> Parcel {
    let mut parcel = Parcel::new(channel);
    for id in INSERT_IDS {
        let record = format!(r#"{{"event":"A","properties":{{"$insert_id":"{id}"}}}}"#);
        parcel.push(record.into_bytes().into()).expect("a small record");
    }
    parcel
}

const INSERT_IDS: [&str; 4] = ["i-1", "i-2", "i-3", "i-3"];

fuzz_target!(|data: &[u8]| {
    let split = data.iter().position(|&byte| byte == b'\n').unwrap_or(data.len());
    let (head, body) = data.split_at(split);
    let body = body.get(1..).unwrap_or_default();
    let head = String::from_utf8_lossy(head);
    let mut head = head.splitn(3, ' ');
    let call = head.next().unwrap_or_default();
    let status: u16 = head.next().and_then(|status| status.parse().ok()).unwrap_or(200);
    let retry_after = head.next().unwrap_or_default();
    let whole = call != "cut";
    let answered = Answered { status, retry_after, body: whole.then_some(body) };
    // No call, or none that is known: every one.
    let known = ["create", "poll", "cancel", "probe", "import", "track", "engage"].contains(&call);
    let is = |name| call == name || !known;
    let said = if whole { serde_json::from_slice::<Value>(body).ok() } else { None };
    if is("create") {
        create(answered, said.as_ref());
    }
    if is("poll") {
        poll(answered, said.as_ref());
    }
    if is("cancel") {
        cancel(answered);
    }
    if is("probe") {
        probe(answered, said.as_ref());
    }
    for (name, parcel) in ["import", "track", "engage"].iter().zip(&*PARCELS) {
        if is(name) {
            deliver(answered, parcel, said.as_ref());
        }
    }
});

fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

fn tells_nobody(told: &str) {
    assert!(PEOPLE.iter().all(|id| !told.contains(id)), "{told}");
}

fn object(said: Option<&Value>) -> Option<&Map<String, Value>> {
    said.and_then(Value::as_object)
}

/// The records of an answer, wherever they may stand.
fn records(said: Option<&Value>) -> Vec<&Map<String, Value>> {
    let Some(answer) = object(said) else { return Vec::new() };
    match answer.get("results") {
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_object).collect(),
        Some(Value::Object(record)) => vec![record],
        _ => vec![answer],
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn create(answered: Answered<'_>, said: Option<&Value>) {
    let status = answered.status;
    match fuzzing::create(answered, &SENT) {
        CreateOutcome::Accepted { task } => {
            assert!(is_success(status), "accepted at {status}");
            let named = records(said).into_iter().any(|record| {
                ["tracking_id", "task_id", "id"].iter().any(|field| {
                    record.get(*field).is_some_and(|id| text(id).trim() == task.as_str())
                })
            });
            assert!(named, "a task that the answer does not name");
        }
        CreateOutcome::Conflict(conflict) => {
            assert_eq!(status, 409);
            assert!(conflict.ids.iter().all(|id| SENT.contains(id)), "somebody else's conflict");
            assert!(conflict.ids.len() <= SENT.len(), "a person stands twice");
        }
        CreateOutcome::Refused(refusal) => {
            tells_nobody(&format!("{refusal:?}"));
            refused(&refusal, status);
        }
        CreateOutcome::Unknown(ambiguity) => ambiguous(ambiguity, status),
    }
}

/// A refusal says that nothing was done: no 2xx and no 5xx may say so.
fn refused(refusal: &Refusal, status: u16) {
    assert!(
        (300..500).contains(&status) && status != 408 && status != 499,
        "{refusal:?} at {status}"
    );
    match refusal {
        Refusal::Invalid { named, .. } => assert!(named.iter().all(|id| SENT.contains(id))),
        Refusal::Throttled { retry_after, .. } => in_a_day(*retry_after),
        _ => {}
    }
}

fn ambiguous(ambiguity: Ambiguity, status: u16) {
    if let Ambiguity::ServerError { retry_after, .. } = ambiguity {
        in_a_day(retry_after);
    }
    assert!(!(300..=407).contains(&status), "{ambiguity:?} at {status}");
}

fn in_a_day(wait: Option<Duration>) {
    assert!(wait.is_none_or(|wait| wait <= DAY), "{wait:?}");
}

/// Nothing but SUCCESS, said by the task itself in a good answer, completes anything.
fn poll(answered: Answered<'_>, said: Option<&Value>) {
    let status = answered.status;
    let outcome = fuzzing::poll(answered);
    tells_nobody(&format!("{outcome:?}"));
    match outcome {
        PollOutcome::Report(report) => {
            assert!(is_success(status), "a report at {status}");
            let record = match object(said).and_then(|answer| answer.get("results")) {
                Some(Value::Array(list)) => list.first().and_then(Value::as_object),
                Some(Value::Object(record)) => Some(record),
                _ => None,
            };
            let word = record.and_then(|record| record.get("status")).and_then(Value::as_str);
            let word = word.expect("a report of an answer without a status");
            let is_success = word.trim().eq_ignore_ascii_case("success");
            assert_eq!(report.status == RemoteStatus::Success, is_success, "{word:?}");
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            let told = report.status.as_str();
            assert!((1..=32).contains(&told.len()) && told.bytes().all(plain), "{told:?}");
            let link = report.link.as_ref().map(|link| link.expose());
            assert!(link != Some(""), "an empty link");
            let _ = report.agrees_with(&SENT);
        }
        PollOutcome::NoSuchTask => assert!(matches!(status, 404 | 410)),
        PollOutcome::Refused(refusal) => {
            assert!(!is_success(status) && status < 500, "{refusal:?} at {status}");
        }
        PollOutcome::Unavailable(_) => assert!(!matches!(status, 404 | 410)),
    }
}

fn cancel(answered: Answered<'_>) {
    let status = answered.status;
    match fuzzing::cancel(answered) {
        CancelOutcome::Cancelled => assert!(is_success(status)),
        CancelOutcome::TooLate => assert_eq!(status, 405),
        CancelOutcome::NoSuchTask => assert!(matches!(status, 404 | 410)),
        CancelOutcome::Refused(refusal) => refused(&refusal, status),
        CancelOutcome::Unknown(ambiguity) => ambiguous(ambiguity, status),
    }
}

fn probe(answered: Answered<'_>, said: Option<&Value>) {
    let status = answered.status;
    match fuzzing::probe(answered) {
        // The API speaks JSON: a page of something in between is no good sign.
        ProbeOutcome::Good => assert!(object(said).is_some() && status != 401 && status != 403),
        ProbeOutcome::Bad { status: told } => {
            assert!(told == status && matches!(status, 401 | 403));
        }
        ProbeOutcome::Busy { retry_after } => in_a_day(retry_after),
        _ => {}
    }
}

/// Nothing counts as in that is not said to be, and nothing is given up that is not named.
fn deliver(answered: Answered<'_>, parcel: &Parcel, said: Option<&Value>) {
    let status = answered.status;
    let outcome = fuzzing::deliver(answered, parcel);
    tells_nobody(&format!("{outcome:?}"));
    let failed = object(said).and_then(|answer| answer.get("failed_records"));
    let failed = failed.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    match outcome {
        Delivery::Accepted { uncounted } => {
            assert!(is_success(status), "accepted at {status}");
            assert!(failed.is_empty(), "accepted with refused records");
            assert!(!says_no(said), "accepted by an answer that says no");
            assert!(uncounted <= parcel.len());
        }
        Delivery::Partly { refused } => {
            assert!(is_success(status) || (400..500).contains(&status));
            assert!(
                !refused.is_empty() && refused.windows(2).all(|pair| pair[0].index < pair[1].index)
            );
            for record in &refused {
                let id = INSERT_IDS.get(record.index).expect("a record of the parcel");
                assert!(
                    failed.iter().any(|one| is_about(one, record.index, id)),
                    "{}",
                    record.index
                );
                assert!(record.field.len() <= 120 && record.reason.as_str().len() <= 160);
            }
        }
        Delivery::Refused { reason } => {
            assert!(is_success(status) || (400..500).contains(&status));
            assert!(reason.as_str().len() <= 160);
        }
        Delivery::TooLarge => assert_eq!(status, 413),
        Delivery::Throttled { retry_after } => in_a_day(retry_after),
        Delivery::Unavailable { why, sent } => {
            assert!(sent, "an answer to something that was not sent");
            if let Outage::Server { retry_after, .. } = why {
                in_a_day(retry_after);
            }
        }
        Delivery::Unauthorized { status: told } => {
            assert!(told == status && matches!(status, 401 | 403));
        }
        Delivery::Late => panic!("late, and yet there is an answer"),
    }
}

fn says_no(said: Option<&Value>) -> bool {
    let word = match said {
        Some(Value::Object(answer)) => answer.get("status"),
        other => other,
    };
    match word {
        Some(Value::Bool(word)) => !word,
        Some(Value::Number(word)) => word.as_u64() == Some(0),
        Some(Value::String(word)) => ["0", "error"].contains(&word.trim()),
        _ => false,
    }
}

fn is_about(failed: &Value, index: usize, insert_id: &str) -> bool {
    let by_index = failed.get("index").is_some_and(|at| text(at).trim().parse() == Ok(index));
    let by_id = ["$insert_id", "insert_id"]
        .iter()
        .any(|name| failed.get(name).and_then(Value::as_str) == Some(insert_id));
    by_index || by_id
}
