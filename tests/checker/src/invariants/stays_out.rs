//! Times in which nothing of a person may arrive, and what arrived all the same. I12 and I13 ask the same of different
//! times.

use std::collections::HashMap;

use crate::{
    account::{Account, Life},
    verdict::{Finding, Ruling},
};

/// From when to when nothing of a person may arrive.
pub(super) struct Period<'h> {
    request: &'h str,
    ids: &'h [String],
    /// In Unix ms, both excluded.
    from: u64,
    until: u64,
}

impl<'h> Period<'h> {
    /// From a moment to the first opt-in that came after the request; `None` if there is no such time.
    pub(super) fn from(account: &Account<'h>, life: &Life<'h>, from: u64) -> Option<Self> {
        let produced = life.produced?;
        let later = produced.ids.iter().flat_map(|id| account.owners(id)).filter(|other| {
            other.kind() == "opt_in"
                && other.produced.is_some_and(|opt_in| opt_in.order() > produced.order())
        });
        let until = later.filter_map(Life::completed).map(|event| event.ms).min();
        let until = until.unwrap_or(u64::MAX);
        (from < until).then_some(Self { request: life.id, ids: &produced.ids, from, until })
    }

    /// Whether it never ends.
    pub(super) fn lasts(&self) -> bool {
        self.until == u64::MAX
    }
}

pub(super) fn judge(account: &Account<'_>, periods: &[Period<'_>]) -> Ruling {
    if periods.is_empty() {
        return Ruling::default();
    }
    let Some(arrivals) = &account.history.ingested else {
        let ingests = |kind: &str| matches!(kind, "track" | "import" | "engage" | "groups");
        return if account.history.calls.iter().any(|call| ingests(&call.kind)) {
            Ruling::lacks(
                "ingested.jsonl: the records that reached the emulator (keep_records, /_emulator/ingested)",
            )
        } else {
            Ruling::default()
        };
    };
    let mut of_id: HashMap<&str, Vec<&Period<'_>>> = HashMap::new();
    for period in periods {
        for id in period.ids {
            of_id.entry(id).or_default().push(period);
        }
    }
    let slack = account.history.run.clock_slack_ms;
    let mut ruling = Ruling::default();
    for arrival in arrivals.iter().filter(|arrival| !arrival.deletes) {
        let named = arrival.ids.iter().filter_map(|id| of_id.get(id.as_str())).flatten();
        let inside = |period: &&&Period<'_>| {
            arrival.ms > period.from + slack && arrival.ms < period.until.saturating_sub(slack)
        };
        if let Some(period) = named.into_iter().find(inside) {
            let text = format!(
                "something about the person arrived {} ms after they were out",
                arrival.ms - period.from
            );
            ruling.note(Finding::new(text).request(period.request).call(arrival.call));
        }
    }
    ruling
}
