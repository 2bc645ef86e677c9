//! How the program reaches Redis: one place for addresses, timeouts and reconnection.
//!
//! | file | what it holds |
//! | --- | --- |
//! | here | [`Connector`], which makes connections |
//! | `address` | what an address in the settings means |
//! | `authorities` | whose word is taken for a server that is reached with TLS |
//! | `primary` | which server of a Sentinel set or a Cluster takes writes now |
//! | `shared` | [`Connection`], which finds the primary again when it has moved |
//!
//! All keys of a project have one hash tag, so one server has them all, in a Cluster too. Every connection therefore
//! goes to one server, the primary, and whoever makes a new one asks anew which that is. What a blocking read, a
//! `WAITAOF` or a script needs (one connection, one server) holds in every topology by that alone.
//!
//! redis-rs gives up on an answer after 500 ms by default, which turns every hiccup of the server
//! into an error; here the patience is ten seconds. Addresses may hold a password, so neither the
//! connector nor its errors ever show them.

mod address;
mod authorities;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
mod primary;
mod shared;

use std::{fmt, sync::Arc, time::Duration};

use gdpr_jobs::RedisFault;
use redis::{AsyncConnectionConfig, Client, RedisError, RedisResult, aio::MultiplexedConnection};

pub use address::{AddressError, SCHEMES};
pub use authorities::{Authorities, InvalidAuthorities};
pub use shared::{Connection, was_not_run};

use address::Address;
use primary::Known;

/// How long an answer may take before the connection counts as broken.
pub(super) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(5);

/// Makes connections to the server that has a project's keys. Cheap to clone.
#[derive(Clone)]
pub struct Connector {
    address: Arc<Address>,
    known: Arc<Known>,
    key: Arc<str>,
}

/// A server that takes writes.
pub struct Primary {
    /// Host and port, or the path of its socket: never a user or password.
    pub name: String,
    /// A connection to it.
    pub connection: MultiplexedConnection,
}

impl Connector {
    /// A connector for an address that starts with one of [`SCHEMES`]. Connects to nothing yet.
    pub fn new(url: &str) -> Result<Self, AddressError> {
        let address = Arc::new(Address::parse(url)?);
        Ok(Self { address, known: Arc::default(), key: "".into() })
    }

    /// The same, for servers that show a certificate which these have signed, and for no others.
    pub fn trusting(self, authorities: &Authorities) -> Result<Self, AddressError> {
        let address = Arc::unwrap_or_clone(self.address).trusting(authorities)?;
        Ok(Self { address: Arc::new(address), ..self })
    }

    /// The same, for the server of a Cluster that has `key` and what shares its hash tag.
    #[must_use]
    pub fn towards(&self, key: &str) -> Self {
        Self { key: key.into(), ..self.clone() }
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
        open(&self.address.primary(&self.key, &self.known).await?, block).await
    }

    /// A connection that reconnects by itself, to be cloned and shared by everything that does
    /// not block. A command that was under way when the connection broke still fails.
    pub async fn shared(&self) -> RedisResult<Connection> {
        let connection = Connection::new(self.clone());
        connection.ready().await?;
        Ok(connection)
    }

    /// Every server that takes writes: one, or all primaries of a Cluster.
    pub async fn primaries(&self) -> RedisResult<Vec<Primary>> {
        let mut primaries = Vec::new();
        for client in self.address.primaries(&self.known).await? {
            let name = address::name(client.get_connection_info().addr());
            primaries.push(Primary { name, connection: open(&client, Duration::ZERO).await? });
        }
        Ok(primaries)
    }

    /// The servers that the address names, for people: never a user or password.
    pub fn place(&self) -> String {
        self.address.place()
    }

    /// Why there is no connection, and what to do: for people, without user, password or what was sent.
    pub fn explain(&self, error: &RedisError) -> String {
        let place = self.place();
        match authorities::distrust(error) {
            Some(why) => format!(
                "the certificate of Redis at {place} is not believed ({why}): expected one for that host, signed by an \
                 authority in GDPR_REDIS_CA, or by a public one where that is not set"
            ),
            None => format!(
                "Redis does not answer at {place} ({}): expected a running server that knows the user and \
                 password; start it, or set GDPR_REDIS_URL",
                RedisFault::from(error)
            ),
        }
    }

    /// Whether the primary may become another server.
    fn may_move(&self) -> bool {
        !matches!(*self.address, Address::Single(_))
    }

    fn database(&self) -> i64 {
        self.address.database()
    }
}

async fn open(client: &Client, block: Duration) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECTION_TIMEOUT))
        .set_response_timeout(Some(RESPONSE_TIMEOUT + block));
    client.get_multiplexed_async_connection_with_config(&config).await
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_password() {
        let connector = Connector::new("redis://:hunter2@host");
        assert_eq!(format!("{connector:?}"), "Ok(Connector)");
    }
}
