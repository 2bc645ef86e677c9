//! The jobs of the work stream, and their text form: the name is the payload, so that the same job is one
//! member of the delayed set however often it is asked for.

use std::{fmt, str::FromStr};

use gdpr_jobs::{Disclosure, Kind, Regulation, RequestId};

/// Requests that may share a task: same kind, regulation and disclosure. A cohort keeps some of them apart,
/// while a batch that Mixpanel refuses is bisected.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Group {
    /// Retrieval or deletion.
    pub kind: Kind,
    /// GDPR or CCPA.
    pub regulation: Regulation,
    /// What a CCPA retrieval discloses; `Data` otherwise.
    pub disclosure: Disclosure,
    /// Name of the subset, if this is one.
    pub cohort: Option<String>,
}

impl Group {
    /// The group without its cohort.
    #[must_use]
    pub fn main(&self) -> Self {
        Self { cohort: None, ..self.clone() }
    }

    /// A subset of this group.
    #[must_use]
    pub fn cohort(&self, name: String) -> Self {
        Self { cohort: Some(name), ..self.clone() }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.kind, self.regulation, self.disclosure)?;
        self.cohort.as_ref().map_or(Ok(()), |cohort| write!(f, "/{cohort}"))
    }
}

impl FromStr for Group {
    type Err = UnknownJob;

    fn from_str(text: &str) -> Result<Self, UnknownJob> {
        let mut words = text.splitn(4, '/');
        Ok(Self {
            kind: parse(words.next())?,
            regulation: parse(words.next())?,
            disclosure: parse(words.next())?,
            cohort: words.next().map(str::to_owned),
        })
    }
}

/// One step of work, to be done now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    /// Make a batch of what waits in a group, and send it.
    Submit(Group),
    /// Look after a batch whose answer is missing.
    Resume(String),
    /// Ask how far a task is: batch and tracking id.
    Poll(String, String),
    /// Fetch the export of a batch and make the archives.
    Collect(String),
    /// Decide a cancellation request.
    Cancel(RequestId),
    /// Destroy the archive of a request.
    Expire(RequestId),
    /// Ask again for what must not be forgotten.
    Sweep,
    /// Compare the store with the ledger, both ways.
    Reconcile,
    /// Let a request go on that waits for a delivery on the wire.
    Acknowledge(RequestId),
    /// Take events of people who opted out off the queue.
    Purge,
    /// Ask for the deletion of profiles without events.
    Retain,
}

/// A text that is no job of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a job that this version knows")]
pub struct UnknownJob;

fn parse<T: FromStr>(word: Option<&str>) -> Result<T, UnknownJob> {
    word.and_then(|w| w.parse().ok()).ok_or(UnknownJob)
}

impl Job {
    /// The step's name, for logs.
    pub const fn step(&self) -> &'static str {
        match self {
            Self::Submit(_) => "submit",
            Self::Resume(_) => "resume",
            Self::Poll(..) => "poll",
            Self::Collect(_) => "collect",
            Self::Cancel(_) => "cancel",
            Self::Expire(_) => "expire",
            Self::Sweep => "sweep",
            Self::Reconcile => "reconcile",
            Self::Acknowledge(_) => "acknowledge",
            Self::Purge => "purge",
            Self::Retain => "retain",
        }
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Submit(group) => write!(f, "submit/{group}"),
            Self::Resume(batch) => write!(f, "resume/{batch}"),
            Self::Poll(batch, task) => write!(f, "poll/{batch}/{task}"),
            Self::Collect(batch) => write!(f, "collect/{batch}"),
            Self::Cancel(request) => write!(f, "cancel/{request}"),
            Self::Expire(request) => write!(f, "expire/{request}"),
            Self::Acknowledge(request) => write!(f, "acknowledge/{request}"),
            Self::Sweep | Self::Reconcile | Self::Purge | Self::Retain => f.write_str(self.step()),
        }
    }
}

impl FromStr for Job {
    type Err = UnknownJob;

    fn from_str(text: &str) -> Result<Self, UnknownJob> {
        match text {
            "sweep" => return Ok(Self::Sweep),
            "reconcile" => return Ok(Self::Reconcile),
            "purge" => return Ok(Self::Purge),
            "retain" => return Ok(Self::Retain),
            _ => {}
        }
        let (step, rest) = text.split_once('/').ok_or(UnknownJob)?;
        match step {
            "submit" => rest.parse().map(Self::Submit),
            "resume" => Ok(Self::Resume(rest.to_owned())),
            // The tracking id is Mixpanel's text: it comes last, whatever it holds.
            "poll" => {
                let (batch, task) = rest.split_once('/').ok_or(UnknownJob)?;
                Ok(Self::Poll(batch.to_owned(), task.to_owned()))
            }
            "collect" => Ok(Self::Collect(rest.to_owned())),
            "cancel" => parse(Some(rest)).map(Self::Cancel),
            "expire" => parse(Some(rest)).map(Self::Expire),
            "acknowledge" => parse(Some(rest)).map(Self::Acknowledge),
            _ => Err(UnknownJob),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_survives_its_text_form() {
        for text in [
            "submit/deletion/GDPR/Data",
            "submit/retrieval/CCPA/Categories/b7.0",
            "resume/b1",
            "poll/b1/1580000000000000001",
            "poll/b1/odd/id",
            "collect/b1",
            "cancel/c-1",
            "expire/1795000000000-0",
            "acknowledge/o-1",
            "sweep",
            "reconcile",
            "purge",
            "retain",
        ] {
            assert_eq!(text.parse::<Job>().map(|job| job.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "submit", "submit/deletion", "erase/b1", "cancel/not an id"] {
            assert_eq!(text.parse::<Job>(), Err(UnknownJob), "{text}");
        }
    }
}
