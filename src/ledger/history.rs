//! Reading the ledger stream: who, what, when, from which state to which, why.

use std::collections::{BTreeMap, BTreeSet};

use gdpr_jobs::RequestId;
use serde::Serialize;

use super::{Ledger, LedgerError, Tag};
use crate::evidence::Entry;

/// One event of the ledger. Absent fields are empty.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Event {
    /// The id of the entry: milliseconds since 1970, and a counter.
    pub entry: String,
    /// When, in RFC 3339.
    pub at: String,
    /// The requests it is about, one or many, as far as they are asked for.
    pub requests: Vec<String>,
    /// How many requests its batch has, if it is about all of them and does not name them.
    pub whole_batch: String,
    /// The status they came from.
    pub from: String,
    /// The status they went to.
    pub to: String,
    /// Why.
    pub why: String,
    /// Their batch.
    pub batch: String,
    /// Mixpanel's id of the task.
    pub tracking_id: String,
    /// Mixpanel's word about the task.
    pub mixpanel_status: String,
    /// The replica, or "operator".
    pub worker: String,
}

/// Which events are asked for.
#[derive(Clone, Debug)]
pub enum HistoryFilter {
    /// Everything.
    All,
    /// One request, and the batches it was in.
    Request(RequestId),
    /// All requests of a person.
    Person(Tag),
}

impl Ledger {
    /// Walks the ledger from its beginning and hands each event that fits to `see`.
    pub async fn history(
        &self,
        filter: &HistoryFilter,
        mut see: impl FnMut(Event),
    ) -> Result<(), LedgerError> {
        let mut trail = Trail::new(filter);
        let each = |entry: &Entry| {
            if let Some(event) = trail.follow(entry) {
                see(event);
            }
        };
        self.walk("", "", each).await
    }
}

/// Follows requests through the ledger: from a person's tags to requests, from requests to batches.
#[derive(Clone, Debug)]
pub struct Trail(Followed);

#[derive(Clone, Debug)]
enum Followed {
    Everything,
    Some {
        tag: Option<String>,
        requests: Vec<String>,
        /// By the batches that their events name: those of them that were put into each.
        batches: BTreeMap<String, BTreeSet<String>>,
    },
}

impl Trail {
    /// A trail that begins at the beginning of the ledger.
    pub fn new(filter: &HistoryFilter) -> Self {
        Self(match filter {
            HistoryFilter::All => Followed::Everything,
            HistoryFilter::Request(id) => Followed::Some {
                tag: None,
                requests: vec![id.as_str().to_owned()],
                batches: BTreeMap::new(),
            },
            HistoryFilter::Person(tag) => Followed::Some {
                tag: Some(tag.as_str().to_owned()),
                requests: Vec::new(),
                batches: BTreeMap::new(),
            },
        })
    }

    /// The next event of the ledger, if it fits. Events must come in their order, none left out.
    pub fn follow(&mut self, entry: &Entry) -> Option<Event> {
        let text = |name: &str| entry.text(name);
        let named: Vec<&str> = entry.requests().collect();
        let shown = match &mut self.0 {
            Followed::Everything => named.iter().map(|id| (*id).to_owned()).collect(),
            Followed::Some { tag, requests, batches } => {
                if let Some(tag) = tag {
                    // A word of tags for each request; several tags of one are joined by commas.
                    let theirs = text("tags").split_whitespace();
                    let of_person = named
                        .iter()
                        .zip(theirs)
                        .filter(|(_, tags)| tags.split(',').any(|one| one == tag));
                    requests.extend(of_person.map(|(id, _)| (*id).to_owned()));
                }
                let batch = text("batch");
                if entry.is_of_whole_batch() {
                    let ours = batches.get(batch).filter(|ours| !ours.is_empty())?;
                    ours.iter().cloned().collect()
                } else {
                    let ours = requests.iter().filter(|id| named.contains(&id.as_str()));
                    let ours: Vec<String> = ours.cloned().collect();
                    if !ours.is_empty() && !batch.is_empty() {
                        let known = batches.entry(batch.to_owned()).or_default();
                        if entry.joined_batch().is_some() {
                            known.extend(ours.iter().cloned());
                        }
                    }
                    // News of a task names its batch only.
                    let of_our_batch = named.is_empty() && batches.contains_key(batch);
                    if ours.is_empty() && !of_our_batch {
                        return None;
                    }
                    ours
                }
            }
        };
        let place = match shown.as_slice() {
            [one] => named.iter().position(|id| id == one),
            _ => None,
        };
        Some(Event {
            entry: entry.id.clone(),
            at: text("at").to_owned(),
            requests: shown,
            whole_batch: text("whole_batch").to_owned(),
            from: text("from").to_owned(),
            to: text("to").to_owned(),
            why: entry.why(place),
            batch: text("batch").to_owned(),
            tracking_id: text("tracking_id").to_owned(),
            mixpanel_status: text("mixpanel_status").to_owned(),
            worker: text("worker").to_owned(),
        })
    }
}
