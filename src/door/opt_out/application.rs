//! `POST /opt_out` and `POST /opt_in`, for applications that have the key.

use std::sync::Arc;

use axum::{
    Json,
    body::Body,
    extract::{Request, State},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{AUTHORIZATION, CACHE_CONTROL, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use chrono::Utc;
use gdpr_jobs::{Document, Kind, Status, document::MAX_DOCUMENT_BYTES};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::asking::{AskError, Asked, ask as enqueue};
use crate::door::{Door, body, projects::DoorProject};

/// What a document of this kind may say here; the rest of the contract belongs to backends with Redis.
const FIELDS: [&str; 3] = ["distinct_ids", "properties", "id"];

/// Why an application is refused.
enum No {
    /// The key is none of ours, or not that of the project.
    Key,
    /// What was said cannot be accepted, and why. Nothing of it is quoted.
    Document(String),
    /// It was not asked for.
    Asking(AskError),
}

/// Takes one request.
pub(super) async fn ask(
    kind: Kind,
    State(door): State<Arc<Door>>,
    headers: HeaderMap,
    request: Request,
) -> Response {
    let outcome = asked(kind, &door, &headers, request.into_body()).await;
    let word = match &outcome {
        Ok(_) => "taken",
        Err(No::Key) => "unknown_key",
        Err(No::Document(_)) => "unreadable",
        Err(No::Asking(AskError::IdTaken)) => "id_taken",
        Err(No::Asking(AskError::Producer(_))) => "not_taken",
    };
    door.counters.call(if kind == Kind::OptIn { "/opt_in" } else { "/opt_out" }, word);
    let mut response = match outcome {
        Ok(asked) => told(&asked),
        Err(No::Key) => {
            let mut response = error(
                StatusCode::UNAUTHORIZED,
                "expected Authorization: Bearer with the GDPR_APPLICATION_KEY of the project",
            );
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            response
        }
        Err(No::Document(why)) => error(StatusCode::BAD_REQUEST, &why),
        Err(No::Asking(why @ AskError::IdTaken)) => error(StatusCode::CONFLICT, &why.to_string()),
        Err(No::Asking(why)) => {
            tracing::warn!(fault = %why, "a request of an application could not be enqueued");
            error(
                StatusCode::SERVICE_UNAVAILABLE,
                "not taken, or the answer is lost: ask again (with an id, so that it counts once)",
            )
        }
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn asked(kind: Kind, door: &Door, headers: &HeaderMap, body: Body) -> Result<Asked, No> {
    let mine = with_key(door.projects.all(), headers);
    if mine.is_empty() {
        return Err(No::Key);
    }
    let body = body::read(body, MAX_DOCUMENT_BYTES, &mut door.budget.account())
        .await
        .map_err(|refusal| No::Document(refusal.to_string()))?;
    let mut said: Map<String, Value> = serde_json::from_slice(&body).map_err(|_| {
        No::Document("not a JSON object: expected {\"distinct_ids\": […]}".to_owned())
    })?;
    let project = match (said.remove("project"), mine.as_slice()) {
        (Some(name), _) => {
            let named = mine.iter().find(|one| name.as_str() == Some(one.project.as_str()));
            *named.ok_or(No::Key)?
        }
        (None, [only]) => *only,
        (None, _) => {
            return Err(No::Document(
                "project is missing: this key is that of several projects".to_owned(),
            ));
        }
    };
    if said.keys().any(|name| !FIELDS.contains(&name.as_str())) {
        return Err(No::Document(format!(
            "unknown field: allowed are {} and project",
            FIELDS.join(", ")
        )));
    }
    said.insert("kind".to_owned(), kind.as_str().into());
    let document = Document::parse(Value::Object(said).to_string().as_bytes(), Utc::now())
        .map_err(|rejection| No::Document(rejection.to_string()))?;
    enqueue(project, &document).await.map_err(No::Asking)
}

/// The projects whose key was sent. Every key is compared, in constant time.
fn with_key<'a>(all: &'a [DoorProject], headers: &HeaderMap) -> Vec<&'a DoorProject> {
    let header =
        headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let sent = match header.split_once(' ') {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => key.trim(),
        _ => return Vec::new(),
    };
    let has_it = |key: &SecretString| {
        // Digests have one length, whatever the length of the keys.
        bool::from(Sha256::digest(sent).ct_eq(&Sha256::digest(key.expose_secret())))
    };
    all.iter().filter(|one| one.application_key.as_ref().is_some_and(has_it)).collect()
}

fn told(asked: &Asked) -> Response {
    let code = match asked.status {
        Status::Completed => StatusCode::OK,
        Status::Rejected | Status::Failed => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::ACCEPTED,
    };
    let mut answer = json!({ "request": asked.id, "status": asked.status });
    if let Some(reason) = &asked.reason {
        answer["reason"] = json!(reason);
    }
    (code, Json(answer)).into_response()
}

fn error(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "error": message }))).into_response()
}
