//! The records of an export, people interleaved: the first record of each, then the second of
//! each, and so on, with each profile at a place that its id decides.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{ExportOrder, taint};
use crate::dice::hash;
use crate::invent;
use crate::people::{Person, Source};

/// All records, made one at a time.
pub(crate) fn records(order: &ExportOrder) -> impl Iterator<Item = Value> + '_ {
    let rounds = order.snapshot.people.iter().map(|(_, source)| count(order, source)).max();
    let all = (0..rounds.unwrap_or(0)).flat_map(move |round| {
        let people = order.snapshot.people.iter();
        people.filter_map(move |(id, source)| record(order, id, source, round))
    });
    all.chain(taint::extra(order))
}

/// How many records a source has, before the regulation cuts any.
fn count(order: &ExportOrder, source: &Source) -> usize {
    match source {
        Source::Stored(person) => person.events.len() + usize::from(person.profile.is_some()),
        Source::Invented => order.snapshot.invent as usize + 1,
        Source::Nothing => 0,
    }
}

/// The record of a person at a place. The profile takes one place; events keep their order.
fn record(order: &ExportOrder, id: &Arc<str>, source: &Source, place: usize) -> Option<Value> {
    let total = count(order, source);
    if place >= total {
        return None;
    }
    let profile_at = profile_place(id, source, total);
    if profile_at == Some(place) {
        return profile(order, id, source);
    }
    let index = if profile_at.is_some_and(|at| at < place) { place - 1 } else { place };
    event(order, id, source, index).filter(|event| is_recent(order, event))
}

fn profile_place(id: &str, source: &Source, total: usize) -> Option<usize> {
    let has_profile = match source {
        Source::Stored(person) => person.profile.is_some(),
        Source::Invented => true,
        Source::Nothing => false,
    };
    has_profile.then(|| usize::try_from(hash(id) % total.max(1) as u64).unwrap_or(0))
}

fn profile(order: &ExportOrder, id: &str, source: &Source) -> Option<Value> {
    match source {
        Source::Stored(person) => stored_profile(id, person),
        Source::Invented => Some(invent::profile(id, order.today)),
        Source::Nothing => None,
    }
}

fn stored_profile(id: &str, person: &Person) -> Option<Value> {
    let properties = person.profile.as_ref()?;
    Some(json!({ "$distinct_id": id, "$properties": properties }))
}

fn event(order: &ExportOrder, id: &str, source: &Source, index: usize) -> Option<Value> {
    match source {
        Source::Stored(person) => person.events.get(index).map(|event| Value::clone(event)),
        Source::Invented => Some(invent::event(id, u32::try_from(index).ok()?, order.today)),
        Source::Nothing => None,
    }
}

fn is_recent(order: &ExportOrder, event: &Value) -> bool {
    let time = event["properties"]["time"].as_i64();
    order.since.is_none_or(|since| time.is_none_or(|time| time >= since.timestamp()))
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Utc};

    use super::*;
    use crate::forms::ExportFormat;
    use crate::people::{People, Snapshot};

    fn order(snapshot: Snapshot) -> ExportOrder {
        ExportOrder {
            snapshot: Arc::new(snapshot),
            today: Utc::now(),
            since: None,
            format: ExportFormat::Ndjson,
            password: "x".to_owned(),
            taints: Vec::new(),
            serving: crate::export::Serving::default(),
            cell: crate::export::Cell::default(),
        }
    }

    fn owner(record: &Value) -> &str {
        let event_owner = record["properties"]["distinct_id"].as_str();
        event_owner.or(record["$distinct_id"].as_str()).unwrap_or("nobody")
    }

    #[test]
    fn each_person_has_all_events_and_one_profile_and_they_alternate() {
        let snapshot = People::default().snapshot("p", &["a".into(), "b".into()], 5);
        let all: Vec<Value> = records(&order(snapshot)).collect();
        assert_eq!(all.len(), 12);
        assert_eq!(all.iter().filter(|record| record.get("$distinct_id").is_some()).count(), 2);
        assert!(all.chunks(2).all(|pair| owner(&pair[0]) == "a" && owner(&pair[1]) == "b"));
    }

    #[test]
    fn ccpa_leaves_out_what_is_older_than_a_year_but_not_the_profile() {
        let snapshot = People::default().snapshot("p", &["a".into()], 50);
        let whole = order(snapshot);
        let since = whole.today - TimeDelta::days(365);
        let cut = ExportOrder { since: Some(since), ..whole.clone() };
        let (whole, cut): (Vec<_>, Vec<_>) = (records(&whole).collect(), records(&cut).collect());
        assert!(cut.len() > 1 && cut.len() < whole.len());
        assert_eq!(cut.iter().filter(|record| record.get("$distinct_id").is_some()).count(), 1);
    }

    #[test]
    fn stored_events_come_out_as_they_went_in() {
        let mut people = People::default();
        let event = json!({"event": "A", "properties": {"time": 1, "distinct_id": "a", "n": 2.5}});
        people.add_event("p", "a", event.clone());
        let snapshot = people.snapshot("p", &["a".into()], 5);
        assert_eq!(records(&order(snapshot)).collect::<Vec<_>>(), [event]);
    }
}
