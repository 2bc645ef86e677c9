//! Answers in the forms that SDKs know from Mixpanel.

use axum::{
    Json,
    http::{
        HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS},
    },
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{payload::Voice, record::ImportFault, refusal::Refusal};

/// A transparent picture of one pixel.
const PIXEL: &[u8] = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\x00\x00\x00\x21\xf9\x04\x01\x00\x00\x00\x00\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x44\x01\x00\x3b";

/// What was taken of a call, and what was not.
#[derive(Debug)]
pub(super) struct Taken {
    /// Records that are on the stream.
    pub(super) records: usize,
    /// Records that were refused alone.
    pub(super) faults: Vec<ImportFault>,
    /// Whether the sender wants to know which.
    pub(super) strict: bool,
}

/// The answer to a call.
pub(super) fn answer(voice: &Voice, outcome: &Result<Taken, Refusal>) -> Response {
    let status = match outcome {
        Ok(taken) if *voice == Voice::Import && taken.strict && !taken.faults.is_empty() => {
            StatusCode::BAD_REQUEST
        }
        Ok(_) => StatusCode::OK,
        Err(refusal) => refusal.status(),
    };
    let mut response = match voice {
        Voice::Import => Json(import(status, outcome)).into_response(),
        Voice::Verbose => Json(verbose(outcome)).into_response(),
        Voice::Pixel => ([(CONTENT_TYPE, "image/gif")], PIXEL).into_response(),
        Voice::Callback(name, is_verbose) => {
            let value = if *is_verbose { verbose(outcome).to_string() } else { plain(outcome) };
            // The comment keeps the start of the answer out of the sender's hands.
            let script = format!("/**/{name}({value});");
            ([(CONTENT_TYPE, "application/javascript; charset=utf-8")], script).into_response()
        }
        Voice::Plain if matches!(outcome, Err(Refusal::UnknownToken)) => {
            Json(json!({ "status": "error", "error": told(outcome) })).into_response()
        }
        Voice::Plain => plain(outcome).into_response(),
    };
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(seconds) = outcome.as_ref().err().and_then(Refusal::retry_after) {
        headers.insert(RETRY_AFTER, seconds.into());
    }
    response
}

fn plain(outcome: &Result<Taken, Refusal>) -> String {
    String::from(if outcome.is_ok() { "1" } else { "0" })
}

/// `status` and `error`. As at Mixpanel one good record makes a call good; what was refused of it is told all the same.
fn verbose(outcome: &Result<Taken, Refusal>) -> Value {
    json!({ "status": u8::from(outcome.is_ok()), "error": told(outcome) })
}

fn told(outcome: &Result<Taken, Refusal>) -> Option<String> {
    match outcome {
        Err(refusal) => Some(refusal.to_string()),
        Ok(taken) => {
            let first = taken.faults.first()?;
            let (refused, all) = (taken.faults.len(), taken.faults.len() + taken.records);
            Some(format!(
                "{refused} of {all} records refused, first {}: {}",
                first.index, first.fault.message
            ))
        }
    }
}

fn import(status: StatusCode, outcome: &Result<Taken, Refusal>) -> Value {
    let reason = match status {
        StatusCode::PAYLOAD_TOO_LARGE => "Request Entity Too Large",
        other => other.canonical_reason().unwrap_or_default(),
    };
    let mut answer = json!({ "code": status.as_u16(), "status": reason });
    match outcome {
        Err(refusal) => answer["error"] = json!(refusal.to_string()),
        Ok(taken) => {
            answer["num_records_imported"] = json!(taken.records);
            if status == StatusCode::BAD_REQUEST {
                answer["error"] = json!("some data points in the request failed validation");
                answer["failed_records"] = taken.faults.iter().map(failed).collect();
            }
        }
    }
    answer
}

/// Mixpanel's own clients disagree on the name of the id: it stands under both.
fn failed(ImportFault { index, fault }: &ImportFault) -> Value {
    json!({
        "index": index, "$insert_id": fault.insert_id, "insert_id": fault.insert_id,
        "field": fault.field, "message": fault.message,
    })
}
