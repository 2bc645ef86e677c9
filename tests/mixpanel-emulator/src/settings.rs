//! Every setting of the emulator, in one struct that is at once the flags, the environment
//! variables and the document of `POST /_emulator/settings`.
//!
//! Invariant: a changed setting counts for the very next call; nothing is cached elsewhere.

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::forms::{
    Auth, CancelShape, CreateShape, ExportFormat, LimitBody, LinkField, PollShape, StatusCase,
    Toggle,
};

/// All that can be set at the start and changed while it runs.
#[derive(Debug, Clone, PartialEq, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Token of the first project (the query parameter `token`).
    #[arg(
        help_heading = "Projects",
        long,
        env = "EMULATOR_PROJECT_TOKEN",
        default_value = "emulator-project-token"
    )]
    pub project_token: String,
    /// OAuth token that the first project expects as bearer.
    #[arg(
        help_heading = "Projects",
        long,
        env = "EMULATOR_OAUTH_TOKEN",
        default_value = "emulator-oauth-token"
    )]
    pub oauth_token: String,
    /// A further project; may be repeated.
    #[arg(
        help_heading = "Projects",
        long = "project",
        env = "EMULATOR_PROJECTS",
        value_name = "TOKEN:OAUTH",
        value_delimiter = ','
    )]
    pub projects: Vec<String>,
    /// Whether credentials are checked, or refused whatever they are.
    #[arg(
        help_heading = "Projects",
        long,
        env = "EMULATOR_AUTH",
        value_enum,
        default_value = "check"
    )]
    pub auth: Auth,

    /// Shortest allowed time between two GDPR calls of one project, milliseconds; 0 = no limit.
    #[arg(help_heading = "Limits", long, env = "EMULATOR_MIN_GAP_MS", default_value_t = 1000)]
    pub min_gap_ms: u64,
    /// Most unfinished retrieval tasks of one project; 0 = no limit.
    #[arg(help_heading = "Limits", long, env = "EMULATOR_SCAN_LIMIT", default_value_t = 0)]
    pub scan_limit: usize,
    /// Form of the body of a 429.
    #[arg(
        help_heading = "Limits",
        long,
        env = "EMULATOR_LIMIT_BODY",
        value_enum,
        default_value = "json"
    )]
    pub limit_body: LimitBody,

    /// Seconds that a task stays in each of PENDING, STAGING and STARTED.
    #[arg(help_heading = "Tasks", long, env = "EMULATOR_TASK_SECONDS", default_value_t = 3.0)]
    pub task_seconds: f64,
    /// Polls that show each stage, instead of time; 0 = the first poll says SUCCESS.
    #[arg(help_heading = "Tasks", long, env = "EMULATOR_TASK_POLLS")]
    #[serde(default)]
    pub task_polls: Option<u32>,
    /// Whether a second deletion of an id that has a live deletion task is refused with 409.
    #[arg(
        help_heading = "Tasks",
        long,
        env = "EMULATOR_CONFLICTS",
        value_enum,
        default_value = "on"
    )]
    pub conflicts: Toggle,
    /// Most ids in one retrieval.
    #[arg(help_heading = "Limits", long, env = "EMULATOR_BATCH_RETRIEVAL", default_value_t = 2000)]
    pub batch_retrieval: usize,
    /// Most ids in one deletion.
    #[arg(help_heading = "Limits", long, env = "EMULATOR_BATCH_DELETION", default_value_t = 1999)]
    pub batch_deletion: usize,
    /// Status of the answer to a batch with too many ids.
    #[arg(help_heading = "Limits", long, env = "EMULATOR_OVERSIZE_STATUS", default_value_t = 400)]
    pub oversize_status: u16,
    /// Whether a POST to a collection without its trailing slash is redirected with 301.
    #[arg(
        help_heading = "Answers",
        long,
        env = "EMULATOR_REDIRECT_SLASHLESS",
        value_enum,
        default_value = "off"
    )]
    pub redirect_slashless: Toggle,

    /// Form of the answer to a create.
    #[arg(
        help_heading = "Answers",
        long,
        env = "EMULATOR_CREATE_SHAPE",
        value_enum,
        default_value = "array"
    )]
    pub create_shape: CreateShape,
    /// Form of the answer to a poll.
    #[arg(
        help_heading = "Answers",
        long,
        env = "EMULATOR_POLL_SHAPE",
        value_enum,
        default_value = "prose"
    )]
    pub poll_shape: PollShape,
    /// Form of the answer to a cancel: 204, or 200 with a task id.
    #[arg(
        help_heading = "Answers",
        long,
        env = "EMULATOR_CANCEL_SHAPE",
        value_enum,
        default_value = "empty"
    )]
    pub cancel_shape: CancelShape,
    /// Field that holds the link of a finished retrieval.
    #[arg(
        help_heading = "Answers",
        long,
        env = "EMULATOR_LINK_FIELD",
        value_enum,
        default_value = "result"
    )]
    pub link_field: LinkField,
    /// Wrap links in literal quotes and white space.
    #[arg(
        help_heading = "Answers",
        long,
        env = "EMULATOR_QUOTE_LINKS",
        value_enum,
        default_value = "off",
        num_args = 0..=1,
        default_missing_value = "on"
    )]
    pub quote_links: Toggle,
    /// Give retrieval ids as JSON numbers.
    #[arg(
        help_heading = "Answers",
        long,
        env = "EMULATOR_NUMERIC_IDS",
        value_enum,
        default_value = "off",
        num_args = 0..=1,
        default_missing_value = "on"
    )]
    pub numeric_ids: Toggle,
    /// Letter case of task statuses.
    #[arg(
        help_heading = "Answers",
        long,
        env = "EMULATOR_STATUS_CASE",
        value_enum,
        default_value = "upper"
    )]
    pub status_case: StatusCase,

    /// Form of the exports.
    #[arg(
        help_heading = "Exports",
        long,
        env = "EMULATOR_EXPORT_FORMAT",
        value_enum,
        default_value = "ndjson"
    )]
    pub export_format: ExportFormat,
    /// Password of the sealed export formats.
    #[arg(
        help_heading = "Exports",
        long,
        env = "EMULATOR_EXPORT_PASSWORD",
        default_value = "emulator-export-password"
    )]
    pub export_password: String,
    /// Whether downloads can go on in the middle (`Range`, `If-Range`).
    #[arg(
        help_heading = "Exports",
        long,
        env = "EMULATOR_EXPORT_RANGES",
        value_enum,
        default_value = "on"
    )]
    pub export_ranges: Toggle,
    /// Whether downloads tell checksums (`x-goog-hash`, `Content-MD5`, `Repr-Digest`).
    #[arg(
        help_heading = "Exports",
        long,
        env = "EMULATOR_EXPORT_CHECKSUMS",
        value_enum,
        default_value = "off",
        num_args = 0..=1,
        default_missing_value = "on"
    )]
    pub export_checksums: Toggle,
    /// Lifetime of an export link, seconds; a poll after that gives a fresh one.
    #[arg(
        help_heading = "Exports",
        long,
        env = "EMULATOR_LINK_SECONDS",
        default_value_t = 86_400.0
    )]
    pub link_seconds: f64,
    /// Status of the answer to an expired link.
    #[arg(help_heading = "Exports", long, env = "EMULATOR_EXPIRED_STATUS", default_value_t = 403)]
    pub expired_status: u16,
    /// Largest body of events or profiles, bytes, uncompressed; a larger one gets 413.
    #[arg(
        help_heading = "Ingestion",
        long,
        env = "EMULATOR_INGESTION_BYTES",
        default_value_t = 10 * 1024 * 1024
    )]
    pub ingestion_bytes: usize,
    /// Most records that `GET /_emulator/ingested` can show; 0 = none are kept.
    #[arg(help_heading = "Ingestion", long, env = "EMULATOR_KEEP_RECORDS", default_value_t = 0)]
    pub keep_records: usize,
    /// Whether accepted events can come out again in a retrieval; off saves memory under load.
    #[arg(
        help_heading = "Ingestion",
        long,
        env = "EMULATOR_STORE_EVENTS",
        value_enum,
        default_value = "on"
    )]
    pub store_events: Toggle,
    /// Events made up for an id that was never seen; 0 = such a person has no data.
    #[arg(help_heading = "Exports", long, env = "EMULATOR_INVENT", default_value_t = 20)]
    pub invent: u32,
}

impl Settings {
    /// The OAuth token of a project, or `None` for an unknown project token.
    pub(crate) fn oauth_of(&self, project: &str) -> Option<&str> {
        self.all_projects().find(|(token, _)| *token == project).map(|(_, oauth)| oauth)
    }

    /// All projects as (token, OAuth token), the first one first.
    pub(crate) fn all_projects(&self) -> impl Iterator<Item = (&str, &str)> {
        let further = self.projects.iter().filter_map(|pair| pair.split_once(':'));
        std::iter::once((self.project_token.as_str(), self.oauth_token.as_str())).chain(further)
    }

    /// These settings with the members of a JSON object laid over them. A new `task_seconds`
    /// without `task_polls` returns to progress by time.
    pub(crate) fn patched(&self, patch: Map<String, Value>) -> Result<Self, String> {
        let mut all = serde_json::to_value(self).map_err(|error| error.to_string())?;
        let by_time = patch.contains_key("task_seconds") && !patch.contains_key("task_polls");
        if let Some(members) = all.as_object_mut() {
            members.extend(patch);
            if by_time {
                members.insert("task_polls".to_owned(), Value::Null);
            }
        }
        let settings: Self = serde_json::from_value(all).map_err(|error| error.to_string())?;
        settings.check()?;
        Ok(settings)
    }

    /// What no type can say: pairs of tokens, sane numbers, a password that can seal.
    pub(crate) fn check(&self) -> Result<(), String> {
        // An empty variable in a compose file means no further project.
        let mut given = self.projects.iter().filter(|pair| !pair.is_empty());
        if let Some(found) = given.find(|pair| !pair.contains(':')) {
            return Err(format!("project {found:?}: expected TOKEN:OAUTH"));
        }
        for (name, seconds) in
            [("task_seconds", self.task_seconds), ("link_seconds", self.link_seconds)]
        {
            if !(0.0..=1e9).contains(&seconds) {
                return Err(format!("{name} is {seconds}: expected 0 to 1000000000"));
            }
        }
        for (name, status) in
            [("oversize_status", self.oversize_status), ("expired_status", self.expired_status)]
        {
            if !(400..=599).contains(&status) {
                return Err(format!("{name} is {status}: expected 400 to 599"));
            }
        }
        if self.export_password.is_empty() {
            return Err("export_password is empty: expected one character or more".to_owned());
        }
        Ok(())
    }
}

impl Default for Settings {
    /// The same defaults as the flags have, whatever the environment says.
    fn default() -> Self {
        #[derive(clap::Parser)]
        struct Bare {
            #[command(flatten)]
            settings: Settings,
        }
        let command =
            <Bare as clap::CommandFactory>::command().mut_args(|arg| arg.env(None::<&str>));
        let parsed = command
            .try_get_matches_from(["defaults"])
            .and_then(|matches| <Settings as clap::FromArgMatches>::from_arg_matches(&matches));
        match parsed {
            Ok(settings) => settings,
            Err(error) => unreachable!("every flag has a default: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn patch(value: &Value) -> Result<Settings, String> {
        Settings::default().patched(value.as_object().cloned().unwrap_or_default())
    }

    #[test]
    fn a_patch_changes_what_it_names_and_nothing_else() {
        let patched = patch(&json!({"min_gap_ms": 5, "link_field": "destination_url"}));
        let expected = Settings {
            min_gap_ms: 5,
            link_field: LinkField::DestinationUrl,
            ..Settings::default()
        };
        assert_eq!(patched, Ok(expected));
    }

    #[test]
    fn an_unknown_setting_is_refused_by_name() {
        assert!(patch(&json!({"speed": 3})).is_err_and(|error| error.contains("speed")));
    }

    #[test]
    fn a_project_without_a_colon_is_refused() {
        assert!(patch(&json!({"projects": ["lonely"]})).is_err_and(|e| e.contains("TOKEN:OAUTH")));
    }

    #[test]
    fn new_task_seconds_end_progress_by_polls() {
        let by_polls = Settings { task_polls: Some(2), ..Settings::default() };
        let patched = by_polls.patched(Map::from_iter([("task_seconds".to_owned(), json!(1))]));
        assert_eq!(patched.map(|settings| settings.task_polls), Ok(None));
    }
}
