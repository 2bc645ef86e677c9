//! The projects that the door serves, found by the token that SDKs send.

use std::{collections::HashMap, fmt};

use gdpr_jobs::{DocumentKey, Project};
use secrecy::{ExposeSecret, SecretString};

use crate::queue::{Connection, Gate};

/// One project, as far as the door needs to know it.
#[derive(Clone, Debug)]
pub struct DoorProject {
    /// Its name.
    pub project: Project,
    /// Token of the Mixpanel project: SDKs name the project by it.
    pub project_token: SecretString,
    /// Lets applications opt people out over HTTP, and signs opt-out links.
    pub application_key: Option<SecretString>,
    /// Signs the documents of the door, where documents are signed.
    pub document_key: Option<DocumentKey>,
    /// Whether a place may be derived from a client's address.
    pub geolocation: bool,
    /// The way to its keys.
    pub redis: Connection,
    /// Where it is waited until an answer may be relied on.
    pub gate: Gate,
}

/// All projects. A project is known by its place.
pub(super) struct Projects {
    all: Vec<DoorProject>,
    by_token: HashMap<String, usize>,
}

/// Two projects that no token tells apart.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the projects {0} and {1} have the same MIXPANEL_PROJECT_TOKEN: the door tells projects apart by it, so give each its own"
)]
pub struct SameToken(Project, Project);

impl Projects {
    pub(super) fn new(all: Vec<DoorProject>) -> Result<Self, SameToken> {
        let mut by_token = HashMap::new();
        for (place, one) in all.iter().enumerate() {
            if let Some(other) =
                by_token.insert(one.project_token.expose_secret().to_owned(), place)
            {
                return Err(SameToken(all[other].project.clone(), one.project.clone()));
            }
        }
        Ok(Self { all, by_token })
    }

    /// The place of the project with this token.
    pub(super) fn of(&self, token: &str) -> Option<usize> {
        self.by_token.get(token).copied()
    }

    /// Whether the project at `place` lets Mixpanel derive places.
    pub(super) fn geolocates(&self, place: usize) -> bool {
        self.all.get(place).is_some_and(|project| project.geolocation)
    }

    pub(super) fn all(&self) -> &[DoorProject] {
        &self.all
    }
}

/// Hides the tokens.
impl fmt::Debug for Projects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all.iter().map(|one| one.project.as_str())).finish()
    }
}
