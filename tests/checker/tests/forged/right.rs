//! A history in which everything is right: every kind, lost answers, a conflict, a bisection, a merge, a cancellation,
//! opt-out and opt-in, archives.

use serde_json::{Value, json};

use crate::{
    draft::Draft,
    zips::{archive, sha256},
};

/// Everybody in it.
pub(crate) const PEOPLE: [&str; 14] = [
    "u-mu-1",
    "u-eta-1",
    "u-lambda-1",
    "u-alpha-1",
    "u-alpha-2",
    "u-beta-1",
    "u-gamma-1",
    "u-delta-1",
    "u-delta-2",
    "u-epsilon-1",
    "u-zeta-1",
    "u-theta-1",
    "u-iota-1",
    "u-kappa-1",
];

pub(crate) fn records(id: &str) -> Vec<Value> {
    vec![
        json!({ "event": "Seen", "properties": { "distinct_id": id, "time": 1 } }),
        json!({ "event": "Seen", "properties": { "distinct_id": id, "time": 2.5, "page": "é" } }),
        json!({ "$distinct_id": id, "$properties": { "plan": "pro" } }),
    ]
}

/// An event about a person.
pub(crate) fn seen(id: &str) -> Value {
    records(id).remove(0)
}

pub(crate) fn history() -> Draft {
    let mut d = Draft::new();
    consent(&mut d);
    lost_and_adopted(&mut d);
    lost_and_repeated(&mut d);
    twins(&mut d);
    bisected_and_merged(&mut d);
    withdrawn(&mut d);
    d.event(&[("requests", &"ret-1"), ("kind", &"retrieval"), ("why", &"a link was made")]);
    d.event(&[("requests", &"ret-2"), ("kind", &"retrieval"), ("why", &"another link was made")]);
    // `replayed` and `ended_ms` follow from what happened.
    let last = d.events.last().unwrap().ms;
    d.run["replayed"] = json!({ "call": d.calls.len(), "event": format!("{last}-0") });
    d.run["ended_ms"] = (last + 700_000).into();
    d
}

fn consent(d: &mut Draft) {
    d.ingest(seen("u-theta-1"));
    d.ask("out-1", "opt_out", &["u-theta-1"], "queued");
    d.pass(40);
    d.moves(&["out-1"], "completed", &[("why", &"in force")]);
    d.pass(5_000);
    d.ask("in-1", "opt_in", &["u-theta-1"], "completed");
    d.ingest(seen("u-theta-1"));
    d.ask("out-2", "opt_out", &["u-iota-1", "$device:iota"], "completed");
    d.ask("bad-1", "", &[], "rejected");
    d.ingest(json!({ "$distinct_id": "u-iota-1", "$delete": "" }));
}

pub(crate) fn seal(d: &mut Draft, requests: &[&str], batch: &str) {
    let why: (&str, &dyn std::fmt::Display) = ("why", &"sealed into a batch");
    d.moves(requests, "submitting", &[why, ("batch", &batch), ("attempt", &1)]);
}

fn again(d: &mut Draft, requests: &[&str], batch: &str) {
    d.moves(
        requests,
        "submitting",
        &[("batch", &batch), ("attempt", &1), ("why", &"no answer in time")],
    );
    d.pass(300_000);
    d.moves(requests, "submitting", &[("batch", &batch), ("attempt", &2), ("why", &"sent again")]);
}

fn lost_and_adopted(d: &mut Draft) {
    d.ask("del-1", "deletion", &["u-alpha-1", "u-alpha-2"], "queued");
    d.ask("del-2", "deletion", &["u-beta-1"], "queued");
    d.pass(5_000);
    let (both, ids) = (["del-1", "del-2"], json!(["u-alpha-1", "u-alpha-2", "u-beta-1"]));
    seal(d, &both, "b1");
    d.call("create-deletion", "task-1", json!({ "ids": ids, "status": null }));
    d.pass(60_000);
    again(d, &both, "b1");
    d.call(
        "create-deletion",
        "",
        json!({ "ids": ids, "status": 409, "acted": false, "task": null }),
    );
    d.moves(
        &both,
        "submitted",
        &[("batch", &"b2"), ("tracking_id", &"task-1"), ("why", &"following it")],
    );
    poll(d, "deletion", "task-1", "b2", "STARTED");
    poll(d, "deletion", "task-1", "b2", "SUCCESS");
    d.moves(
        &both,
        "completed",
        &[("batch", &"b2"), ("tracking_id", &"task-1"), ("why", &"SUCCESS")],
    );
}

pub(crate) fn poll(d: &mut Draft, kind: &str, task: &str, batch: &str, word: &str) {
    d.pass(60_000);
    d.call(&format!("poll-{kind}"), task, json!({ "task_status": word }));
    d.event(&[
        ("kind", &kind),
        ("batch", &batch),
        ("tracking_id", &task),
        ("mixpanel_status", &word),
        ("why", &"task status"),
    ]);
}

fn lost_and_repeated(d: &mut Draft) {
    d.ask("ret-1", "retrieval", &["u-gamma-1"], "queued");
    d.ask("ret-2", "retrieval", &["u-delta-1", "u-delta-2"], "queued");
    d.pass(5_000);
    let (both, ids) = (["ret-1", "ret-2"], json!(["u-gamma-1", "u-delta-1", "u-delta-2"]));
    seal(d, &both, "b3");
    d.call("create-retrieval", "1580000000000000001", json!({ "ids": ids, "status": null }));
    d.pass(60_000);
    again(d, &both, "b3");
    let task = "1580000000000000002";
    d.call("create-retrieval", task, json!({ "ids": ids }));
    d.moves(&both, "submitted", &[("batch", &"b3"), ("attempt", &2), ("tracking_id", &task)]);
    packaged(
        d,
        &[("ret-1", &["u-gamma-1"]), ("ret-2", &["u-delta-1", "u-delta-2"])],
        "b3",
        task,
        604_800,
    );
    d.ask("ret-3", "ccpa", &["u-kappa-1"], "queued");
    seal(d, &["ret-3"], "b4");
    let task = "1580000000000000003";
    d.call("create-retrieval", task, json!({ "ids": ["u-kappa-1"] }));
    d.moves(&["ret-3"], "submitted", &[("batch", &"b4"), ("attempt", &1), ("tracking_id", &task)]);
    packaged(d, &[("ret-3", &["u-kappa-1"])], "b4", task, 60);
    d.pass(60_000);
    d.store.remove("ret-3.zip");
    d.moves(&["ret-3"], "expired", &[("why", &"the archive was destroyed")]);
}

/// One person asks by both laws: two batches with the same ids are on their way at once.
fn twins(d: &mut Draft) {
    d.ask("ret-4", "retrieval", &["u-mu-1"], "queued");
    d.ask("ret-5", "ccpa", &["u-mu-1"], "queued");
    let both = [
        ("ret-4", "b9", "GDPR", "1580000000000000004"),
        ("ret-5", "b10", "CCPA", "1580000000000000005"),
    ];
    for (request, batch, _, _) in both {
        seal(d, &[request], batch);
    }
    for (request, batch, compliance, task) in both {
        d.call("create-retrieval", task, json!({ "ids": ["u-mu-1"], "compliance": compliance }));
        d.moves(
            &[request],
            "submitted",
            &[("batch", &batch), ("attempt", &1), ("tracking_id", &task)],
        );
    }
    for (request, batch, _, task) in both {
        packaged(d, &[(request, &["u-mu-1"])], batch, task, 604_800);
    }
}

fn packaged(d: &mut Draft, requests: &[(&str, &[&str])], batch: &str, task: &str, live_s: u64) {
    poll(d, "retrieval", task, batch, "SUCCESS");
    let all: Vec<&str> = requests.iter().map(|(request, _)| *request).collect();
    d.moves(&all, "packaging", &[("batch", &batch), ("tracking_id", &task)]);
    d.call("export", task, json!({ "project": null }));
    for (request, ids) in requests {
        let mut content = Vec::new();
        for id in *ids {
            content.extend(records(id));
            d.delivered.push(json!({ "task": task, "id": id, "records": records(id) }));
        }
        let bytes = archive(request, task, &content, |_| {});
        let until =
            chrono::DateTime::from_timestamp(i64::try_from(d.now / 1000 + live_s).unwrap(), 0);
        let until = until.unwrap().format("%FT%TZ");
        let (hash, size) = (sha256(&bytes), bytes.len());
        d.moves(
            &[request],
            "completed",
            &[
                ("batch", &batch),
                ("archive_sha256", &hash),
                ("archive_bytes", &size),
                ("archive_expires_at", &until),
            ],
        );
        d.put_archive(request, bytes);
    }
}

fn bisected_and_merged(d: &mut Draft) {
    d.ask("del-3", "deletion", &["u-epsilon-1"], "queued");
    d.ask("del-4", "deletion", &["u-zeta-1"], "queued");
    d.ask("del-5", "deletion", &["u-zeta-1"], "merged");
    let both = ["del-3", "del-4"];
    let refused = |ids: &[&str]| json!({ "ids": ids, "status": 400, "acted": false, "task": null });
    seal(d, &both, "b5");
    d.call("create-deletion", "", refused(&["u-epsilon-1", "u-zeta-1"]));
    d.moves(&both, "queued", &[("batch", &"b5"), ("why", &"divided")]);
    seal(d, &["del-3"], "b6");
    d.call("create-deletion", "", refused(&["u-epsilon-1"]));
    d.moves(&["del-3"], "failed", &[("batch", &"b6"), ("why", &"refused")]);
    seal(d, &["del-4"], "b7");
    d.call("create-deletion", "task-2", json!({ "ids": ["u-zeta-1"] }));
    d.moves(
        &["del-4"],
        "submitted",
        &[("batch", &"b7"), ("attempt", &1), ("tracking_id", &"task-2")],
    );
    d.ask("del-6", "deletion", &["u-eta-1"], "queued");
    d.ask("can-1", "cancellation", &[], "queued");
    d.moves(&["del-6"], "cancelled", &[("why", &"cancelled by can-1")]);
    d.moves(&["can-1"], "completed", &[("why", &"del-6 left before it was sent")]);
    poll(d, "deletion", "task-2", "b7", "SUCCESS");
    d.moves(
        &["del-4"],
        "completed",
        &[("batch", &"b7"), ("tracking_id", &"task-2"), ("why", &"SUCCESS")],
    );
}

/// One more that goes straight, after the cancellation.
fn withdrawn(d: &mut Draft) {
    d.ask("del-7", "deletion", &["u-lambda-1"], "queued");
    seal(d, &["del-7"], "b8");
    d.call("create-deletion", "task-3", json!({ "ids": ["u-lambda-1"] }));
    d.moves(
        &["del-7"],
        "submitted",
        &[("batch", &"b8"), ("attempt", &1), ("tracking_id", &"task-3")],
    );
    poll(d, "deletion", "task-3", "b8", "SUCCESS");
    d.moves(
        &["del-7"],
        "completed",
        &[("batch", &"b8"), ("tracking_id", &"task-3"), ("why", &"SUCCESS")],
    );
}
