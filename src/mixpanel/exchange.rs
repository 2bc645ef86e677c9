//! One request on the wire and all that came back of it, before anyone says what it means.
//!
//! Invariant: reqwest's errors end here. They hold the URL, and the URL holds the project token.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::{Response, header::RETRY_AFTER};

/// Longest body that is read.
pub(super) const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;
/// Longest wait that a server may ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// What came of one request.
#[derive(Debug)]
pub(super) enum Exchange {
    /// There was an answer.
    Answered(Answer),
    /// No connection: nothing was sent.
    NotSent,
    /// No answer in time.
    TimedOut,
    /// The connection broke before the answer.
    Lost,
}

/// An answer, at least its head.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Body,
}

/// How much of the body arrived.
pub(super) enum Body {
    /// All of it.
    Whole(Vec<u8>),
    /// It was cut off, or longer than [`MAX_BODY_BYTES`].
    Unusable,
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Whole(_) => "Whole(hidden)",
            Self::Unusable => "Unusable",
        })
    }
}

impl Body {
    /// The bytes, if all of them arrived; none otherwise.
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Whole(bytes) => bytes,
            Self::Unusable => &[],
        }
    }
}

impl Exchange {
    /// Sends the request and reads the answer.
    pub(super) async fn run(request: reqwest::RequestBuilder) -> Self {
        match request.send().await {
            Ok(response) => Self::Answered(Answer::read(response).await),
            // A request that cannot even be built was not sent either.
            Err(error) if error.is_connect() || error.is_builder() => Self::NotSent,
            Err(error) if error.is_timeout() => Self::TimedOut,
            Err(_) => Self::Lost,
        }
    }
}

impl Answer {
    async fn read(response: Response) -> Self {
        let status = response.status().as_u16();
        let header = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = header.and_then(|text| retry_after(text, Utc::now()));
        Self { status, retry_after, body: read_body(response).await }
    }
}

async fn read_body(mut response: Response) -> Body {
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if bytes.len() + chunk.len() <= MAX_BODY_BYTES => {
                bytes.extend_from_slice(&chunk);
            }
            Ok(None) => return Body::Whole(bytes),
            Ok(Some(_)) | Err(_) => return Body::Unusable,
        }
    }
}

/// Reads `Retry-After`: seconds or an HTTP date, a day at most.
pub(super) fn retry_after(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    let text = text.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => (DateTime::parse_from_rfc2822(text).ok()?.with_timezone(&Utc) - now)
            .to_std()
            .unwrap_or(Duration::ZERO),
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date_and_never_more_than_a_day() {
        let now = DateTime::from_timestamp(1_445_412_420, 0).unwrap_or_default();
        let seconds = |s| Some(Duration::from_secs(s));
        for (text, wait) in [
            ("0", seconds(0)),
            (" 120 ", seconds(120)),
            ("99999999999", seconds(86_400)),
            ("Wed, 21 Oct 2015 07:28:00 GMT", seconds(60)),
            ("Wed, 21 Oct 2015 07:26:00 GMT", seconds(0)),
            ("Wed, 21 Oct 2065 07:28:00 GMT", seconds(86_400)),
            ("soon", None),
            ("-5", None),
            ("1.5", None),
            ("", None),
        ] {
            assert_eq!(retry_after(text, now), wait, "{text}");
        }
    }
}
