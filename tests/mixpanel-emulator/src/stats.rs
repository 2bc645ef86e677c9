//! What the log and the tasks add up to.

use serde_json::{Value, json};

use crate::kind::Kind;
use crate::log::Entry;
use crate::state::State;

/// `GET /_emulator/stats`.
pub(crate) fn stats(state: &State) -> Value {
    let count = |test: &dyn Fn(&Entry) -> bool| {
        state.log.entries().iter().filter(|entry| test(entry)).count()
    };
    let of = |kind: Kind| count(&|entry| entry.kind == kind);
    let acted = |kind: Kind| count(&|entry| entry.kind == kind && entry.acted);
    let (known, erased) = state.people.counts();
    json!({
        "calls": state.log.entries().len(),
        "creates": {
            "deletion": of(Kind::CreateDeletion), "retrieval": of(Kind::CreateRetrieval),
        },
        "created": {
            "deletion": acted(Kind::CreateDeletion), "retrieval": acted(Kind::CreateRetrieval),
        },
        "polls": of(Kind::PollDeletion) + of(Kind::PollRetrieval),
        "cancels": of(Kind::Cancel),
        "cancelled": acted(Kind::Cancel),
        "conflicts": count(&|entry| entry.status == Some(409)),
        "too_early": count(&|entry| entry.too_early),
        "min_gap_ms": state.limiter.shortest_ms(),
        "tasks": state.tasks.by_status(),
        "export_downloads": acted(Kind::Export),
        "export_with_authorization": count(&|entry| entry.export_with_authorization),
        "ingestion": {
            "track": of(Kind::Track), "import": of(Kind::Import),
            "engage": of(Kind::Engage), "groups": of(Kind::Groups),
        },
        "ingested": state.ingested.counts(),
        "people": { "stored": known, "erased": erased },
        "faults_applied": state.faults.applied,
    })
}

/// `GET /_emulator/tasks`: all tasks, oldest first.
pub(crate) fn tasks(state: &State) -> Value {
    let shown = state.tasks.iter().map(|task| {
        json!({
            "task": &*task.id,
            "kind": task.kind,
            "project": &*task.project,
            "status": task.status,
            "ids_count": task.ids.len(),
            "ids": task.ids.iter().map(|id| &**id).collect::<Vec<_>>(),
            "compliance": task.compliance,
            "polls": task.polls,
            "requested": task.requested.to_rfc3339(),
        })
    });
    shown.collect()
}
