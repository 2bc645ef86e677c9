//! Which server takes writes now.
//!
//! Asked anew for each connection: after a failover that is what finds the new primary.

use std::sync::{Mutex, PoisonError};

use redis::{
    Client, ConnectionInfo, ErrorKind, IntoConnectionInfo, RedisError, RedisResult,
    TlsCertificates, TlsMode, Value, from_redis_value,
    sentinel::{SentinelClientBuilder, SentinelServerType},
};

use super::{
    address::{Address, elsewhere},
    open,
};

/// Servers of a Cluster that were seen at work; they are asked when no seed answers any more.
pub(super) type Known = Mutex<Vec<(String, u16)>>;

/// A range of slots and the host and port of the primary that has them.
type Range = (u16, u16, (String, u16));

impl Address {
    /// The server that has `key`.
    pub(super) async fn primary(&self, key: &str, known: &Known) -> RedisResult<Client> {
        match self {
            Self::Single(info) => Client::open(info.clone()),
            Self::Sentinel { sentinels, name, node, certificates } => {
                named(sentinels, name, node, certificates.as_ref()).await
            }
            Self::Cluster { seeds } => {
                let (slot, ranges) = ask(seeds, key, known).await?;
                let mut owners = ranges.into_iter();
                let (_, _, (host, port)) = owners
                    .find(|(first, last, _)| (*first..=*last).contains(&slot))
                    .ok_or((ErrorKind::ClusterConnectionNotFound, "no server has the slot"))?;
                Client::open(elsewhere(&seeds[0], host, port))
            }
        }
    }

    /// Every server that takes writes.
    pub(super) async fn primaries(&self, known: &Known) -> RedisResult<Vec<Client>> {
        let Self::Cluster { seeds } = self else { return Ok(vec![self.primary("", known).await?]) };
        let (_, ranges) = ask(seeds, "", known).await?;
        let mut hosts: Vec<_> = ranges.into_iter().map(|(_, _, owner)| owner).collect();
        hosts.sort_unstable();
        hosts.dedup();
        hosts
            .into_iter()
            .map(|(host, port)| Client::open(elsewhere(&seeds[0], host, port)))
            .collect()
    }
}

/// The primary that a Sentinel names and that says itself that it is one.
async fn named(
    sentinels: &[ConnectionInfo],
    name: &str,
    node: &ConnectionInfo,
    certificates: Option<&TlsCertificates>,
) -> RedisResult<Client> {
    let addresses = sentinels.iter().map(|sentinel| sentinel.addr().clone());
    let server = node.redis_settings();
    let mut set = SentinelClientBuilder::new(addresses, name, SentinelServerType::Master)?
        .set_client_to_redis_db(server.db())
        .set_client_to_redis_protocol(server.protocol())
        .set_client_to_redis_tcp_settings(node.tcp_settings().clone());
    if let Some(user) = server.username() {
        set = set.set_client_to_redis_username(user);
    }
    if let Some(password) = server.password() {
        set = set.set_client_to_redis_password(password);
    }
    if matches!(node.addr(), redis::ConnectionAddr::TcpTls { .. }) {
        set = set.set_client_to_redis_tls_mode(TlsMode::Secure);
        if let Some(certificates) = certificates {
            set = set.set_client_to_redis_certificates(certificates.clone());
        }
    }
    // All of them have the same credentials, and their own TLS in their addresses.
    if let Some(sentinel) = sentinels.first() {
        set = set.set_client_to_sentinel_tcp_settings(sentinel.tcp_settings().clone());
        let sentinel = sentinel.redis_settings();
        if let Some(user) = sentinel.username() {
            set = set.set_client_to_sentinel_username(user);
        }
        if let Some(password) = sentinel.password() {
            set = set.set_client_to_sentinel_password(password);
        }
    }
    set.build()?.async_get_client().await
}

/// The slot of `key`, and who has which slots, from the first server that answers.
async fn ask(seeds: &[ConnectionInfo], key: &str, known: &Known) -> RedisResult<(u16, Vec<Range>)> {
    let seen = known.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let seen = seen.into_iter().map(|(host, port)| elsewhere(&seeds[0], host, port));
    let mut error = None;
    for info in seen.chain(seeds.iter().cloned()) {
        match ask_one(info, key).await {
            Ok((slot, ranges)) => {
                let mut hosts: Vec<_> = ranges.iter().map(|(_, _, owner)| owner.clone()).collect();
                hosts.sort_unstable();
                hosts.dedup();
                *known.lock().unwrap_or_else(PoisonError::into_inner) = hosts;
                return Ok((slot, ranges));
            }
            Err(failed) => error = Some(failed),
        }
    }
    Err(error.unwrap_or_else(unreadable))
}

async fn ask_one(info: ConnectionInfo, key: &str) -> RedisResult<(u16, Vec<Range>)> {
    let info = info.into_connection_info()?;
    let mut connection = open(&Client::open(info.clone())?, std::time::Duration::ZERO).await?;
    let (slot, ranges): (u16, Vec<Vec<Value>>) = redis::pipe()
        .cmd("CLUSTER")
        .arg("KEYSLOT")
        .arg(key)
        .cmd("CLUSTER")
        .arg("SLOTS")
        .query_async(&mut connection)
        .await?;
    let asked = match info.addr() {
        redis::ConnectionAddr::Tcp(host, _) | redis::ConnectionAddr::TcpTls { host, .. } => host,
        _ => "",
    };
    let ranges = ranges.into_iter().filter_map(|range| read(range, asked)).collect();
    Ok((slot, ranges))
}

/// First slot, last slot, then a server each: host, port and more; the primary stands first. A server that does not
/// know its own host is the one that was asked.
fn read(range: Vec<Value>, asked: &str) -> Option<Range> {
    let mut range = range.into_iter();
    let mut number = || from_redis_value::<u16>(range.next()?).ok();
    let (first, last) = (number()?, number()?);
    let Value::Array(primary) = range.next()? else { return None };
    let mut primary = primary.into_iter();
    let host: Option<String> = from_redis_value(primary.next()?).ok()?;
    let host = host.filter(|host| !host.is_empty() && host != "?");
    let port = from_redis_value(primary.next()?).ok()?;
    Some((first, last, (host.unwrap_or_else(|| asked.to_owned()), port)))
}

fn unreadable() -> RedisError {
    (ErrorKind::ClusterConnectionNotFound, "no server of the Cluster answers").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(host: Value) -> Value {
        Value::Array(vec![host, Value::Int(7001), Value::BulkString(b"id".to_vec())])
    }

    #[test]
    fn the_first_server_of_a_range_is_its_primary() {
        let text = |text: &str| Value::BulkString(text.into());
        for (host, read_as) in [
            (text("10.0.0.1"), "10.0.0.1"),
            (text(""), "asked"),
            (text("?"), "asked"),
            (Value::Nil, "asked"),
        ] {
            let range =
                vec![Value::Int(0), Value::Int(5460), server(host), server(text("10.0.0.2"))];
            assert_eq!(read(range, "asked"), Some((0, 5460, (read_as.to_owned(), 7001))));
        }
        assert_eq!(read(vec![Value::Int(0)], "asked"), None);
    }
}
