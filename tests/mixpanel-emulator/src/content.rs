//! The body of a call, read before anything is decided, so that the log names the ids of refused
//! calls too.

use std::sync::Arc;

use serde::Deserialize;

use crate::call::Call;
use crate::ingest::{self, BodyError, Record};
use crate::kind::{Kind, Route};

/// What a body says.
#[derive(Debug)]
pub(crate) enum Content {
    /// Nothing that matters.
    Nothing,
    /// A new task, or why the body cannot be one.
    Create(Result<CreateRequest, String>),
    /// Ids whose deletions are to be cancelled.
    Cancel(Arc<[Arc<str>]>),
    /// Events or profile updates.
    Records { records: Result<Vec<Record>, BodyError>, ids: Arc<[Arc<str>]> },
}

/// The members of a create, checked and with defaults.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CreateRequest {
    pub(crate) ids: Arc<[Arc<str>]>,
    pub(crate) compliance: &'static str,
    pub(crate) disclosure: &'static str,
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    distinct_ids: Vec<String>,
    compliance_type: Option<String>,
    disclosure_type: Option<String>,
}

impl Content {
    /// `most_bytes` is the largest body of events or profiles.
    pub(crate) fn read(route: &Route, call: &Call, most_bytes: usize) -> Self {
        match route {
            Route::Collection { kind: Kind::Cancel, .. } => {
                let ids = document(&call.body).map(|document| shared(document.distinct_ids));
                Self::Cancel(ids.unwrap_or_default())
            }
            Route::Collection { .. } => Self::Create(create_request(&call.body)),
            Route::Ingest(kind) => {
                let records = ingest::records(call, *kind, most_bytes);
                let all = records.as_deref().unwrap_or_default();
                let ids = all.iter().filter_map(|record| record.owner(*kind));
                let ids = ids.map(Arc::from).collect();
                Self::Records { records, ids }
            }
            _ => Self::Nothing,
        }
    }

    /// What a call asks for that is to make a task.
    pub(crate) fn asked(&self) -> Option<&CreateRequest> {
        match self {
            Self::Create(request) => request.as_ref().ok(),
            _ => None,
        }
    }

    /// The ids that the log names.
    pub(crate) fn ids(&self) -> Arc<[Arc<str>]> {
        match self {
            Self::Create(Ok(request)) => Arc::clone(&request.ids),
            Self::Cancel(ids) | Self::Records { ids, .. } => Arc::clone(ids),
            Self::Nothing | Self::Create(Err(_)) => Arc::new([]),
        }
    }
}

fn create_request(body: &[u8]) -> Result<CreateRequest, String> {
    let document = document(body)?;
    let compliance = document.compliance_type.unwrap_or_else(|| "GDPR".to_owned());
    let disclosure = document.disclosure_type.unwrap_or_else(|| "Data".to_owned());
    Ok(CreateRequest {
        ids: shared(document.distinct_ids),
        compliance: word(&compliance, &["GDPR", "CCPA"]).ok_or("unknown compliance_type")?,
        disclosure: word(&disclosure, &["DATA", "CATEGORIES", "SOURCES"])
            .ok_or("unknown disclosure_type")?,
    })
}

fn document(body: &[u8]) -> Result<Document, String> {
    serde_json::from_slice(body).map_err(|error| format!("Invalid request body: {error}"))
}

fn word(found: &str, known: &[&'static str]) -> Option<&'static str> {
    known.iter().find(|known| known.eq_ignore_ascii_case(found)).copied()
}

fn shared(ids: Vec<String>) -> Arc<[Arc<str>]> {
    ids.into_iter().map(Arc::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_create_has_defaults_for_all_but_the_ids() {
        let request = create_request(br#"{"distinct_ids":["a"]}"#);
        let expected =
            CreateRequest { ids: Arc::new(["a".into()]), compliance: "GDPR", disclosure: "DATA" };
        assert_eq!(request, Ok(expected));
    }

    #[test]
    fn a_body_that_is_not_a_create_is_refused() {
        for body in
            ["", "[]", r#"{"distinct_ids":[1]}"#, r#"{"distinct_ids":["a"],"compliance_type":"X"}"#]
        {
            assert!(create_request(body.as_bytes()).is_err(), "{body}");
        }
    }
}
