//! Where Redis is, and who says that it is Redis.

use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use super::{ConfigError, project::variable, source::Sources};
use crate::queue::{AddressError, Authorities, Connector, SCHEMES};

/// The way to Redis.
#[derive(Clone, Debug)]
pub struct RedisConfig {
    /// The address; may hold a password.
    pub url: SecretString,
    /// Whose certificates are believed there; the public authorities if nobody is named.
    pub authorities: Option<Authorities>,
}

impl RedisConfig {
    /// Makes connections there.
    pub fn connector(&self) -> Result<Connector, AddressError> {
        let connector = Connector::new(self.url.expose_secret())?;
        match &self.authorities {
            Some(authorities) => connector.trusting(authorities),
            None => Ok(connector),
        }
    }
}

pub(super) fn redis(s: &Sources<'_>) -> Result<RedisConfig, ConfigError> {
    let (url, _) = s.text("redis_url").unwrap_or_default();
    let scheme = scheme(&url)?;
    let authorities = match s.text("redis_ca").map(|(text, _)| text).filter(|text| !text.is_empty())
    {
        Some(_) if !scheme.starts_with("rediss") => {
            return Err(ConfigError::invalid(
                variable("redis_ca"),
                format!("set, while GDPR_REDIS_URL is {scheme}://…, which is no TLS"),
                "GDPR_REDIS_URL with rediss://, rediss+sentinel:// or rediss+cluster://, as only there a server shows a certificate",
            ));
        }
        Some(file) => Some(authorities(Path::new(&file))?),
        None => None,
    };
    Ok(RedisConfig { url: url.into(), authorities })
}

fn scheme(url: &str) -> Result<&str, ConfigError> {
    let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
    if SCHEMES.contains(&scheme) {
        return Ok(scheme);
    }
    let found = if scheme.is_empty() { "without a scheme" } else { scheme };
    Err(ConfigError::invalid(
        variable("redis_url"),
        format!("a URL {found}"),
        format!("one that starts with {}", SCHEMES.map(|s| format!("{s}://")).join(", ")),
    ))
}

fn authorities(file: &Path) -> Result<Authorities, ConfigError> {
    let invalid = |found: String| {
        let expected = "a readable file with one certificate or more in PEM (-----BEGIN CERTIFICATE-----), of those who sign for Redis";
        ConfigError::invalid(variable("redis_ca"), found, expected)
    };
    let pem =
        std::fs::read(file).map_err(|e| invalid(format!("a file that cannot be read ({e})")))?;
    Authorities::from_pem(&pem).map_err(|e| invalid(e.to_string()))
}
