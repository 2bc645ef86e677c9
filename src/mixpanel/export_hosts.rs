//! Which links an export may be fetched from (`GDPR_EXPORT_HOSTS`).
//!
//! A link comes from outside and may point anywhere. Invariant: it passes only if it is https on
//! the standard port of a listed host or of a subdomain. Plain http, other ports and addresses
//! that are not public are for hosts that an operator lists by their exact name; the storage
//! services of the default list never count as such.

use std::{fmt, str::FromStr};

use reqwest::Url;

/// What is listed when nothing is configured.
const DEFAULT: [&str; 3] = ["storage.googleapis.com", "amazonaws.com", "mixpanel.com"];

/// The hosts that exports may come from.
#[derive(Clone, PartialEq, Eq)]
pub struct ExportHosts(Vec<Entry>);

#[derive(Clone, PartialEq, Eq)]
struct Entry {
    /// As it stands in a parsed URL: lower case, an IPv6 address in brackets.
    host: String,
    /// If given, the entry is for this one host and port.
    port: Option<u16>,
}

/// An entry that names no host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "entry {position} of the export hosts is not a host: expected a name such as \
     storage.example.com, or host:port; no scheme, path or wildcard"
)]
pub struct InvalidExportHost {
    /// Which entry, counted from 1.
    pub position: usize,
}

/// Why a link is not followed. None of them repeats the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkRefusal {
    /// Not a URL with a host.
    #[error("it is not a web address")]
    NotAnAddress,
    /// Neither https nor http.
    #[error("it is not https")]
    Scheme,
    /// It holds a user name or a password.
    #[error("it holds a user name or a password")]
    UserInfo,
    /// Its host is not listed.
    #[error("its host is not listed in GDPR_EXPORT_HOSTS")]
    Host,
    /// Plain http to a host that is not listed by its exact name.
    #[error("it is plain http, and its host is not listed by its exact name")]
    PlainHttp,
    /// A port of a host that is not listed with it.
    #[error("its port is not listed for its host")]
    Port,
    /// The host's name leads to an address inside some network.
    #[error("its host resolves to an address that is not public")]
    PrivateAddress,
}

impl Default for ExportHosts {
    fn default() -> Self {
        Self(DEFAULT.iter().map(|host| Entry { host: (*host).to_owned(), port: None }).collect())
    }
}

impl fmt::Debug for ExportHosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = |e: &Entry| e.port.map(|p| format!(":{p}")).unwrap_or_default();
        f.debug_list().entries(self.0.iter().map(|e| format!("{}{}", e.host, port(e)))).finish()
    }
}

impl FromStr for ExportHosts {
    type Err = InvalidExportHost;

    /// Comma-separated hosts, each with a port if need be; replaces the default list.
    fn from_str(text: &str) -> Result<Self, InvalidExportHost> {
        let entries = text.split(',').map(str::trim).enumerate();
        entries
            .filter(|(_, entry)| !entry.is_empty())
            .map(|(i, entry)| Entry::parse(entry).ok_or(InvalidExportHost { position: i + 1 }))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl Entry {
    fn parse(text: &str) -> Option<Self> {
        if text.contains(['/', '\\', '@', '?', '#', '*', '%']) {
            return None;
        }
        // A scheme without a default port, so that every written port is kept; its hosts are not
        // normalised, so the web scheme does that.
        let port = Url::parse(&format!("raw://{text}")).ok()?.port();
        let host = Url::parse(&format!("https://{text}")).ok()?.host_str()?.to_owned();
        (!host.starts_with('.')).then_some(Self { host, port })
    }

    /// This very host (and port, if the entry has one).
    fn is_exactly(&self, host: &str, port: u16) -> bool {
        self.host == host && self.port.is_none_or(|listed| listed == port)
    }

    /// A subdomain, by whole labels. Addresses have none.
    fn covers(&self, host: &str) -> bool {
        let label = host.strip_suffix(&self.host).and_then(|rest| rest.strip_suffix('.'));
        self.port.is_none() && label.is_some_and(|label| !label.is_empty())
    }

    fn is_trusted(&self) -> bool {
        !DEFAULT.contains(&self.host.as_str())
    }
}

impl ExportHosts {
    /// Checks a link, and returns it parsed: what was checked is what must be fetched.
    pub(super) fn check(&self, link: &str) -> Result<Url, LinkRefusal> {
        let url = Url::parse(link).map_err(|_| LinkRefusal::NotAnAddress)?;
        self.check_url(&url)?;
        Ok(url)
    }

    /// Checks where a link or a redirect leads.
    pub(super) fn check_url(&self, url: &Url) -> Result<(), LinkRefusal> {
        if !matches!(url.scheme(), "https" | "http") {
            return Err(LinkRefusal::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(LinkRefusal::UserInfo);
        }
        let host = url.host_str().ok_or(LinkRefusal::NotAnAddress)?;
        let port = url.port_or_known_default().ok_or(LinkRefusal::NotAnAddress)?;
        if self.0.iter().any(|entry| entry.is_trusted() && entry.is_exactly(host, port)) {
            return Ok(());
        }
        let named = |entry: &Entry| entry.host == host;
        let covered =
            self.0.iter().any(|entry| entry.covers(host) || named(entry) && !entry.is_trusted());
        match (url.scheme(), port) {
            _ if !covered && !self.0.iter().any(named) => Err(LinkRefusal::Host),
            _ if !covered => Err(LinkRefusal::Port),
            ("https", 443) => Ok(()),
            ("https", _) => Err(LinkRefusal::Port),
            _ => Err(LinkRefusal::PlainHttp),
        }
    }

    /// Whether an operator vouches for this name, whatever address it leads to.
    pub(super) fn trusts(&self, host: &str) -> bool {
        self.0.iter().any(|entry| entry.is_trusted() && entry.host == host)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::{
        super::download::tests::{LISTED, hostile},
        *,
    };

    #[test]
    fn the_default_list_takes_hosts_and_subdomains_over_https_only() {
        let hosts = ExportHosts::default();
        for link in [
            "https://storage.googleapis.com/b/o?X-Goog-Signature=1",
            "https://bucket.storage.googleapis.com/o",
            "https://bucket.s3.eu-central-1.amazonaws.com/o",
            "HTTPS://MIXPANEL.COM:443/o",
        ] {
            assert!(hosts.check(link).is_ok(), "{link}");
        }
    }

    #[test]
    fn hostile_links_are_refused_by_the_list() {
        use LinkRefusal as R;
        let hosts: ExportHosts = LISTED.parse().unwrap();
        for (link, why) in hostile(4444, 6666) {
            assert_eq!(hosts.check(&link).err(), Some(why), "{link}");
        }
        let plain = |link| ExportHosts::default().check(link).err();
        assert_eq!(plain("http://storage.googleapis.com/o"), Some(R::PlainHttp));
    }

    #[test]
    fn a_host_listed_by_its_exact_name_may_be_plain_and_on_its_port() {
        let hosts: ExportHosts = "127.0.0.1:9100, minio, [::1]:9000, mixpanel.com".parse().unwrap();
        for link in [
            "http://127.0.0.1:9100/o",
            "http://minio/o",
            "http://minio:9000/o",
            "https://sub.minio/o",
            "http://[::1]:9000/o",
        ] {
            assert!(hosts.check(link).is_ok(), "{link}");
        }
        for link in ["http://127.0.0.1/o", "http://127.0.0.1:9101/o", "https://[::1]/o"] {
            assert_eq!(hosts.check(link), Err(LinkRefusal::Port), "{link}");
        }
        assert_eq!(hosts.check("http://sub.minio/o"), Err(LinkRefusal::PlainHttp));
        assert!(
            hosts.trusts("minio") && !hosts.trusts("sub.minio") && !hosts.trusts("mixpanel.com")
        );
    }

    #[test]
    fn a_wrong_entry_is_named_by_its_position() {
        for text in
            ["a.example, https://b", "a.example,b/c", "a.example,*.b", "a.example,.b", "a,b c"]
        {
            assert_eq!(
                text.parse::<ExportHosts>(),
                Err(InvalidExportHost { position: 2 }),
                "{text}"
            );
        }
        assert_eq!("a:80, ,b:443".parse::<ExportHosts>().unwrap().0[1].port, Some(443));
    }
}
