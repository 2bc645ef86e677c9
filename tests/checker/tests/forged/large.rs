//! A right history of the size of the storms.

use serde_json::json;

use crate::{
    draft::Draft,
    right::{poll, seal},
};

/// Deletions of many people with five ids each, in full batches.
pub(crate) fn history(people: usize) -> Draft {
    let mut d = Draft::new();
    d.run["batch_deletion"] = 1999.into();
    d.run["quiet_ms"] = 0.into();
    d.run["submit_within_ms"] = 864_000_000.into();
    let names: Vec<(String, Vec<String>)> = (0..people)
        .map(|n| (format!("del-{n:05}"), (0..5).map(|i| format!("user-{n:05}-{i}")).collect()))
        .collect();
    for (request, ids) in &names {
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        d.ask(request, "deletion", &ids, "queued");
    }
    for (number, some) in names.chunks(399).enumerate() {
        let requests: Vec<&str> = some.iter().map(|(request, _)| request.as_str()).collect();
        let ids: Vec<&String> = some.iter().flat_map(|(_, ids)| ids).collect();
        let (batch, task) = (format!("b{number}"), format!("task-{number}"));
        seal(&mut d, &requests, &batch);
        d.call("create-deletion", &task, json!({ "ids": ids }));
        d.moves(
            &requests,
            "submitted",
            &[("batch", &batch), ("attempt", &1), ("tracking_id", &task)],
        );
        poll(&mut d, "deletion", &task, &batch, "SUCCESS");
        d.moves(&requests, "completed", &[("batch", &batch), ("tracking_id", &task)]);
    }
    d.run["ended_ms"] = d.now.into();
    d
}
