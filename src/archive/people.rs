//! The people of a batch: from the ids in a record to the requests that it belongs to.
//!
//! Requests that share an id are one person's. A record may go to several requests, but never to
//! two persons.

use std::{borrow::Cow, collections::HashMap};

use chrono::{DateTime, Utc};
use gdpr_jobs::{DistinctId, RequestId};

use super::owners::Reading;

/// One request of a batch.
#[derive(Clone, Debug)]
pub struct Person {
    /// The request, which names the archive.
    pub request: RequestId,
    /// The person's ids in that request.
    pub ids: Vec<DistinctId>,
    /// When the person asked.
    pub received_at: DateTime<Utc>,
}

/// What Mixpanel puts before a device id when it serves as a distinct_id.
const DEVICE_PREFIX: &str = "$device:";

/// Whose record it is. Requests are given by their place in the batch.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// These requests', all of one person.
    Given(Vec<usize>),
    /// No id of the batch.
    Nobody,
    /// Ids of more than one person.
    Several,
}

/// The ids of a batch.
pub(super) struct People<'a> {
    requests_of: HashMap<&'a str, Vec<usize>>,
    /// Per request: the first request of the same person.
    person_of: Vec<usize>,
}

impl<'a> People<'a> {
    pub(super) fn new(batch: &'a [Person]) -> Self {
        let mut requests_of: HashMap<&str, Vec<usize>> = HashMap::new();
        for (request, person) in batch.iter().enumerate() {
            for id in &person.ids {
                let requests = requests_of.entry(id.expose()).or_default();
                if requests.last() != Some(&request) {
                    requests.push(request);
                }
            }
        }
        let person_of = connect(batch.len(), requests_of.values());
        Self { requests_of, person_of }
    }

    /// Decides about one record. In a batch of one person, a record without any id of the batch is
    /// that person's: nobody else was asked for.
    pub(super) fn whose(&self, reading: &Reading<'_>) -> Verdict {
        let mut requests = Vec::new();
        for id in &reading.ids {
            self.add(id, &mut requests);
        }
        for id in &reading.device_ids {
            self.add(id, &mut requests);
            self.add(&other_form(id), &mut requests);
        }
        requests.sort_unstable();
        requests.dedup();
        let mut persons = requests.iter().map(|&request| self.person_of.get(request));
        let first = persons.next();
        match first {
            None if self.is_one_person() => Verdict::Given((0..self.person_of.len()).collect()),
            None => Verdict::Nobody,
            Some(person) if persons.all(|other| other == person) => Verdict::Given(requests),
            Some(_) => Verdict::Several,
        }
    }

    fn add(&self, id: &str, requests: &mut Vec<usize>) {
        if let Some(found) = self.requests_of.get(id) {
            requests.extend(found);
        }
    }

    fn is_one_person(&self) -> bool {
        !self.person_of.is_empty() && self.person_of.iter().all(|&person| person == 0)
    }
}

/// A device id with the prefix if it has none, and the other way round.
fn other_form(id: &str) -> Cow<'_, str> {
    match id.strip_prefix(DEVICE_PREFIX) {
        Some(bare) => Cow::Borrowed(bare),
        None => Cow::Owned(format!("{DEVICE_PREFIX}{id}")),
    }
}

/// Joins requests that share an id; each gets the first request of its group.
fn connect<'v>(count: usize, shared: impl Iterator<Item = &'v Vec<usize>>) -> Vec<usize> {
    let mut parent: Vec<usize> = (0..count).collect();
    for requests in shared {
        for pair in requests.windows(2) {
            if let [a, b] = *pair {
                let (a, b) = (root(&parent, a), root(&parent, b));
                if let Some(slot) = parent.get_mut(a.max(b)) {
                    *slot = a.min(b);
                }
            }
        }
    }
    (0..count).map(|request| root(&parent, request)).collect()
}

fn root(parent: &[usize], mut request: usize) -> usize {
    // A parent is never behind its child, so this ends.
    while let Some(&up) = parent.get(request)
        && up != request
    {
        request = up;
    }
    request
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::archive::owners;

    fn batch(people: &[&[&str]]) -> Vec<Person> {
        let person = |(n, ids): (usize, &&[&str])| Person {
            request: format!("r{n}").parse().unwrap(),
            ids: ids.iter().map(|&id| DistinctId::new(id)).collect(),
            received_at: DateTime::UNIX_EPOCH,
        };
        people.iter().enumerate().map(person).collect()
    }

    fn whose(people: &[&[&str]], record: &str) -> Verdict {
        let reading = owners::read(record.as_bytes()).unwrap_or_else(|_| panic!("valid record"));
        People::new(&batch(people)).whose(&reading)
    }

    #[test]
    fn a_record_goes_to_every_request_that_holds_one_of_its_ids() {
        let people: &[&[&str]] = &[&["u1"], &["u2"], &["u1", "u9"]];
        assert_eq!(whose(people, r#"{"distinct_id":"u1"}"#), Verdict::Given(vec![0, 2]));
        assert_eq!(whose(people, r#"{"distinct_id":"u9"}"#), Verdict::Given(vec![2]));
        assert_eq!(whose(people, r#"{"distinct_id":"u2"}"#), Verdict::Given(vec![1]));
    }

    #[test]
    fn ids_of_connected_requests_are_one_persons_and_others_are_not() {
        let people: &[&[&str]] = &[&["u3"], &["u1", "u2"], &["u4"], &["u2", "u3"]];
        let chained = r#"{"distinct_id":"u1","$user_id":"u3"}"#;
        assert_eq!(whose(people, chained), Verdict::Given(vec![0, 1, 3]));
        let foreign = r#"{"distinct_id":"u1","properties":{"$user_id":"u4"}}"#;
        assert_eq!(whose(people, foreign), Verdict::Several);
    }

    #[test]
    fn a_record_of_nobody_is_given_only_in_a_batch_of_one_person() {
        let stranger = r#"{"distinct_id":"x"}"#;
        assert_eq!(whose(&[&["u1"], &["u2"]], stranger), Verdict::Nobody);
        assert_eq!(whose(&[&["u1"]], stranger), Verdict::Given(vec![0]));
        assert_eq!(whose(&[&["u1"], &["u1", "u2"]], stranger), Verdict::Given(vec![0, 1]));
        assert_eq!(whose(&[], stranger), Verdict::Nobody);
    }

    #[test]
    fn device_ids_match_with_and_without_their_prefix() {
        let people: &[&[&str]] = &[&["$device:77ab"], &["88cd"]];
        for (record, request) in [
            (r#"{"$device_id":"77ab"}"#, 0),
            (r#"{"$device_id":"$device:77ab"}"#, 0),
            (r#"{"distinct_id":"$device:77ab"}"#, 0),
            (r#"{"$device_id":"$device:88cd"}"#, 1),
        ] {
            assert_eq!(whose(people, record), Verdict::Given(vec![request]), "{record}");
        }
        assert_eq!(whose(people, r#"{"distinct_id":"77ab"}"#), Verdict::Nobody);
    }
}
