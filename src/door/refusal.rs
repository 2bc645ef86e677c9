//! Why a call is refused. Nothing that the call held is part of it.

use std::time::Duration;

use axum::http::StatusCode;

/// Why nothing of a call was taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// Its bytes cannot be understood.
    #[error("{0}: expected JSON, or a form with data=")]
    Unreadable(&'static str),
    /// It has more bytes than it may.
    #[error("request exceeds max limit of {0} bytes")]
    TooLarge(usize),
    /// It has more records than it may.
    #[error("request has more than {0} records: send fewer at once")]
    TooMany(usize),
    /// It is for a project that is not served here.
    #[error("Invalid credentials: this token is not that of a project served here")]
    UnknownToken,
    /// None of its records is valid; the first fault.
    #[error("{0}")]
    Invalid(&'static str),
    /// Group profiles.
    #[error("groups are not forwarded: group profiles are no part of what is filtered for consent")]
    Groups,
    /// The project sends more than it may.
    #[error("Project exceeded rate limits. Please retry the request with exponential backoff.")]
    Rate(Duration),
    /// Too much waits for delivery.
    #[error("Too much waits for delivery. Please retry the request with exponential backoff.")]
    Backlog(Duration),
    /// Too many calls are being read.
    #[error("busy: retry later")]
    Busy,
    /// The body did not arrive in time.
    #[error("the body did not arrive in time")]
    Slow,
    /// The connection ended before the body did.
    #[error("the body is incomplete")]
    Broken,
    /// Redis did not say that it has the records.
    #[error("not taken: retry later")]
    NotTaken,
    /// Another method than GET and POST.
    #[error("expected POST or GET")]
    Method,
}

impl Refusal {
    /// The HTTP status. What will not become better by trying again is no 5xx and no 429: SDKs repeat those.
    pub(super) const fn status(&self) -> StatusCode {
        match self {
            Self::Unreadable(_) | Self::Broken => StatusCode::BAD_REQUEST,
            Self::TooLarge(_) | Self::TooMany(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnknownToken => StatusCode::UNAUTHORIZED,
            // As Mixpanel answers. Mobile SDKs keep what is refused with another status and send it again and again.
            Self::Invalid(_) | Self::Groups => StatusCode::OK,
            Self::Rate(_) | Self::Backlog(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy | Self::NotTaken => StatusCode::SERVICE_UNAVAILABLE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
        }
    }

    /// After how many seconds to come again, if that makes sense.
    pub(super) fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Rate(wait) | Self::Backlog(wait) => {
                Some(wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).map(|s| s.max(1))
            }
            Self::Busy | Self::NotTaken => Some(1),
            _ => None,
        }
    }

    /// The word for the metrics.
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "unreadable",
            Self::TooLarge(_) => "too_large",
            Self::TooMany(_) => "too_many_records",
            Self::UnknownToken => "unknown_token",
            Self::Invalid(_) => "no_valid_record",
            Self::Groups => "groups",
            Self::Rate(_) => "rate",
            Self::Backlog(_) => "backlog",
            Self::Busy => "busy",
            Self::Slow | Self::Broken => "incomplete",
            Self::NotTaken => "not_taken",
            Self::Method => "method",
        }
    }
}
