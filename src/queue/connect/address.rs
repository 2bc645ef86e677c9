//! What an address of Redis in the settings means.
//!
//! ```text
//! redis://   [user[:password]@]host[:6379][/database]              rediss:// with TLS
//! unix://    /path
//! redis+sentinel://[user[:password]@]host[:26379],host…/name[/database][?sentinel_auth=[user]:password]
//! redis+cluster:// [user[:password]@]host[:6379],host…             rediss+… with TLS
//! ```
//!
//! User and password are those of the Redis servers; Sentinels that ask for some have theirs in `sentinel_auth`, percent-
//! encoded like the others.

use redis::{
    ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo, RedisError, TlsCertificates,
    io::tcp::TcpSettings,
};

use super::authorities::Authorities;

/// What an address may start with.
pub const SCHEMES: [&str; 8] = [
    "redis",
    "rediss",
    "unix",
    "redis+unix",
    "redis+sentinel",
    "rediss+sentinel",
    "redis+cluster",
    "rediss+cluster",
];

const SENTINEL_PORT: &str = ":26379";
/// A longer text before `://` is not shown.
const LONGEST_SCHEME: usize = 16;

/// An address that no connection can be made from. Shows the scheme, never the address.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// The address does not start with a scheme that is supported here.
    #[error("the Redis address starts with {found:?}, expected one of {}", SCHEMES.join(", "))]
    Scheme {
        /// The text before `://` if it is a scheme, or nothing: it may be a password.
        found: String,
    },
    /// The rest of the address cannot be read.
    #[error("the Redis address cannot be read ({reason}), expected {expected}")]
    Malformed {
        /// What is wrong, without the address.
        reason: &'static str,
        /// The form that was expected.
        expected: &'static str,
    },
    /// There are authorities for certificates, and none will be shown.
    #[error(
        "the Redis address has no TLS, expected rediss://, rediss+sentinel:// or rediss+cluster://, as only there a server shows a certificate"
    )]
    WithoutTls,
}

/// Where Redis is.
#[derive(Clone)]
pub(super) enum Address {
    /// One server.
    Single(ConnectionInfo),
    /// The primary that these Sentinels name. `node` has what is the same of every server: TLS, user, database. For the
    /// servers, which are not known yet, redis-rs wants the certificates by themselves.
    Sentinel {
        sentinels: Vec<ConnectionInfo>,
        name: String,
        node: ConnectionInfo,
        certificates: Option<TlsCertificates>,
    },
    /// The primary that has a slot; the seeds know which.
    Cluster { seeds: Vec<ConnectionInfo> },
}

const SINGLE: &str =
    "redis://[user[:password]@]host[:port][/database], the same with rediss, or unix:///path";
const SENTINEL: &str =
    "redis+sentinel://[user[:password]@]host[:port],host…/name of the primary[/database]";
const CLUSTER: &str = "redis+cluster://[user[:password]@]host[:port],host… without a database, as a Cluster has only one";

impl Address {
    pub(super) fn parse(url: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = url.split_once("://").unwrap_or_default();
        if !SCHEMES.contains(&scheme) {
            let found = if is_scheme(scheme) { scheme.to_owned() } else { String::new() };
            return Err(AddressError::Scheme { found });
        }
        match scheme.split_once('+') {
            Some((tls, "sentinel")) => sentinel(tls, rest),
            Some((tls, "cluster")) => cluster(tls, rest),
            _ => Ok(Self::Single(info(url, SINGLE)?)),
        }
    }

    /// The same servers, believed only with a certificate that these have signed.
    pub(super) fn trusting(self, authorities: &Authorities) -> Result<Self, AddressError> {
        let vouch = |info: &ConnectionInfo| {
            authorities.vouch_for(info).map_err(|_| AddressError::WithoutTls)
        };
        let all = |infos: &[ConnectionInfo]| infos.iter().map(vouch).collect::<Result<_, _>>();
        Ok(match self {
            Self::Single(info) => Self::Single(vouch(&info)?),
            Self::Sentinel { sentinels, name, node, .. } => Self::Sentinel {
                sentinels: all(&sentinels)?,
                name,
                node: vouch(&node)?,
                certificates: Some(authorities.certificates()),
            },
            Self::Cluster { seeds } => Self::Cluster { seeds: all(&seeds)? },
        })
    }

    /// The servers, for people: never a user or password.
    pub(super) fn place(&self) -> String {
        let all = match self {
            Self::Single(info) => std::slice::from_ref(info),
            Self::Sentinel { sentinels, .. } => sentinels,
            Self::Cluster { seeds } => seeds,
        };
        let names: Vec<String> = all.iter().map(|info| name(info.addr())).collect();
        match self {
            Self::Single(_) => names.join(""),
            Self::Sentinel { name, .. } => format!("{name} of the Sentinels {}", names.join(", ")),
            Self::Cluster { .. } => format!("the Cluster of {}", names.join(", ")),
        }
    }

    pub(super) fn database(&self) -> i64 {
        match self {
            Self::Single(info) | Self::Sentinel { node: info, .. } => info.redis_settings().db(),
            Self::Cluster { .. } => 0,
        }
    }
}

/// Whether a text may be the scheme of a URL, and is no longer than those that are in use.
fn is_scheme(text: &str) -> bool {
    text.len() <= LONGEST_SCHEME
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'+' | b'-' | b'.'))
}

/// The parts of an address with several hosts.
struct Parts<'a> {
    userinfo: &'a str,
    hosts: Vec<&'a str>,
    path: &'a str,
    query: &'a str,
}

fn parts(rest: &str) -> Parts<'_> {
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (userinfo, hosts) = match authority.rfind('@') {
        Some(at) => authority.split_at(at + 1),
        None => ("", authority),
    };
    Parts { userinfo, hosts: hosts.split(',').collect(), path, query }
}

fn sentinel(tls: &str, rest: &str) -> Result<Address, AddressError> {
    let wrong = |reason| AddressError::Malformed { reason, expected: SENTINEL };
    let Parts { userinfo, hosts, path, query } = parts(rest);
    let (name, database) = path.split_once('/').unwrap_or((path, ""));
    if name.is_empty() {
        return Err(wrong("the name of the primary is missing"));
    }
    let auth = match query.split_once('=') {
        None if query.is_empty() => String::new(),
        Some(("sentinel_auth", auth)) => format!("{auth}@"),
        _ => return Err(wrong("an option other than sentinel_auth")),
    };
    let sentinels = hosts
        .iter()
        .map(|host| {
            let port = if has_port(host) { "" } else { SENTINEL_PORT };
            info(&format!("{tls}://{auth}{host}{port}"), SENTINEL)
        })
        .collect::<Result<_, _>>()?;
    let node = info(&format!("{tls}://{userinfo}{}/{database}", hosts[0]), SENTINEL)?;
    Ok(Address::Sentinel { sentinels, name: name.to_owned(), node, certificates: None })
}

fn cluster(tls: &str, rest: &str) -> Result<Address, AddressError> {
    let wrong = |reason| AddressError::Malformed { reason, expected: CLUSTER };
    let Parts { userinfo, hosts, path, query } = parts(rest);
    if !matches!(path, "" | "0") || !query.is_empty() {
        return Err(wrong("something follows the hosts"));
    }
    let seed = |host: &&str| info(&format!("{tls}://{userinfo}{host}"), CLUSTER);
    Ok(Address::Cluster { seeds: hosts.iter().map(seed).collect::<Result<_, _>>()? })
}

/// A server, for people: never a user or password.
pub(super) fn name(addr: &ConnectionAddr) -> String {
    match addr {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. }
            if host.contains(':') =>
        {
            format!("[{host}]:{port}")
        }
        other => other.to_string(),
    }
}

fn has_port(host: &str) -> bool {
    host.rsplit_once(']').map_or(host, |(_, rest)| rest).contains(':')
}

/// One server, as redis-rs reads it.
fn info(url: &str, expected: &'static str) -> Result<ConnectionInfo, AddressError> {
    let malformed = |error: RedisError| AddressError::Malformed { reason: kind(&error), expected };
    let info = url.into_connection_info().map_err(malformed)?;
    if !info.addr().is_supported() {
        return Err(AddressError::Malformed { reason: "not supported on this system", expected });
    }
    Ok(info.set_tcp_settings(TcpSettings::default().set_nodelay(true)))
}

/// The kind of an address error; its text could quote the address.
fn kind(error: &RedisError) -> &'static str {
    match error.kind() {
        ErrorKind::InvalidClientConfig => "invalid host, port, database or option",
        _ => "invalid address",
    }
}

/// The same kind of way (TLS, user, database) to another host.
pub(super) fn elsewhere(like: &ConnectionInfo, host: String, port: u16) -> ConnectionInfo {
    let addr = match like.addr() {
        ConnectionAddr::TcpTls { insecure, tls_params, .. } => ConnectionAddr::TcpTls {
            host,
            port,
            insecure: *insecure,
            tls_params: tls_params.clone(),
        },
        _ => ConnectionAddr::Tcp(host, port),
    };
    like.clone().set_addr(addr)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn place(url: &str) -> String {
        Address::parse(url).unwrap().place()
    }

    #[test]
    fn an_address_is_named_without_user_and_password() {
        for (url, shown) in [
            ("redis://127.0.0.1:7001", "127.0.0.1:7001"),
            ("rediss://user:hunter2@redis.example.test/3", "redis.example.test:6379"),
            ("redis://:hunter2@[::1]:7001", "[::1]:7001"),
            ("unix:///run/redis.sock?pass=hunter2", "/run/redis.sock"),
            ("redis+sentinel://u:hunter2@a,b:7/main/2", "main of the Sentinels a:26379, b:7"),
            ("redis+sentinel://[::1]/main", "main of the Sentinels [::1]:26379"),
            ("rediss+cluster://:hunter2@a:1,b", "the Cluster of a:1, b:6379"),
        ] {
            assert_eq!(place(url), shown);
        }
    }

    #[test]
    fn servers_and_sentinels_have_credentials_of_their_own() {
        let url = "rediss+sentinel://app:p%40ss@a,b/main/2?sentinel_auth=watch:w%2Fd";
        let Address::Sentinel { sentinels, name, node, .. } = Address::parse(url).unwrap() else {
            panic!("no Sentinel address");
        };
        let redis = node.redis_settings();
        assert_eq!((redis.username(), redis.password()), (Some("app"), Some("p@ss")));
        assert_eq!((redis.db(), name.as_str()), (2, "main"));
        for sentinel in &sentinels {
            let redis = sentinel.redis_settings();
            assert_eq!((redis.username(), redis.password()), (Some("watch"), Some("w/d")));
            assert!(matches!(sentinel.addr(), ConnectionAddr::TcpTls { port: 26379, .. }));
        }
        let moved = elsewhere(&node, "c".to_owned(), 1);
        assert_eq!(moved.redis_settings().password(), Some("p@ss"));
        assert!(matches!(moved.addr(), ConnectionAddr::TcpTls { port: 1, .. }));
    }

    #[test]
    fn what_stands_before_the_scheme_is_not_taken_for_one() {
        let shown = |url: &str| Address::parse(url).err().map(|error| format!("{error} {error:?}"));
        for url in ["user:hunter2@redis://host", "hunter2://host", "x.hunter-two-not-shown://host"]
        {
            assert!(shown(url).is_some_and(|shown| !shown.contains("hunter")), "{url}");
        }
        assert!(shown("https://host").is_some_and(|shown| shown.contains("\"https\"")));
    }

    #[test]
    fn a_wrong_address_is_explained_without_showing_it() {
        let secret = "hunter2-not-shown";
        for url in [
            format!("http://:{secret}@host"),
            format!("redis://:{secret}@host:notaport"),
            format!("redis://:{secret}@host/notadatabase"),
            format!("redis+sentinel://:{secret}@host"),
            format!("redis+sentinel://:{secret}@host/main?password={secret}"),
            format!("redis+sentinel://:{secret}@a,b:notaport/main"),
            format!("redis+cluster://:{secret}@a,b/3"),
            format!("redis+cluster://:{secret}@"),
            secret.to_owned(),
        ] {
            let shown = Address::parse(&url).map_err(|e| format!("{e} {e:?}")).err();
            let shown = shown.unwrap_or_else(|| panic!("accepted: {}", url.replace(secret, "…")));
            assert!(!shown.contains(secret) && shown.contains("expected"), "{shown}");
        }
    }
}
