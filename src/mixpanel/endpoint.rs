//! Where Mixpanel's APIs live: the base addresses of a region, and the one place that builds the
//! addresses of tasks.
//!
//! Invariant: the address of a task never is the address of its collection, because a `DELETE` or
//! a `POST` there would do something else ([`TrackingId`] cannot be empty, `.` or `..`).

use std::str::FromStr;

use reqwest::Url;

use super::task::{TaskKind, TrackingId};

/// Where Mixpanel keeps the project's data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Region {
    /// United States.
    #[default]
    Us,
    /// European Union.
    Eu,
    /// India.
    In,
}

/// A word that names no region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a Mixpanel region: expected us, eu or in")]
pub struct UnknownRegion;

impl FromStr for Region {
    type Err = UnknownRegion;

    fn from_str(word: &str) -> Result<Self, UnknownRegion> {
        match word.trim().to_ascii_lowercase().as_str() {
            "us" => Ok(Self::Us),
            "eu" => Ok(Self::Eu),
            "in" => Ok(Self::In),
            _ => Err(UnknownRegion),
        }
    }
}

impl Region {
    const fn api(self) -> &'static str {
        match self {
            Self::Us => "https://mixpanel.com/api/app",
            Self::Eu => "https://eu.mixpanel.com/api/app",
            Self::In => "https://in.mixpanel.com/api/app",
        }
    }

    const fn ingestion(self) -> &'static str {
        match self {
            Self::Us => "https://api.mixpanel.com",
            Self::Eu => "https://api-eu.mixpanel.com",
            Self::In => "https://api-in.mixpanel.com",
        }
    }
}

/// A base address that cannot be used. The text itself stays out: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the {which} address is not usable: {problem}; expected something like {}",
    which.example()
)]
pub struct InvalidEndpoint {
    /// Which of the two addresses.
    pub which: Base,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// The two base addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// The GDPR API.
    Api,
    /// Events and profiles.
    Ingestion,
}

impl Base {
    const fn example(self) -> &'static str {
        match self {
            Self::Api => Region::Us.api(),
            Self::Ingestion => Region::Us.ingestion(),
        }
    }
}

impl std::fmt::Display for Base {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Api => "API",
            Self::Ingestion => "ingestion",
        })
    }
}

/// The base addresses of one project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    api: Url,
    ingestion: Url,
}

impl Endpoints {
    /// The region's addresses, each replaced by the given one, if any (an emulator, a gateway).
    pub fn new(
        region: Region,
        api: Option<&str>,
        ingestion: Option<&str>,
    ) -> Result<Self, InvalidEndpoint> {
        Ok(Self {
            api: parse(Base::Api, api.unwrap_or(region.api()))?,
            ingestion: parse(Base::Ingestion, ingestion.unwrap_or(region.ingestion()))?,
        })
    }

    /// Base address of events and profiles.
    pub fn ingestion(&self) -> &Url {
        &self.ingestion
    }

    /// Where records of one kind go: `import`, `track` or `engage`.
    pub(super) fn records(&self, name: &str) -> Url {
        extend(&self.ingestion, &[name])
    }

    /// Whether tokens would travel unencrypted: right for an emulator, wrong for everything else.
    pub fn is_plain_http(&self) -> bool {
        [&self.api, &self.ingestion].iter().any(|url| url.scheme() == "http")
    }

    /// Where tasks of this kind are created; ends in a slash, as Mixpanel's documentation has it.
    pub(super) fn collection(&self, kind: TaskKind) -> Url {
        extend(&self.api, &[kind.collection(), "v3.0", ""])
    }

    /// The address of one task.
    pub(super) fn task(&self, kind: TaskKind, id: &TrackingId) -> Url {
        extend(&self.api, &[kind.collection(), "v3.0", id.as_str()])
    }
}

fn parse(which: Base, text: &str) -> Result<Url, InvalidEndpoint> {
    let refuse = |problem| InvalidEndpoint { which, problem };
    let url = Url::parse(text.trim()).map_err(|_| refuse("it is not a URL"))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(refuse("it is neither https nor http"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("it holds a user name or password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("it holds a query or a fragment"));
    }
    Ok(url)
}

fn extend(base: &Url, segments: &[&str]) -> Url {
    let mut url = base.clone();
    // An http(s) URL always has path segments.
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn each_region_has_its_own_hosts() {
        for (word, host) in [("us", ""), ("EU", "eu."), ("in", "in.")] {
            let endpoints = Endpoints::new(word.parse().unwrap(), None, None).unwrap();
            assert_eq!(
                endpoints.collection(TaskKind::Deletion).as_str(),
                format!("https://{host}mixpanel.com/api/app/data-deletions/v3.0/")
            );
        }
        assert_eq!("de".parse::<Region>(), Err(UnknownRegion));
    }

    #[test]
    fn an_override_keeps_its_path_with_or_without_a_final_slash() {
        for base in ["http://127.0.0.1:9100/api/app", "http://127.0.0.1:9100/api/app/"] {
            let endpoints = Endpoints::new(Region::Us, Some(base), None).unwrap();
            assert_eq!(
                endpoints.collection(TaskKind::Retrieval).path(),
                "/api/app/data-retrievals/v3.0/"
            );
            assert!(endpoints.is_plain_http());
        }
    }

    #[test]
    fn a_tracking_id_is_one_encoded_path_segment_whatever_it_holds() {
        let endpoints = Endpoints::new(Region::Us, None, None).unwrap();
        for id in ["a/b", "../v3.0", "%2e%2e", "%2E", "a?token=x", "a#b", "ä b", "..;"] {
            let url = endpoints.task(TaskKind::Deletion, &TrackingId::new(id).unwrap());
            let segments: Vec<_> = url.path_segments().unwrap().collect();
            assert_eq!(segments.len(), 5, "{url}");
            assert_eq!(&segments[..4], ["api", "app", "data-deletions", "v3.0"]);
            assert!(!["", ".", ".."].contains(&segments[4]));
            assert!(url.query().is_none() && url.fragment().is_none());
        }
    }

    #[test]
    fn an_unusable_address_is_named_without_its_text() {
        for text in ["", "mixpanel.com", "ftp://h/", "https://u:hunter2@h/", "https://h/?a=hunter2"]
        {
            let error = Endpoints::new(Region::Us, Some(text), None).unwrap_err();
            assert!(error.to_string().contains("API address"));
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
    }
}
