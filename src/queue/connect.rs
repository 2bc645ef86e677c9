//! How the program reaches Redis: one place for addresses, timeouts and reconnection.
//!
//! redis-rs gives up on an answer after 500 ms by default, which turns every hiccup of the server
//! into an error; here the patience is ten seconds. Addresses may hold a password, so neither the
//! connector nor its errors ever show them.

use std::{fmt, time::Duration};

use redis::{
    AsyncConnectionConfig, Client, ErrorKind, IntoConnectionInfo, RedisResult,
    aio::{ConnectionManager, ConnectionManagerConfig, MultiplexedConnection},
    io::tcp::TcpSettings,
};

/// How long an answer may take before the connection counts as broken.
pub(super) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(5);
const SCHEMES: [&str; 3] = ["redis", "rediss", "unix"];

/// Makes connections to one Redis. Cheap to clone.
#[derive(Clone)]
pub struct Connector {
    client: Client,
}

/// An address that no connection can be made from. Shows the scheme, never the address.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// The address does not start with a scheme that is supported here.
    #[error("the Redis address starts with {found:?}, expected redis://, rediss:// or unix://")]
    Scheme {
        /// The text before `://`, or nothing.
        found: String,
    },
    /// The rest of the address cannot be read.
    #[error(
        "the Redis address cannot be read ({reason}), \
         expected redis://[user[:password]@]host[:port][/database] or unix:///path"
    )]
    Malformed {
        /// What is wrong, without the address.
        reason: &'static str,
    },
}

impl Connector {
    /// A connector for `redis://`, `rediss://` (TLS) or `unix://` addresses. Connects to nothing
    /// yet.
    pub fn new(url: &str) -> Result<Self, AddressError> {
        let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
        if !SCHEMES.contains(&scheme) {
            return Err(AddressError::Scheme { found: scheme.to_owned() });
        }
        let malformed = |error: redis::RedisError| AddressError::Malformed { reason: kind(&error) };
        let info = url.into_connection_info().map_err(malformed)?;
        let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
        Ok(Self { client: Client::open(info).map_err(malformed)? })
    }

    /// A connection of its own: for blocking commands and for `WAITAOF`.
    pub async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        self.connect_blocking_for(Duration::ZERO).await
    }

    /// A connection of its own whose commands may block on the server for `block`.
    pub async fn connect_blocking_for(
        &self,
        block: Duration,
    ) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECTION_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT + block));
        self.client.get_multiplexed_async_connection_with_config(&config).await
    }

    /// A connection that reconnects by itself, to be cloned and shared by everything that does
    /// not block. A command that was under way when the connection broke still fails.
    pub async fn manager(&self) -> RedisResult<ConnectionManager> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECTION_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT))
            .set_min_delay(Duration::from_millis(50))
            .set_max_delay(Duration::from_secs(1));
        self.client.get_connection_manager_with_config(config).await
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}

/// The kind of an address error; its text could quote the address.
fn kind(error: &redis::RedisError) -> &'static str {
    match error.kind() {
        ErrorKind::InvalidClientConfig => "invalid host, port, database or option",
        _ => "invalid address",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_supported_scheme_is_accepted() {
        for url in
            ["redis://127.0.0.1:1", "redis://user:pw@host:1/3", "rediss://host", "unix:///tmp/none"]
        {
            assert!(Connector::new(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn a_wrong_address_is_explained_without_showing_it() {
        let secret = "hunter2-not-shown";
        for url in [
            format!("http://:{secret}@host"),
            format!("redis://:{secret}@host:notaport"),
            format!("redis://:{secret}@host/notadatabase"),
            secret.to_owned(),
        ] {
            let shown = Connector::new(&url).map_err(|e| format!("{e} {e:?}")).err();
            assert!(shown.as_ref().is_some_and(|text| !text.contains(secret)), "{shown:?}");
        }
    }

    #[test]
    fn debug_shows_no_password() {
        let connector = Connector::new("redis://:hunter2@host");
        assert_eq!(format!("{connector:?}"), "Ok(Connector)");
    }
}
