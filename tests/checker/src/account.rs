//! A history put together: the life of each request, the attempts of each batch, whose each call was.

mod posts;

use std::collections::{BTreeMap, HashMap, HashSet};

pub(crate) use posts::Post;

use crate::{
    history::{Event, Hash, History, Produced},
    verdict::Figures,
};

/// Statuses after which nothing follows.
pub(crate) const FINAL: [&str; 6] =
    ["completed", "expired", "cancelled", "rejected", "failed", "merged"];

/// What became of one request.
#[derive(Debug, Default)]
pub(crate) struct Life<'h> {
    pub(crate) id: &'h str,
    /// What the producer had acknowledged.
    pub(crate) produced: Option<&'h Produced>,
    /// The event that took it in, and its place among the requests of that event.
    pub(crate) received: Option<(&'h Event, usize)>,
    /// How many events say that it was taken in.
    pub(crate) receipts: usize,
    /// Every event that moved it, the first one included.
    pub(crate) steps: Vec<&'h Event>,
    /// Events that gave it another deadline.
    pub(crate) deadlines: Vec<&'h Event>,
}

impl<'h> Life<'h> {
    pub(crate) fn status(&self) -> &'h str {
        self.steps.last().map_or("", |event| event.get("to"))
    }

    pub(crate) fn is_final(&self) -> bool {
        FINAL.contains(&self.status())
    }

    /// The first event that ended it.
    pub(crate) fn end(&self) -> Option<&'h Event> {
        self.steps.iter().find(|event| FINAL.contains(&event.get("to"))).copied()
    }

    /// The event that completed it.
    pub(crate) fn completed(&self) -> Option<&'h Event> {
        let done =
            |event: &&&Event| event.get("to") == "completed" && event.get("from") != "completed";
        self.steps.iter().find(done).copied()
    }

    /// Its kind by the ledger.
    pub(crate) fn kind(&self) -> &'h str {
        self.received.map_or("", |(event, _)| event.get("kind"))
    }

    /// The person's ids, as the producer gave them.
    pub(crate) fn ids(&self) -> &'h [String] {
        self.produced.map_or(&[], |produced| &produced.ids)
    }

    /// Its tags by the ledger.
    pub(crate) fn tags(&self) -> Vec<&'h str> {
        let Some((event, place)) = self.received else { return Vec::new() };
        let words = event.get("tags").split_ascii_whitespace().nth(place);
        words.into_iter().flat_map(|word| word.split(',')).collect()
    }
}

/// What is known of a batch.
#[derive(Debug, Default)]
pub(crate) struct Batch<'h> {
    pub(crate) kind: &'h str,
    /// Attempts to send it, recorded before the call.
    pub(crate) intents: Vec<&'h Event>,
    /// Attempts that were recorded as unknown.
    pub(crate) unknown: usize,
    /// Its requests.
    pub(crate) members: Vec<&'h str>,
}

/// All of it.
pub(crate) struct Account<'h> {
    pub(crate) history: &'h History,
    pub(crate) lives: Vec<Life<'h>>,
    pub(crate) batches: BTreeMap<&'h str, Batch<'h>>,
    pub(crate) posts: Vec<Post<'h>>,
    /// distinct_id → requests of producers that name it, by their place in `lives`.
    by_id: HashMap<&'h str, Vec<usize>>,
    index: HashMap<&'h str, usize>,
    hashes: HashMap<&'h str, &'h Hash>,
}

impl<'h> Account<'h> {
    pub(crate) fn of(history: &'h History) -> Self {
        let mut account = Self {
            history,
            lives: Vec::new(),
            batches: BTreeMap::new(),
            posts: Vec::new(),
            by_id: HashMap::new(),
            index: HashMap::new(),
            hashes: history.hashes.iter().map(|hash| (hash.key.as_str(), hash)).collect(),
        };
        for produced in &history.producers {
            let place = account.place(&produced.request);
            let life = &mut account.lives[place];
            // The same id a second time is the same request.
            if life.produced.is_none() {
                life.produced = Some(produced);
                for id in &produced.ids {
                    account.by_id.entry(id).or_default().push(place);
                }
            }
        }
        for event in &history.ledger {
            account.follow(event);
        }
        account.posts = posts::matched(&account);
        account
    }

    /// The life of a request.
    pub(crate) fn life(&self, id: &str) -> Option<&Life<'h>> {
        self.index.get(id).map(|place| &self.lives[*place])
    }

    /// A hash of Redis, by its key.
    pub(crate) fn hash(&self, key: &str) -> Option<&'h Hash> {
        self.hashes.get(key).copied()
    }

    /// The lives of producers' requests that name an id.
    pub(crate) fn owners(&self, id: &str) -> impl Iterator<Item = &Life<'h>> {
        self.by_id.get(id).into_iter().flatten().map(|place| &self.lives[*place])
    }

    pub(crate) fn figures(&self) -> Figures {
        let made = self.posts.iter().filter(|post| post.call.acted);
        let batches: HashSet<_> = made.clone().filter_map(|post| post.batch).collect();
        let tasks = made.count();
        Figures {
            requests: self.history.producers.len(),
            calls: self.history.calls.len(),
            tasks,
            extra_tasks: tasks.saturating_sub(batches.len()),
            unknown: self.batches.values().map(|batch| batch.unknown).sum(),
            kills: self.history.kills,
            events: self.history.ledger.len(),
            archives: self
                .history
                .archives
                .as_ref()
                .map_or(0, |all| all.iter().filter(|stored| stored.archive.is_some()).count()),
        }
    }

    fn place(&mut self, id: &'h str) -> usize {
        *self.index.entry(id).or_insert_with(|| {
            self.lives.push(Life { id, ..Life::default() });
            self.lives.len() - 1
        })
    }

    fn follow(&mut self, event: &'h Event) {
        let to = event.get("to");
        if to.is_empty() {
            if !event.get("due_at").is_empty() {
                for id in event.requests() {
                    let place = self.place(id);
                    self.lives[place].deadlines.push(event);
                }
            }
            return;
        }
        for (among, id) in event.requests().enumerate() {
            let place = self.place(id);
            let life = &mut self.lives[place];
            if event.get("from").is_empty() {
                life.receipts += 1;
                life.received.get_or_insert((event, among));
            }
            life.steps.push(event);
        }
        if to == "submitting" {
            self.note_attempt(event);
        }
    }

    /// An attempt with a new number is an intent; a second event about the same number says that its answer is lost.
    fn note_attempt(&mut self, event: &'h Event) {
        let batch = self.batches.entry(event.get("batch")).or_default();
        let last = batch.intents.last().map_or("", |intent| intent.get("attempt"));
        if last == event.get("attempt") {
            batch.unknown += 1;
        } else {
            batch.intents.push(event);
            batch.kind = event.get("kind");
            batch.members = event.requests().collect();
        }
    }
}
