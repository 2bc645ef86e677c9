//! What was found, for people (one line for each invariant) and programs (JSON).

use std::fmt::{self, Display};

use serde::Serialize;

/// Most findings that a line shows; the JSON has all.
const SHOWN: usize = 3;
/// Most names of one sort that a finding shows.
const NAMES: usize = 5;

/// One thing that is not as it must be.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Finding {
    /// Requests that show it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<String>,
    /// Batches that show it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub batches: Vec<String>,
    /// Calls of the emulator's log (`seq`) that show it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<u64>,
    /// What was found, and what was expected.
    pub text: String,
}

impl Finding {
    /// Something that is about no request, batch or call.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    pub(crate) fn request(mut self, id: &str) -> Self {
        self.requests.push(id.to_owned());
        self
    }

    pub(crate) fn batch(mut self, name: &str) -> Self {
        self.batches.push(name.to_owned());
        self
    }

    pub(crate) fn call(mut self, seq: u64) -> Self {
        self.calls.push(seq);
        self
    }
}

impl Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sort = |word: &str, names: Vec<&str>| -> fmt::Result {
            if names.is_empty() {
                return Ok(());
            }
            write!(f, "{word} {}", names[..names.len().min(NAMES)].join(" "))?;
            if names.len() > NAMES {
                write!(f, " and {} more", names.len() - NAMES)?;
            }
            f.write_str(": ")
        };
        sort("request", self.requests.iter().map(String::as_str).collect())?;
        sort("batch", self.batches.iter().map(String::as_str).collect())?;
        let calls: Vec<String> = self.calls.iter().map(u64::to_string).collect();
        sort("call", calls.iter().map(String::as_str).collect())?;
        f.write_str(&self.text)
    }
}

/// What one invariant's judge says.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Ruling {
    /// What violates it.
    pub violations: Vec<Finding>,
    /// Data without which it, or a part of it, cannot be decided.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

impl Ruling {
    /// Not decided, for lack of something.
    pub(crate) fn lacks(what: impl Into<String>) -> Self {
        Self { violations: Vec::new(), missing: vec![what.into()] }
    }

    pub(crate) fn note(&mut self, finding: Finding) {
        self.violations.push(finding);
    }
}

impl FromIterator<Finding> for Ruling {
    fn from_iter<T: IntoIterator<Item = Finding>>(findings: T) -> Self {
        Self { violations: findings.into_iter().collect(), missing: Vec::new() }
    }
}

/// One invariant and its ruling.
#[derive(Clone, Debug, Serialize)]
pub struct Judgement {
    /// `I1` to `I18`.
    pub id: &'static str,
    /// In a few words.
    pub name: &'static str,
    /// What was found.
    #[serde(flatten)]
    pub ruling: Ruling,
}

impl Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<4}", self.id)?;
        let found = &self.ruling.violations;
        if found.is_empty() {
            return match self.ruling.missing.as_slice() {
                [] => write!(f, "holds        {}", self.name),
                missing => write!(f, "not decided  {}: {}", self.name, missing.join("; ")),
            };
        }
        write!(f, "VIOLATED     {}: ", self.name)?;
        for (place, finding) in found.iter().take(SHOWN).enumerate() {
            write!(f, "{}{finding}", if place == 0 { "" } else { " | " })?;
        }
        if found.len() > SHOWN {
            write!(f, " | and {} more", found.len() - SHOWN)?;
        }
        Ok(())
    }
}

/// Sums that go with a verdict.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Figures {
    /// Requests that were acknowledged to producers.
    pub requests: usize,
    /// Calls in the emulator's log.
    pub calls: usize,
    /// Tasks that were made by calls of this project.
    pub tasks: usize,
    /// Tasks beyond the first of a batch.
    pub extra_tasks: usize,
    /// Attempts that were recorded as unknown.
    pub unknown: usize,
    /// Entries of the journal of kills.
    pub kills: usize,
    /// Events of the ledger.
    pub events: usize,
    /// Archives that were opened.
    pub archives: usize,
}

/// The decision about a history.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// One for each invariant, in order.
    #[serde(rename = "invariants")]
    pub judgements: Vec<Judgement>,
    /// Sums.
    pub figures: Figures,
}

impl Verdict {
    /// Ids of the invariants that do not hold.
    pub fn violated(&self) -> Vec<&'static str> {
        let bad = self.judgements.iter().filter(|one| !one.ruling.violations.is_empty());
        bad.map(|one| one.id).collect()
    }

    /// Ids of the invariants that could not be decided, wholly or in part, for lack of data.
    pub fn undecided(&self) -> Vec<&'static str> {
        let open = self
            .judgements
            .iter()
            .filter(|one| one.ruling.violations.is_empty() && !one.ruling.missing.is_empty());
        open.map(|one| one.id).collect()
    }
}

impl Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for judgement in &self.judgements {
            writeln!(f, "{judgement}")?;
        }
        let sums = &self.figures;
        writeln!(
            f,
            "{} requests, {} calls, {} tasks ({} extra), {} unknown answers, {} kills, {} events, {} archives",
            sums.requests,
            sums.calls,
            sums.tasks,
            sums.extra_tasks,
            sums.unknown,
            sums.kills,
            sums.events,
            sums.archives
        )
    }
}
