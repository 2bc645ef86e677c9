//! The people of a batch: from the ids in a record to the requests that it belongs to.
//!
//! Requests that share an id are one person's. A record may go to several requests, but never to
//! two persons.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use gdpr_jobs::{DistinctId, RequestId};

use crate::archive::split::owners::Id;

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

/// Whose record it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::archive) enum Verdict {
    /// The named requests', all of one person.
    Given,
    /// No id of the batch.
    Nobody,
    /// Ids of more than one person.
    Several,
}

/// The ids of a batch. Requests are given by their place in it.
pub(in crate::archive) struct People<'a> {
    requests_of: HashMap<&'a str, Vec<usize>>,
    /// The same, by ids without the device prefix.
    requests_of_device: HashMap<&'a str, Vec<usize>>,
    /// Per request: the first request of the same person.
    person_of: Vec<usize>,
    one_person: bool,
}

impl<'a> People<'a> {
    pub(in crate::archive) fn new(batch: &'a [Person]) -> Self {
        let mut requests_of = HashMap::new();
        let mut requests_of_device = HashMap::new();
        for (request, person) in batch.iter().enumerate() {
            for id in &person.ids {
                let id = id.expose();
                note(&mut requests_of, id, request);
                note(&mut requests_of_device, id, request);
                note(&mut requests_of_device, bare(id), request);
            }
        }
        let person_of = connect(batch.len(), requests_of.values());
        let one_person = !batch.is_empty() && person_of.iter().all(|&person| person == 0);
        Self { requests_of, requests_of_device, person_of, one_person }
    }

    /// Whether all requests are one person's. Then everything in the export is that person's too:
    /// nobody else was asked for.
    pub(in crate::archive) fn are_one(&self) -> bool {
        self.one_person
    }

    /// Adds the requests that hold `id` to `named`.
    pub(in crate::archive) fn name(&self, id: Id<'_>, named: &mut Vec<usize>) {
        let requests = match id {
            Id::Distinct(id) => self.requests_of.get(id),
            Id::Device(id) => self.requests_of_device.get(bare(id)),
        };
        if let Some(requests) = requests {
            named.extend(requests);
        }
    }

    /// Decides about a record whose ids were all looked up. Leaves each request once, and all of them
    /// where nothing else is named and they are one person's.
    pub(in crate::archive) fn whose(&self, named: &mut Vec<usize>) -> Verdict {
        named.sort_unstable();
        named.dedup();
        if named.is_empty() && self.one_person {
            named.extend(0..self.person_of.len());
        }
        let mut persons = named.iter().map(|&request| self.person_of.get(request));
        match persons.next() {
            None => Verdict::Nobody,
            Some(person) if persons.all(|other| other == person) => Verdict::Given,
            Some(_) => Verdict::Several,
        }
    }
}

fn note<'a>(requests_of: &mut HashMap<&'a str, Vec<usize>>, id: &'a str, request: usize) {
    let requests = requests_of.entry(id).or_default();
    if requests.last() != Some(&request) {
        requests.push(request);
    }
}

/// A device id without its prefix.
fn bare(id: &str) -> &str {
    id.strip_prefix(DEVICE_PREFIX).unwrap_or(id)
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
    use crate::archive::split::owners::Reader;

    fn batch(people: &[&[&str]]) -> Vec<Person> {
        let person = |(n, ids): (usize, &&[&str])| Person {
            request: format!("r{n}").parse().unwrap(),
            ids: ids.iter().map(|&id| DistinctId::new(id)).collect(),
            received_at: DateTime::UNIX_EPOCH,
        };
        people.iter().enumerate().map(person).collect()
    }

    fn whose(people: &[&[&str]], record: &str) -> (Verdict, Vec<usize>) {
        let batch = batch(people);
        let people = People::new(&batch);
        let mut named = Vec::new();
        let read = Reader::default().read(record.as_bytes(), &mut |id| people.name(id, &mut named));
        assert!(read.is_ok());
        (people.whose(&mut named), named)
    }

    fn given(requests: &[usize]) -> (Verdict, Vec<usize>) {
        (Verdict::Given, requests.to_vec())
    }

    #[test]
    fn a_record_goes_to_every_request_that_holds_one_of_its_ids() {
        let people: &[&[&str]] = &[&["u1"], &["u2"], &["u1", "u9"]];
        assert_eq!(whose(people, r#"{"distinct_id":"u1"}"#), given(&[0, 2]));
        assert_eq!(whose(people, r#"{"distinct_id":"u9"}"#), given(&[2]));
        assert_eq!(whose(people, r#"{"distinct_id":"u2"}"#), given(&[1]));
    }

    #[test]
    fn ids_of_connected_requests_are_one_persons_and_others_are_not() {
        let people: &[&[&str]] = &[&["u3"], &["u1", "u2"], &["u4"], &["u2", "u3"]];
        let chained = r#"{"distinct_id":"u1","$user_id":"u3"}"#;
        assert_eq!(whose(people, chained), given(&[0, 1, 3]));
        let foreign = r#"{"distinct_id":"u1","properties":{"$user_id":"u4"}}"#;
        assert_eq!(whose(people, foreign), (Verdict::Several, vec![1, 2]));
    }

    #[test]
    fn a_record_of_nobody_is_given_only_in_a_batch_of_one_person() {
        let stranger = r#"{"distinct_id":"x"}"#;
        assert_eq!(whose(&[&["u1"], &["u2"]], stranger), (Verdict::Nobody, vec![]));
        assert_eq!(whose(&[&["u1"]], stranger), given(&[0]));
        assert_eq!(whose(&[&["u1"], &["u1", "u2"]], stranger), given(&[0, 1]));
        assert_eq!(whose(&[], stranger), (Verdict::Nobody, vec![]));
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
            assert_eq!(whose(people, record), given(&[request]), "{record}");
        }
        assert_eq!(whose(people, r#"{"distinct_id":"77ab"}"#).0, Verdict::Nobody);
    }
}
