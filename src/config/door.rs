//! The settings of the drop-in door for Mixpanel SDKs.

use std::net::SocketAddr;

use gdpr_jobs::Project;
use secrecy::SecretString;
use url::Url;

use super::{
    ConfigError, Flags, address, only_project, privacy,
    project::{bytes, number, switch},
    source::{Sources, read_file},
};

/// Where and how the door listens; the same for all projects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoorConfig {
    /// The address.
    pub listen: SocketAddr,
    /// Largest body, unpacked, in bytes.
    pub body_max: usize,
    /// Most records a second for one project.
    pub rate: u32,
    /// Most entries that may wait for delivery.
    pub backlog: usize,
    /// Whether the client's address is the last one in `X-Forwarded-For`.
    pub behind_proxy: bool,
}

/// What a command needs to make opt-out links.
#[derive(Clone, Debug)]
pub struct LinkSettings {
    /// The project.
    pub project: Project,
    /// The secret behind the links.
    pub application_key: SecretString,
    /// The address at which people reach the door.
    pub public_url: Url,
}

impl LinkSettings {
    /// Reads only what is needed to make links for one project.
    pub fn load(flags: &Flags) -> Result<Self, ConfigError> {
        let file = read_file(flags)?;
        let top = Sources::new(flags, vec![&file]);
        let (project, tables) = only_project(&file, &top)?;
        let application_key = privacy::application_key(&Sources::new(flags, tables))?;
        Ok(Self {
            project,
            application_key: application_key.ok_or(ConfigError::Missing {
                variable: "GDPR_APPLICATION_KEY",
                expected: "the secret that the worker at the door has, because it signs the links",
            })?,
            public_url: public_url(&top)?.ok_or(ConfigError::Missing {
                variable: "GDPR_INGEST_URL",
                expected: "the address at which people reach the door, such as https://events.example.com",
            })?,
        })
    }
}

pub(super) fn door(s: &Sources<'_>) -> Result<Option<DoorConfig>, ConfigError> {
    let Some(listen) = address(s, "ingest_listen")? else { return Ok(None) };
    public_url(s)?;
    Ok(Some(DoorConfig {
        listen,
        body_max: usize::try_from(bytes(s, "ingest_body_max", 1024)?).unwrap_or(usize::MAX),
        rate: u32::try_from(number(s, "ingest_rate", 1..=10_000_000)?).unwrap_or(u32::MAX),
        backlog: number(s, "ingest_backlog", 1..=usize::MAX)?,
        behind_proxy: switch(s, "ingest_behind_proxy")?,
    }))
}

/// The address at which people reach the door.
fn public_url(s: &Sources<'_>) -> Result<Option<Url>, ConfigError> {
    let Some((text, _)) = s.text("ingest_url").filter(|(text, _)| !text.is_empty()) else {
        return Ok(None);
    };
    match Url::parse(&text) {
        Ok(url) if ["http", "https"].contains(&url.scheme()) && url.has_host() => Ok(Some(url)),
        _ => Err(ConfigError::invalid(
            "GDPR_INGEST_URL",
            "no web address",
            "an address such as https://events.example.com",
        )),
    }
}
