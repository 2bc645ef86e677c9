//! A receipt in the making: the events about one request, in their order.

use chrono::{DateTime, SecondsFormat, Utc};
use data_encoding::HEXLOWER;

use super::{Attempt, Deadline, Receipt, Step, Task};
use crate::evidence::{
    audit::Ground,
    entry::{Entry, MERGED_INTO},
    merkle::Proof,
};

const NOT_COVERED: [&str; 3] = [
    "exports that were taken out of Mixpanel before",
    "pipelines, warehouse connectors and other systems outside Mixpanel that have copies",
    "what Mixpanel does after it reported SUCCESS",
];

/// What the ledger has told so far.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    request: String,
    kind: String,
    regulation: String,
    tags: Vec<String>,
    status: String,
    reason: String,
    received_at: String,
    accepted_at: String,
    sent_at: String,
    confirmed_at: String,
    completed_at: String,
    due_at: String,
    archive_sha256: String,
    batch: String,
    tasks: Vec<Task>,
    steps: Vec<Step>,
}

fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

fn keep(field: &mut String, news: &str) {
    if !news.is_empty() {
        news.clone_into(field);
    }
}

impl Draft {
    /// Nothing yet about `request`.
    pub fn new(request: &str) -> Self {
        Self { request: request.to_owned(), ..Self::default() }
    }

    /// Takes an event that is about the request, or about a batch that it was in; `index` is its place in the ledger.
    pub fn see(&mut self, entry: &Entry, index: u64) {
        let place = entry.requests().position(|id| id == self.request);
        let (from, to) = (entry.text("from"), entry.text("to"));
        if place.is_some() && from.is_empty() && !to.is_empty() && !self.status.is_empty() {
            // The id was used again, long after the request before had been forgotten.
            *self = Self::new(&self.request);
        }
        self.note_step(entry, index);
        self.note_task(entry);
        if let Some(place) = place {
            keep(&mut self.batch, entry.joined_batch().unwrap_or_default());
            keep(&mut self.archive_sha256, entry.word("archive_sha256", place));
            // Several tags of one request are joined by commas.
            let tags = entry.word("tags", place);
            if !tags.is_empty() {
                self.tags = tags.split(',').map(str::to_owned).collect();
            }
        }
        let in_it = entry.is_of_whole_batch() && entry.text("batch") == self.batch;
        if place.is_some() || in_it {
            if self.accepted_at.is_empty() {
                entry.text("at").clone_into(&mut self.accepted_at);
                entry.text("kind").clone_into(&mut self.kind);
            }
            keep(&mut self.regulation, entry.text("regulation"));
            keep(&mut self.received_at, entry.text("received_at"));
            keep(&mut self.due_at, entry.text("due_at"));
            if !to.is_empty() {
                self.reason = entry.why(place);
                self.move_to(to, entry);
            }
        }
    }

    fn move_to(&mut self, to: &str, entry: &Entry) {
        let at = entry.text("at").to_owned();
        to.clone_into(&mut self.status);
        match to {
            "submitting" if self.sent_at.is_empty() => self.sent_at = at,
            "submitted" => self.confirmed_at = at,
            // What Mixpanel had confirmed came to nothing.
            "queued" => self.confirmed_at.clear(),
            "completed" if self.completed_at.is_empty() => self.completed_at = at,
            _ => {}
        }
    }

    fn note_step(&mut self, entry: &Entry, index: u64) {
        let text = |name: &str| entry.text(name).to_owned();
        self.steps.push(Step {
            event: entry.id.clone(),
            index,
            at: text("at"),
            from: text("from"),
            to: text("to"),
            why: text("why"),
            batch: text("batch"),
            attempt: text("attempt"),
            tracking_id: text("tracking_id"),
            mixpanel_status: text("mixpanel_status"),
            hash: text("hash"),
            ..Step::default()
        });
    }

    fn note_task(&mut self, entry: &Entry) {
        let id = entry.text("tracking_id");
        if id.is_empty() {
            return;
        }
        let known = self.tasks.iter().position(|task| task.tracking_id == id);
        let at = known.unwrap_or_else(|| {
            self.tasks.push(Task {
                tracking_id: id.to_owned(),
                known_since: entry.text("at").to_owned(),
                how: entry.text("why").to_owned(),
                mixpanel_status: None,
            });
            self.tasks.len() - 1
        });
        let word = match (entry.text("mixpanel_status"), entry.text("to")) {
            // The end of a task is recorded with what it led to.
            ("", "completed" | "packaging") => "SUCCESS",
            (word, _) => word,
        };
        if !word.is_empty() {
            self.tasks[at].mixpanel_status = Some(word.to_owned());
        }
    }

    /// The receipt, on the ground on which these proofs hold; nothing if the ledger does not know the request.
    pub fn finish(
        mut self,
        project: &str,
        ledger: Ground,
        proofs: &[Proof],
        issued_at: DateTime<Utc>,
    ) -> Option<Receipt> {
        if self.status.is_empty() {
            return None;
        }
        for step in &mut self.steps {
            if let Some(proof) = proofs.iter().find(|proof| proof.index == step.index) {
                step.leaf = HEXLOWER.encode(&proof.leaf);
                step.path = proof.path.iter().map(|hash| HEXLOWER.encode(hash)).collect();
            }
        }
        let attempts = self.steps.iter().filter(|step| !step.attempt.is_empty());
        let attempts = attempts.map(|step| Attempt {
            at: step.at.clone(),
            batch: step.batch.clone(),
            number: step.attempt.clone(),
            what: step.why.clone(),
        });
        let merged_into = self.reason.strip_prefix(MERGED_INTO).filter(|_| self.status == "merged");
        Some(Receipt {
            project: project.to_owned(),
            done: self.is_done(),
            conclusion: self.conclusion(),
            deadline: self.deadline(issued_at),
            attempts: attempts.collect(),
            merged_into: merged_into.map(str::to_owned),
            request: self.request,
            kind: self.kind,
            regulation: some(self.regulation),
            tags: self.tags,
            status: self.status,
            received_at: some(self.received_at),
            accepted_at: self.accepted_at,
            sent_at: some(self.sent_at),
            confirmed_at: some(self.confirmed_at),
            completed_at: some(self.completed_at),
            due_at: some(self.due_at),
            archive_sha256: some(self.archive_sha256),
            tasks: self.tasks,
            history: self.steps,
            ledger,
            not_covered: NOT_COVERED.map(str::to_owned).to_vec(),
            issued_at: issued_at.to_rfc3339_opts(SecondsFormat::Secs, true),
        })
    }

    fn is_done(&self) -> bool {
        matches!(self.status.as_str(), "completed" | "expired")
    }

    fn conclusion(&self) -> String {
        match (self.is_done(), self.kind.as_str()) {
            (true, "deletion") => "done: Mixpanel reported that the deletion succeeded".to_owned(),
            (true, "retrieval") => "done: the archive was made".to_owned(),
            (true, "cancellation") => "done: the request was cancelled".to_owned(),
            (true, _) => "done: in force".to_owned(),
            (false, _) if self.reason.is_empty() => format!("not done: {}", self.status),
            (false, _) => format!("not done: {}: {}", self.status, self.reason),
        }
    }

    fn deadline(&self, now: DateTime<Utc>) -> Deadline {
        let time = |text: &str| DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc());
        if matches!(self.status.as_str(), "cancelled" | "rejected" | "merged") {
            return Deadline::NotApplicable;
        }
        let Some(due) = time(&self.due_at) else { return Deadline::NotApplicable };
        match time(&self.completed_at).filter(|_| self.is_done()) {
            Some(completed) if completed <= due => Deadline::Met,
            None if now <= due => Deadline::Open,
            Some(_) | None => Deadline::Missed,
        }
    }
}
