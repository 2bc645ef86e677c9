//! The JSON of Mixpanel's task API: what we send, and every shape of what comes back.
//!
//! The documentation contradicts itself and the observed answers, so reading is lenient: any field
//! may be missing, of another type or elsewhere. Invariant: nothing here panics or guesses; what
//! does not hold the one thing that is asked for is `None`.

use std::collections::HashSet;

use gdpr_jobs::{DistinctId, Regulation};
use serde::Serialize;
use serde_json::{Map, Value};

use super::task::{ExportLink, NewTask, RemoteStatus, TrackingId};

#[derive(Serialize)]
struct CreateBody<'a> {
    distinct_ids: &'a [DistinctId],
    compliance_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    disclosure_type: Option<&'static str>,
}

/// The body of a new task.
pub(super) fn create_body(
    task: NewTask,
    regulation: Regulation,
    ids: &[DistinctId],
) -> Result<Vec<u8>, serde_json::Error> {
    let disclosure_type = match (task, regulation) {
        (NewTask::Retrieval { disclosure }, Regulation::Ccpa) => Some(disclosure.as_str()),
        (NewTask::Retrieval { .. }, Regulation::Gdpr) | (NewTask::Deletion, _) => None,
    };
    serde_json::to_vec(&CreateBody {
        distinct_ids: ids,
        compliance_type: regulation.as_str(),
        disclosure_type,
    })
}

/// What a poll tells about a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskReport {
    /// Where the task stands.
    pub status: RemoteStatus,
    /// Where the export is, once there is one.
    pub link: Option<ExportLink>,
    /// The people of the task as Mixpanel repeats them; `None` if it does not.
    pub people: Option<Vec<DistinctId>>,
    /// How many people Mixpanel says the task has.
    pub people_count: Option<u64>,
    /// The numeric id of the Mixpanel project.
    pub project_id: Option<u64>,
}

impl TaskReport {
    /// Whether what Mixpanel repeats agrees with what we sent. `false` means another project's
    /// token or a mix-up of tasks: the batch must be held. Silence agrees.
    pub fn agrees_with(&self, ids: &[DistinctId]) -> bool {
        let sent: HashSet<_> = ids.iter().collect();
        let same = self.people.as_ref().is_none_or(|p| p.iter().collect::<HashSet<_>>() == sent);
        same && self.people_count.is_none_or(|n| usize::try_from(n).is_ok_and(|n| n == sent.len()))
    }
}

/// The id in the answer to a creation. Several different ids are as good as none: a batch whose
/// second task nobody polls would lose people.
pub(super) fn created(body: &[u8]) -> Option<TrackingId> {
    let answer = object(body)?;
    let mut ids = records(&answer).into_iter().filter_map(task_id);
    let first = ids.next()?;
    ids.all(|id| id == first).then_some(first)
}

/// The answer to a poll; `None` if it holds no status.
pub(super) fn report(body: &[u8]) -> Option<TaskReport> {
    let answer = object(body)?;
    let record = match answer.get("results")? {
        Value::Object(record) => record,
        Value::Array(list) => list.first()?.as_object()?,
        _ => return None, // what remains is the envelope's own "ok" or "error"
    };
    Some(TaskReport {
        status: RemoteStatus::parse(word(record, "status")?),
        link: ["result", "results", "destination_url"]
            .iter()
            .find_map(|field| ExportLink::parse(word(record, field)?)),
        people: people(record.get("distinct_ids")),
        people_count: number(record.get("distinct_id_count")),
        project_id: number(record.get("project_id")),
    })
}

/// Reads a body as a JSON object.
pub(super) fn object(body: &[u8]) -> Option<Map<String, Value>> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Some(object),
        Ok(_) | Err(_) => None,
    }
}

/// The records of an answer: `results` as a list or as one object, else the answer itself.
fn records(answer: &Map<String, Value>) -> Vec<&Map<String, Value>> {
    match answer.get("results") {
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_object).collect(),
        Some(Value::Object(record)) => vec![record],
        _ => vec![answer],
    }
}

fn task_id(record: &Map<String, Value>) -> Option<TrackingId> {
    ["tracking_id", "task_id", "id"].iter().find_map(|field| tracking_id(record.get(*field)?))
}

/// An id written as text or as a whole number.
pub(super) fn tracking_id(value: &Value) -> Option<TrackingId> {
    TrackingId::new(text(value)?.trim()).ok()
}

/// Text, or a whole number as text. A fraction has lost digits: it is nothing.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(n) if !n.is_f64() => Some(n.to_string()),
        _ => None,
    }
}

fn word<'a>(record: &'a Map<String, Value>, field: &str) -> Option<&'a str> {
    record.get(field)?.as_str()
}

fn number(value: Option<&Value>) -> Option<u64> {
    text(value?)?.trim().parse().ok()
}

/// Repeated people; an empty list says nothing (a finished deletion may have forgotten them).
fn people(value: Option<&Value>) -> Option<Vec<DistinctId>> {
    let list = value?.as_array().filter(|list| !list.is_empty())?;
    Some(list.iter().map(|id| DistinctId::new(text(id).unwrap_or_default())).collect())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use gdpr_jobs::Disclosure;

    use super::*;

    macro_rules! fixture {
        ($name:literal) => {
            include_bytes!(concat!("fixtures/", $name, ".json")).as_slice()
        };
    }

    #[test]
    fn every_shape_of_a_created_task_yields_its_id() {
        const UUID: &str = "00000000-1111-2222-3333-444444444444";
        for (body, id) in [
            (fixture!("s1_create_list"), "1580000000000000001"),
            (fixture!("s2_create_task_id"), UUID),
            (fixture!("s3_create_full_object"), UUID),
            (fixture!("s3_create_full_list"), UUID),
            (fixture!("s8_cancel_task_id"), UUID),
            (
                br#"{"status":"ok","results":{"tracking_id":1580000000000000001}}"#,
                "1580000000000000001",
            ),
            (br#"{"status":"ok","results":[{"id":17}]}"#, "17"),
            (br#"{"status":"ok","results":null,"task_id":" t1 "}"#, "t1"),
            (br#"{"tracking_id":null,"task_id":"","id":"t2"}"#, "t2"),
            (br#"{"results":[{"task_id":"t3"},{"task_id":"t3"}]}"#, "t3"),
        ] {
            assert_eq!(created(body).unwrap().as_str(), id);
        }
    }

    #[test]
    fn an_answer_without_one_certain_id_yields_none() {
        for body in [
            b"".as_slice(),
            b"<html>",
            b"[]",
            b"\"t1\"",
            br#"{"status":"ok"}"#,
            br#"{"status":"ok","results":[]}"#,
            br#"{"status":"ok","results":null}"#,
            br#"{"status":"ok","results":{"task_id":""}}"#,
            br#"{"status":"ok","results":{"task_id":[1]}}"#,
            br#"{"status":"ok","results":{"task_id":1.58e300}}"#,
            br#"{"status":"ok","results":{"task_id":".."}}"#,
            br#"{"status":"ok","results":[{"task_id":"t1"},{"task_id":"t2"}]}"#,
            br#"{"status":"ok","results":{"task_id":"t1""#,
        ] {
            assert_eq!(created(body), None, "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn every_shape_of_a_report_yields_status_link_and_people() {
        let u1 = vec![DistinctId::new("u1")];
        for (body, status, link) in [
            (fixture!("s4_poll_retrieval_pending"), RemoteStatus::Pending, None),
            (fixture!("s4_poll_retrieval_result"), RemoteStatus::Success, Some("a")),
            (fixture!("s5_poll_retrieval_results"), RemoteStatus::Success, Some("b")),
            (fixture!("s5_poll_retrieval_destination"), RemoteStatus::Success, Some("c")),
            (fixture!("s6_poll_deletion_short"), RemoteStatus::Staging, None),
            (fixture!("s7_poll_deletion_full"), RemoteStatus::Success, None),
        ] {
            let report = report(body).unwrap();
            assert_eq!(report.status, status);
            let url = link.map(|name| format!("https://storage.googleapis.com/{name}"));
            assert_eq!(report.link.as_ref().map(ExportLink::expose), url.as_deref());
            assert_eq!(report.people.as_ref(), Some(&u1));
            assert!(report.agrees_with(&u1) && !report.agrees_with(&[DistinctId::new("u2")]));
        }
    }

    #[test]
    fn odd_types_never_spoil_a_report() {
        let report = report(
            br#"{"results":[{"status":"NOT FOUND","result":7,"results":["x"],"destination_url":null,
            "distinct_ids":[12,"u1"],"distinct_id_count":"3","project_id":"1234567",
            "date_requested":{"when":"01-02-2026"}}]}"#,
        )
        .unwrap();
        assert_eq!((report.status.clone(), report.link.clone()), (RemoteStatus::NotFound, None));
        assert_eq!(report.project_id, Some(1_234_567));
        let ids = ["u1", "12"].map(DistinctId::new);
        assert!(!report.agrees_with(&ids), "the count is 3");
        assert!(TaskReport { people_count: None, ..report }.agrees_with(&ids));
    }

    #[test]
    fn the_envelope_s_own_status_is_not_the_task_s() {
        for body in [
            br#"{"status":"ok"}"#.as_slice(),
            br#"{"status":"ok","results":null}"#,
            br#"{"status":"SUCCESS","results":[]}"#,
            br#"{"status":"ok","results":{"result":""}}"#,
        ] {
            assert_eq!(report(body), None);
        }
    }

    #[test]
    fn disclosure_is_sent_for_ccpa_retrievals_only() {
        let ids = [DistinctId::new("u\"1")];
        let retrieval = NewTask::Retrieval { disclosure: Disclosure::Sources };
        let body = |task, regulation| {
            String::from_utf8(create_body(task, regulation, &ids).unwrap()).unwrap()
        };
        assert_eq!(
            body(retrieval, Regulation::Ccpa),
            r#"{"distinct_ids":["u\"1"],"compliance_type":"CCPA","disclosure_type":"Sources"}"#
        );
        let plain = r#"{"distinct_ids":["u\"1"],"compliance_type":"GDPR"}"#;
        assert_eq!(body(retrieval, Regulation::Gdpr), plain);
        assert_eq!(body(NewTask::Deletion, Regulation::Gdpr), plain);
    }
}
