//! One task and how it moves on.
//!
//! Invariant: a stage never goes back; a final status never changes by itself.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::people::Snapshot;
use crate::settings::Settings;

/// What a task does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TaskKind {
    Retrieval,
    Deletion,
}

/// The statuses that a task really has. Polls may be told to say others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum TaskStatus {
    Pending,
    Staging,
    Started,
    Success,
    Failure,
    Revoked,
}

impl TaskStatus {
    pub(crate) fn is_final(self) -> bool {
        self >= Self::Success
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Staging => "STAGING",
            Self::Started => "STARTED",
            Self::Success => "SUCCESS",
            Self::Failure => "FAILURE",
            Self::Revoked => "REVOKED",
        }
    }

    fn stage(stages_passed: u32) -> Self {
        match stages_passed {
            0 => Self::Pending,
            1 => Self::Staging,
            2 => Self::Started,
            _ => Self::Success,
        }
    }
}

/// A task of one project.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) id: Arc<str>,
    pub(crate) kind: TaskKind,
    pub(crate) project: Arc<str>,
    pub(crate) ids: Arc<[Arc<str>]>,
    /// `GDPR` or `CCPA`.
    pub(crate) compliance: &'static str,
    pub(crate) disclosure: &'static str,
    pub(crate) requested: DateTime<Utc>,
    /// Virtual seconds at its creation.
    pub(crate) created: f64,
    pub(crate) status: TaskStatus,
    pub(crate) polls: u32,
    /// Whether it ends in FAILURE where it would end in SUCCESS.
    pub(crate) doomed: bool,
    /// What a finished retrieval holds, as of its end.
    pub(crate) snapshot: Option<Arc<Snapshot>>,
    /// The name of the newest link.
    pub(crate) link: Option<Arc<str>>,
}

impl Task {
    /// The status that time or polls give by now, never an earlier one than it has.
    pub(crate) fn due_status(&self, settings: &Settings, now: f64) -> TaskStatus {
        let passed = match settings.task_polls {
            Some(polls) => self.stages_by_polls(polls),
            None => self.stages_by_time(settings.task_seconds, now),
        };
        let due = TaskStatus::stage(passed).max(self.status);
        if due == TaskStatus::Success && self.doomed { TaskStatus::Failure } else { due }
    }

    /// With N polls a stage, polls 1 to N show PENDING, the next N STAGING and so on.
    fn stages_by_polls(&self, per_stage: u32) -> u32 {
        match self.polls.checked_sub(1) {
            None => 0,
            Some(before) => before.checked_div(per_stage).unwrap_or(3),
        }
    }

    fn stages_by_time(&self, per_stage: f64, now: f64) -> u32 {
        let age = now - self.created;
        (1..=3_u32).take_while(|stage| age >= f64::from(*stage) * per_stage).last().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task() -> Task {
        Task {
            id: "1".into(),
            kind: TaskKind::Deletion,
            project: "p".into(),
            ids: Arc::new([]),
            compliance: "GDPR",
            disclosure: "DATA",
            requested: Utc::now(),
            created: 100.0,
            status: TaskStatus::Pending,
            polls: 0,
            doomed: false,
            snapshot: None,
            link: None,
        }
    }

    fn words_by_polls(per_stage: u32, polls: u32) -> Vec<&'static str> {
        let settings = Settings { task_polls: Some(per_stage), ..Settings::default() };
        let status = |polls| Task { polls, ..task() }.due_status(&settings, 1e9).word();
        (1..=polls).map(status).collect()
    }

    #[test]
    fn two_polls_a_stage_show_each_stage_twice() {
        let expected =
            ["PENDING", "PENDING", "STAGING", "STAGING", "STARTED", "STARTED", "SUCCESS"];
        assert_eq!(words_by_polls(2, 7), expected);
    }

    #[test]
    fn with_no_polls_a_stage_the_first_poll_says_success() {
        assert_eq!(words_by_polls(0, 1), ["SUCCESS"]);
    }

    #[test]
    fn by_time_each_stage_lasts_the_seconds_that_are_set() {
        let settings = Settings { task_seconds: 10.0, task_polls: None, ..Settings::default() };
        let words = [100.0, 109.9, 110.0, 120.0, 129.9, 130.0]
            .map(|now| task().due_status(&settings, now).word());
        assert_eq!(words, ["PENDING", "PENDING", "STAGING", "STARTED", "STARTED", "SUCCESS"]);
    }

    #[test]
    fn a_slower_setting_never_takes_a_task_back() {
        let started = Task { status: TaskStatus::Started, ..task() };
        let settings = Settings { task_seconds: 1e6, ..Settings::default() };
        assert_eq!(started.due_status(&settings, 101.0), TaskStatus::Started);
    }

    #[test]
    fn a_doomed_task_ends_in_failure() {
        let doomed = Task { doomed: true, ..task() };
        let settings = Settings { task_seconds: 0.0, ..Settings::default() };
        assert_eq!(doomed.due_status(&settings, 100.0), TaskStatus::Failure);
    }
}
