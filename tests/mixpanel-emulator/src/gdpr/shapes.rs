//! Every form of answer that the GDPR API's documents and callers have shown.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::call::Reply;
use crate::dice::{Dice, hash};
use crate::forms::{CancelShape, CreateShape, LimitBody, LinkField, PollShape, StatusCase, Toggle};
use crate::settings::Settings;
use crate::task::{Task, TaskKind};

/// An error with a message, as for 401 and 403.
pub(crate) fn error(status: u16, message: &str) -> Reply {
    Reply::json(status, &json!({"status": "error", "error": message}))
}

/// The refusal of a batch for some of its ids, which it may name: the form of a 409, for want of a documented one.
pub(crate) fn invalid(status: u16, ids: &[impl AsRef<str>]) -> Reply {
    let message = "The request contains invalid distinct_ids";
    if ids.is_empty() {
        return error(status, message);
    }
    let list: Value = ids.iter().map(|id| Value::from(id.as_ref())).collect();
    let body =
        json!({"status": "error", "error": {"error": message, "invalid_distinct_ids": list}});
    Reply::json(status, &body)
}

/// A 429 of either limiter.
pub(crate) fn limited(form: LimitBody, dice: &mut Dice, message: &str) -> Reply {
    match form.pick(dice) {
        LimitBody::Text => Reply::text(429, message),
        _ => error(429, message),
    }
}

/// The refusal of a deletion whose ids are already being deleted: here `error` is an object.
pub(crate) fn conflict(ids: &[impl AsRef<str>], tasks: &[impl AsRef<str>]) -> Reply {
    let list = |all: Vec<&str>| all.into_iter().map(Value::from).collect::<Value>();
    let body = json!({"status": "error", "error": {
        "error": "Some distinct_ids already have a pending deletion task",
        "conflicting_distinct_ids": list(ids.iter().map(AsRef::as_ref).collect()),
        "conflicting_task_ids": list(tasks.iter().map(AsRef::as_ref).collect()),
    }});
    Reply::json(409, &body)
}

/// The answer to a create.
pub(crate) fn created(task: &Task, settings: &Settings, dice: &mut Dice) -> Reply {
    let id = shown_id(task, settings, dice);
    let results = match settings.create_shape.pick(dice) {
        CreateShape::TaskId => json!({"task_id": id}),
        CreateShape::Object => full_object(task, &id, settings, dice),
        _ => json!([listed_record(task, &id, settings, dice)]),
    };
    Reply::json(201, &json!({"status": "ok", "results": results}))
}

fn listed_record(task: &Task, id: &Value, settings: &Settings, dice: &mut Dice) -> Value {
    json!({
        "status": cased(task.status.word(), settings.status_case, dice),
        "disclosure_type": task.disclosure,
        "date_requested": naive(task.requested),
        "tracking_id": id,
        "project_id": project_id(&task.project),
        "compliance_type": task.compliance.to_lowercase(),
        "destination_url": null,
        "requesting_user": "owner@example.test",
        "distinct_id_count": task.ids.len(),
    })
}

fn full_object(task: &Task, id: &Value, settings: &Settings, dice: &mut Dice) -> Value {
    json!({
        "tracking_id": id,
        "id": hash(&task.id) % 1_000_000_000,
        "requesting_user": "owner@example.test",
        "status": cased(task.status.word(), settings.status_case, dice),
        "project_id": project_id(&task.project),
        "compliance_type": task.compliance,
        "date_requested": naive(task.requested),
        "distinct_ids": ids(task),
    })
}

/// What a poll shows beside the task itself.
#[derive(Debug)]
pub(crate) struct Sight<'a> {
    /// The status word.
    pub(crate) word: &'a str,
    /// The link of a finished retrieval.
    pub(crate) link: Option<String>,
    /// Whether the ids are somebody else's.
    pub(crate) wrong_ids: bool,
}

/// The answer to a poll.
pub(crate) fn polled(task: &Task, sight: Sight<'_>, settings: &Settings, dice: &mut Dice) -> Reply {
    let shown = if sight.wrong_ids { json!(["wrong-person"]) } else { ids(task) };
    let mut results = json!({
        "status": cased(sight.word, settings.status_case, dice),
        "distinct_ids": shown,
    });
    let openapi = settings.poll_shape.pick(dice) == PollShape::Openapi;
    match task.kind {
        TaskKind::Retrieval => {
            let (field, value) = link_member(sight.link, settings, dice);
            results[field] = value;
        }
        TaskKind::Deletion if openapi => {
            results["tracking_id"] = json!(&*task.id);
            results["requesting_user"] = json!("owner@example.test");
            results["compliance_type"] = json!(task.compliance.to_lowercase());
            results["project_id"] = json!(project_id(&task.project));
            results["date_requested"] = json!(naive(task.requested));
        }
        TaskKind::Deletion => results["result"] = json!(""),
    }
    Reply::json(200, &json!({"status": "ok", "results": results}))
}

fn link_member(
    link: Option<String>,
    settings: &Settings,
    dice: &mut Dice,
) -> (&'static str, Value) {
    let quoted = settings.quote_links.pick(dice) == Toggle::On;
    let link = link.map(|link| if quoted { format!(" \"{link}\"\n") } else { link });
    match settings.link_field.pick(dice) {
        LinkField::Results => ("results", json!(link.unwrap_or_default())),
        LinkField::DestinationUrl => ("destination_url", json!(link)),
        _ => ("result", json!(link.unwrap_or_default())),
    }
}

/// The answer to a poll of a task that does not exist: a status, not an HTTP error.
pub(crate) fn not_found(settings: &Settings, dice: &mut Dice) -> Reply {
    let word = cased("NOT_FOUND", settings.status_case, dice);
    let results = json!({"status": word, "result": "", "distinct_ids": []});
    Reply::json(200, &json!({"status": "ok", "results": results}))
}

/// The answer to a cancel that worked.
pub(crate) fn cancelled(task: &str, settings: &Settings, dice: &mut Dice) -> Reply {
    match settings.cancel_shape.pick(dice) {
        CancelShape::TaskId => {
            Reply::json(200, &json!({"status": "ok", "results": {"task_id": task}}))
        }
        _ => Reply::empty(204),
    }
}

fn ids(task: &Task) -> Value {
    task.ids.iter().map(|id| Value::from(&**id)).collect()
}

fn shown_id(task: &Task, settings: &Settings, dice: &mut Dice) -> Value {
    let as_number = settings.numeric_ids.pick(dice) == Toggle::On;
    match task.id.parse::<u64>() {
        Ok(number) if as_number => json!(number),
        _ => json!(&*task.id),
    }
}

fn cased(word: &str, case: StatusCase, dice: &mut Dice) -> String {
    match case.pick(dice) {
        StatusCase::Lower => word.to_lowercase(),
        StatusCase::Mixed => {
            let rest: String = word.chars().skip(1).collect();
            word.chars().take(1).chain(rest.to_lowercase().chars()).collect()
        }
        _ => word.to_owned(),
    }
}

/// The project's number, made from its token.
pub(crate) fn project_id(token: &str) -> u64 {
    1_000_000 + hash(token) % 9_000_000
}

fn naive(date: DateTime<Utc>) -> String {
    date.format("%Y-%m-%dT%H:%M:%S%.6f").to_string()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::call::ReplyBody;
    use crate::task::TaskStatus;

    fn task(kind: TaskKind) -> Task {
        Task {
            id: "1580000000000000001".into(),
            kind,
            project: "p".into(),
            ids: Arc::new(["u1".into()]),
            compliance: "GDPR",
            disclosure: "DATA",
            requested: Utc::now(),
            created: 0.0,
            status: TaskStatus::Pending,
            polls: 0,
            doomed: false,
            snapshot: None,
            link: None,
        }
    }

    fn body(reply: &Reply) -> Value {
        let ReplyBody::Ready(bytes) = &reply.body else { panic!("expected bytes at hand") };
        serde_json::from_slice(bytes).unwrap()
    }

    fn create(settings: &Settings) -> Value {
        body(&created(&task(TaskKind::Retrieval), settings, &mut Dice::new(1)))
    }

    fn poll(kind: TaskKind, settings: &Settings, link: Option<&str>) -> Value {
        let sight = Sight { word: "SUCCESS", link: link.map(str::to_owned), wrong_ids: false };
        body(&polled(&task(kind), sight, settings, &mut Dice::new(1)))["results"].clone()
    }

    #[test]
    fn a_create_is_answered_in_three_forms() {
        let form = |create_shape| create(&Settings { create_shape, ..Settings::default() });
        let array = form(CreateShape::Array);
        assert_eq!(array["results"][0]["tracking_id"], "1580000000000000001");
        assert_eq!(array["results"][0]["distinct_id_count"], 1);
        let task_id = form(CreateShape::TaskId);
        assert_eq!(task_id["results"], json!({"task_id": "1580000000000000001"}));
        let object = form(CreateShape::Object);
        assert_eq!(object["results"]["tracking_id"], "1580000000000000001");
        assert_eq!(object["results"]["distinct_ids"], json!(["u1"]));
    }

    #[test]
    fn numeric_ids_are_json_numbers_with_all_digits() {
        let settings = Settings { numeric_ids: Toggle::On, ..Settings::default() };
        assert_eq!(create(&settings)["results"][0]["tracking_id"], 1_580_000_000_000_000_001_u64);
    }

    #[test]
    fn the_link_stands_in_the_field_that_is_set() {
        for (link_field, name) in [
            (LinkField::Result, "result"),
            (LinkField::Results, "results"),
            (LinkField::DestinationUrl, "destination_url"),
        ] {
            let settings = Settings { link_field, ..Settings::default() };
            assert_eq!(poll(TaskKind::Retrieval, &settings, Some("http://x"))[name], "http://x");
            let before = poll(TaskKind::Retrieval, &settings, None)[name].clone();
            assert!(before == "" || before.is_null(), "{before}");
        }
    }

    #[test]
    fn quoted_links_carry_quotes_and_white_space() {
        let settings = Settings { quote_links: Toggle::On, ..Settings::default() };
        let results = poll(TaskKind::Retrieval, &settings, Some("http://x"));
        assert_eq!(results["result"], " \"http://x\"\n");
    }

    #[test]
    fn a_deletion_is_polled_in_two_forms() {
        let prose = poll(TaskKind::Deletion, &Settings::default(), None);
        assert_eq!(prose, json!({"status": "SUCCESS", "result": "", "distinct_ids": ["u1"]}));
        let settings = Settings { poll_shape: PollShape::Openapi, ..Settings::default() };
        let openapi = poll(TaskKind::Deletion, &settings, None);
        assert_eq!(openapi["tracking_id"], "1580000000000000001");
        assert!(openapi.get("result").is_none());
    }

    #[test]
    fn statuses_come_in_the_case_that_is_set() {
        let word = |status_case| {
            let settings = Settings { status_case, ..Settings::default() };
            poll(TaskKind::Deletion, &settings, None)["status"].clone()
        };
        assert_eq!(word(StatusCase::Upper), "SUCCESS");
        assert_eq!(word(StatusCase::Lower), "success");
        assert_eq!(word(StatusCase::Mixed), "Success");
    }

    #[test]
    fn random_shapes_are_repeated_by_the_same_seed() {
        let settings = Settings { create_shape: CreateShape::Random, ..Settings::default() };
        let forms = |seed| {
            let mut dice = Dice::new(seed);
            let kind = |reply: &Reply| body(reply)["results"].is_array();
            (0..32)
                .map(|_| kind(&created(&task(TaskKind::Retrieval), &settings, &mut dice)))
                .collect::<Vec<_>>()
        };
        assert_eq!(forms(3), forms(3));
        assert!(forms(3).contains(&true) && forms(3).contains(&false));
    }
}
