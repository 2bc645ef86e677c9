//! What the door has done since it opened: counts, and nothing of what was in the calls.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Mutex, PoisonError},
};

use super::record::Kind;

/// The counts. All clones count together.
#[derive(Default)]
pub struct Counters(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    calls: BTreeMap<(&'static str, &'static str), u64>,
    records: BTreeMap<(String, &'static str), u64>,
    refused: BTreeMap<&'static str, u64>,
}

impl Counters {
    /// Counts a call and what became of it: `taken`, or the word for its refusal.
    pub(super) fn call(&self, endpoint: &'static str, outcome: &'static str) {
        self.count(|counts| *counts.calls.entry((endpoint, outcome)).or_default() += 1);
    }

    /// Counts records that are on the stream of a project.
    pub(super) fn taken(&self, project: &str, kind: Kind, records: usize) {
        self.count(|counts| {
            *counts.records.entry((project.to_owned(), kind.field())).or_default() +=
                records as u64;
        });
    }

    /// Counts records that were refused alone, by the field at fault.
    pub(super) fn refused(&self, field: &'static str) {
        self.count(|counts| *counts.refused.entry(field).or_default() += 1);
    }

    fn count(&self, count: impl FnOnce(&mut Counts)) {
        count(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The counts in Prometheus' text format.
    pub fn prometheus(&self) -> String {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::from("# TYPE gdpr_door_calls_total counter\n");
        for ((endpoint, outcome), count) in &counts.calls {
            let _ = writeln!(
                text,
                "gdpr_door_calls_total{{endpoint=\"{endpoint}\",outcome=\"{outcome}\"}} {count}"
            );
        }
        text.push_str("# TYPE gdpr_door_records_total counter\n");
        for ((project, kind), count) in &counts.records {
            let _ = writeln!(
                text,
                "gdpr_door_records_total{{project=\"{project}\",kind=\"{kind}\"}} {count}"
            );
        }
        text.push_str("# TYPE gdpr_door_records_refused_total counter\n");
        for (field, count) in &counts.refused {
            let field = if field.is_empty() { "record" } else { field };
            let _ = writeln!(text, "gdpr_door_records_refused_total{{field=\"{field}\"}} {count}");
        }
        text
    }
}
