//! What a call asks for, read from its method and path alone.

use serde::Serialize;

use crate::task::TaskKind;

/// The kinds of calls that the log and the fault rules tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    CreateDeletion,
    CreateRetrieval,
    PollDeletion,
    PollRetrieval,
    Cancel,
    Export,
    Track,
    Import,
    Engage,
    Groups,
    Other,
}

impl Kind {
    const NAMED: [(&'static str, Self); 11] = [
        ("create-deletion", Self::CreateDeletion),
        ("create-retrieval", Self::CreateRetrieval),
        ("poll-deletion", Self::PollDeletion),
        ("poll-retrieval", Self::PollRetrieval),
        ("cancel", Self::Cancel),
        ("export", Self::Export),
        ("track", Self::Track),
        ("import", Self::Import),
        ("engage", Self::Engage),
        ("groups", Self::Groups),
        ("other", Self::Other),
    ];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::NAMED.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
    }

    pub(crate) fn creates(self) -> Option<TaskKind> {
        match self {
            Self::CreateDeletion => Some(TaskKind::Deletion),
            Self::CreateRetrieval => Some(TaskKind::Retrieval),
            _ => None,
        }
    }

    pub(crate) fn polls(self) -> Option<TaskKind> {
        match self {
            Self::PollDeletion => Some(TaskKind::Deletion),
            Self::PollRetrieval => Some(TaskKind::Retrieval),
            _ => None,
        }
    }

    pub(crate) fn ingests(self) -> bool {
        matches!(self, Self::Track | Self::Import | Self::Engage | Self::Groups)
    }
}

/// A call's kind and the id in its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    /// A GDPR collection; `slashed` says whether the path ends in a slash.
    Collection { kind: Kind, slashed: bool },
    /// One task.
    Item { kind: Kind, id: String },
    /// A download link.
    Export { link: String },
    /// An ingestion endpoint.
    Ingest(Kind),
    /// A known path with a method that it does not take.
    WrongMethod,
    /// Anything else.
    Unknown,
}

impl Route {
    /// Reads method and path. Retrievals cannot be cancelled: the API has no such call.
    pub(crate) fn of(method: &str, path: &str) -> Self {
        let mut parts = path.split('/').skip(1).collect::<Vec<_>>();
        let slashed = parts.last() == Some(&"") && parts.len() > 1;
        if slashed {
            parts.pop();
        }
        match parts.as_slice() {
            ["api", "app", "data-deletions", "v3.0", rest @ ..] => {
                Self::gdpr(method, TaskKind::Deletion, rest, slashed)
            }
            ["api", "app", "data-retrievals", "v3.0", rest @ ..] => {
                Self::gdpr(method, TaskKind::Retrieval, rest, slashed)
            }
            ["exports", link] if method == "GET" => Self::Export { link: (*link).to_owned() },
            ["track" | "import" | "engage" | "groups" | "exports", ..] => {
                Self::ingest(method, parts.first().copied().unwrap_or_default())
            }
            _ => Self::Unknown,
        }
    }

    fn gdpr(method: &str, kind: TaskKind, rest: &[&str], slashed: bool) -> Self {
        use TaskKind::{Deletion, Retrieval};
        let item = |kind, id: &str| Self::Item { kind, id: id.to_owned() };
        match (method, kind, rest) {
            ("POST", Deletion, []) => Self::Collection { kind: Kind::CreateDeletion, slashed },
            ("POST", Retrieval, []) => Self::Collection { kind: Kind::CreateRetrieval, slashed },
            ("DELETE", Deletion, []) => Self::Collection { kind: Kind::Cancel, slashed },
            ("GET", Deletion, [id]) => item(Kind::PollDeletion, id),
            ("GET", Retrieval, [id]) => item(Kind::PollRetrieval, id),
            ("DELETE", Deletion, [id]) => item(Kind::Cancel, id),
            (_, _, [] | [_]) => Self::WrongMethod,
            _ => Self::Unknown,
        }
    }

    fn ingest(method: &str, name: &str) -> Self {
        match (method, Kind::named(name)) {
            ("POST" | "GET", Some(kind)) if kind.ingests() => Self::Ingest(kind),
            _ => Self::WrongMethod,
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Collection { kind, .. } | Self::Item { kind, .. } | Self::Ingest(kind) => *kind,
            Self::Export { .. } => Kind::Export,
            Self::WrongMethod | Self::Unknown => Kind::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collections_work_with_and_without_a_slash() {
        let kind = Kind::CreateDeletion;
        for (path, slashed) in
            [("/api/app/data-deletions/v3.0", false), ("/api/app/data-deletions/v3.0/", true)]
        {
            assert_eq!(Route::of("POST", path), Route::Collection { kind, slashed });
        }
    }

    #[test]
    fn items_work_with_and_without_a_slash() {
        let expected = Route::Item { kind: Kind::PollRetrieval, id: "15".to_owned() };
        for path in ["/api/app/data-retrievals/v3.0/15", "/api/app/data-retrievals/v3.0/15/"] {
            assert_eq!(Route::of("GET", path), expected);
        }
    }

    #[test]
    fn a_retrieval_cannot_be_cancelled() {
        let path = "/api/app/data-retrievals/v3.0/15";
        assert_eq!(Route::of("DELETE", path), Route::WrongMethod);
    }

    #[test]
    fn a_post_to_a_deletions_collection_creates_whatever_was_meant() {
        let route = Route::of("POST", "/api/app/data-deletions/v3.0/");
        assert_eq!(route.kind(), Kind::CreateDeletion);
    }

    #[test]
    fn what_is_not_known_is_unknown() {
        assert_eq!(Route::of("GET", "/api/app/data-deletions/v2.0/1"), Route::Unknown);
        assert_eq!(Route::of("GET", "/api/app/data-deletions/v3.0/1/2"), Route::Unknown);
        assert_eq!(Route::of("DELETE", "/track"), Route::WrongMethod);
    }
}
