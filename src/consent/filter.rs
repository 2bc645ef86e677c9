//! The rules of one project.

use std::collections::BTreeSet;

use gdpr_jobs::{DistinctId, Pepper, Project};
use secrecy::{ExposeSecret, SecretString};

use super::{
    alias::{Aliases, KeyedHash},
    changes::Changes,
    draft::Draft,
    event, profile,
    record::{Record, RecordKind},
    records::Unreadable,
};
use crate::config::{EventEndpoint, PrivacyConfig};

/// Where a record came from. The same record from the same place is always written the same.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// Milliseconds of the stream entry's id.
    pub entry_ms: u64,
    /// The part of the entry's id after the dash.
    pub entry_seq: u64,
    /// The record's place in the entry, from 0.
    pub index: usize,
    /// Whether geolocation is off for this entry, whatever the project says.
    pub geolocation_off: bool,
}

/// Why a record that was read does not leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A profile update that does nothing: all that it had was removed, or it had no operator. No error.
    #[error("nothing is left of the profile update")]
    NothingLeft,
    /// A value in it cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

impl Refusal {
    /// One word for the counters.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NothingLeft => "nothing_left",
            Self::Unreadable(unreadable) => unreadable.reason(),
        }
    }
}

/// What may leave of the records of one project. Made once; `Debug` shows nothing of it.
#[derive(Clone)]
pub struct Filter {
    pub(super) geolocation: bool,
    /// A handful of names, looked up for each property: in order they are found faster than by hashing.
    pub(super) blacklist: BTreeSet<String>,
    pub(super) drop_personal_values: bool,
    aliases: Aliases,
    /// The same, where ids leave as keyed hashes.
    pub(super) leaving_aliases: Option<Aliases>,
    pub(super) insert_ids: KeyedHash,
    /// Whether events need the token (`/track`).
    pub(super) events_need_token: bool,
    /// The project's token as JSON.
    token: SecretString,
}

impl Filter {
    /// The rules of `privacy`. The keys behind hashed ids come from the pepper and the project's name: another
    /// pepper makes other people of everybody.
    pub fn new(
        privacy: &PrivacyConfig,
        pepper: &Pepper,
        project: &Project,
        project_token: &SecretString,
    ) -> Self {
        let aliases = Aliases::new(pepper, project);
        Self {
            geolocation: privacy.geolocation,
            blacklist: privacy.property_blacklist.iter().cloned().collect(),
            drop_personal_values: privacy.drop_personal_values,
            leaving_aliases: privacy.anonymize_ids.then(|| aliases.clone()),
            aliases,
            insert_ids: KeyedHash::new(pepper, "gdpr-worker insert ids", project),
            events_need_token: privacy.event_endpoint == EventEndpoint::Track,
            token: serde_json::Value::from(project_token.expose_secret()).to_string().into(),
        }
    }

    /// Appends the record as it may leave to `out`, as one JSON object, and says what was changed. On a
    /// refusal `out` is as before.
    ///
    /// Rules, in this order: places and addresses go where geolocation is off; names of the blacklist go; ids
    /// are hashed; texts that look personal are counted, and go where that is set. An object that is empty
    /// after that goes with its name. The first, second and last rule hold at any depth. Then the record gets
    /// the project's token, and an event without them a distinct_id, `time` and `$insert_id`.
    pub fn write(
        &self,
        record: &Record<'_>,
        origin: &Origin,
        out: &mut Vec<u8>,
    ) -> Result<Changes, Refusal> {
        let start = out.len();
        let mut draft = Draft::new(self, self.geolocation && !origin.geolocation_off, out);
        let written = match record.kind {
            RecordKind::Event => event::write(&mut draft, record, origin),
            RecordKind::Profile => profile::write(&mut draft, record),
        };
        let changes = draft.changes();
        written.map(|()| changes).inspect_err(|_| out.truncate(start))
    }

    /// Whether ids leave as keyed hashes.
    pub const fn hashes_ids(&self) -> bool {
        self.leaving_aliases.is_some()
    }

    /// The form in which `id` leaves where ids are hashed, whether they are now or not; `None` if it names nobody.
    /// What is asked of Mixpanel about a person is to be asked with both forms, if ids ever left as hashes.
    pub fn alias_of(&self, id: &DistinctId) -> Option<DistinctId> {
        self.aliases.of(id.expose()).map(DistinctId::new)
    }

    pub(super) fn token_json(&self) -> &[u8] {
        self.token.expose_secret().as_bytes()
    }
}

impl std::fmt::Debug for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Filter(hidden)")
    }
}
