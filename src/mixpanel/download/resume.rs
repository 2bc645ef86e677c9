//! How far a download is, and whether an answer goes on where it stands.
//!
//! Invariant: bytes are added only to bytes of the same version. So it goes on only with a validator that tells
//! versions apart byte by byte (RFC 9110 §8.8, §13.1.5), and an answer that does not fit is not read.

use bytes::Bytes;
use chrono::{DateTime, TimeDelta};
use reqwest::{
    Response,
    header::{
        ACCEPT_ENCODING, ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_RANGE, DATE, ETAG, HeaderMap,
        HeaderName, HeaderValue, IF_RANGE, LAST_MODIFIED, RANGE,
    },
};

use super::{DownloadError, Downloaded, checksum::Checksums};

const STORED_ENCODING: HeaderName = HeaderName::from_static("x-goog-stored-content-encoding");
const STORED_LENGTH: HeaderName = HeaderName::from_static("x-goog-stored-content-length");

/// What has come, and what is known of the whole.
#[derive(Default)]
pub(super) struct Progress {
    done: u64,
    total: Option<u64>,
    /// What to ask with for the rest; `None` if there is no safe way.
    validator: Option<HeaderValue>,
    etag: Option<HeaderValue>,
    encoding: Option<HeaderValue>,
    checksums: Checksums,
}

impl Progress {
    /// A whole export begins.
    pub(super) fn begin(response: &Response) -> Self {
        let headers = response.headers();
        let header = |name| headers.get(name).cloned();
        // Google's storage unpacked it on the way: what it says of the stored bytes is not about these.
        let unpacked = headers.get(STORED_ENCODING).is_some_and(|stored| stored == "gzip")
            && !headers.contains_key(CONTENT_ENCODING);
        let stored_length = text(headers, &STORED_LENGTH).and_then(|length| length.parse().ok());
        Self {
            done: 0,
            total: response.content_length().or(stored_length.filter(|_| !unpacked)),
            validator: if unpacked { None } else { validator(headers) },
            etag: header(ETAG),
            encoding: header(CONTENT_ENCODING),
            checksums: Checksums::announced(headers, !unpacked),
        }
    }

    pub(super) fn done(&self) -> u64 {
        self.done
    }

    pub(super) fn total(&self) -> Option<u64> {
        self.total
    }

    pub(super) fn can_resume(&self) -> bool {
        self.validator.is_some()
    }

    /// The headers of the next request.
    pub(super) fn request(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        let range = HeaderValue::try_from(format!("bytes={}-", self.done));
        if let (Some(validator), Ok(range), 1..) = (&self.validator, range, self.done) {
            headers.insert(RANGE, range);
            headers.insert(IF_RANGE, validator.clone());
        }
        headers
    }

    /// Whether a 206 continues what has come: the same version, from the very next byte on.
    pub(super) fn goes_on_with(&mut self, response: &Response) -> bool {
        let headers = response.headers();
        let Some(range) = text(headers, &CONTENT_RANGE).and_then(ContentRange::parse) else {
            return false;
        };
        let same = |name, ours: &Option<HeaderValue>| match (headers.get(name), ours) {
            (Some(theirs), Some(ours)) => theirs == ours,
            // A part need not say it again.
            (None, _) => true,
            (Some(_), None) => false,
        };
        let length = range.last.checked_sub(range.first).and_then(|span| span.checked_add(1));
        let fits = range.first == self.done
            && length.is_some()
            && response.content_length().is_none_or(|announced| Some(announced) == length)
            && range.total.is_none_or(|total| range.last < total)
            && (range.total.is_none() || self.total.is_none() || range.total == self.total)
            && same(ETAG, &self.etag)
            && same(CONTENT_ENCODING, &self.encoding);
        if fits {
            self.total = self.total.or(range.total);
        }
        fits
    }

    /// Counts bytes that came.
    pub(super) fn take(&mut self, chunk: &Bytes) {
        self.done = self.done.saturating_add(chunk.len() as u64);
        self.checksums.update(chunk);
    }

    /// The answer has ended: is this all, and is it right?
    pub(super) fn prove(&self) -> Result<(), DownloadError> {
        if self.total.is_some_and(|total| self.done < total) {
            return Err(DownloadError::Broken);
        }
        self.checksums.check().map_err(|kind| DownloadError::Checksum { kind })
    }

    pub(super) fn downloaded(&self, breaks: u32) -> Downloaded {
        Downloaded {
            bytes: self.done,
            content_length_checked: self.total.is_some(),
            checksum_checked: self.checksums.any(),
            breaks,
        }
    }
}

/// A strong `ETag`, else a `Last-Modified` that is old enough to be strong: within one second two versions could
/// bear the same.
fn validator(headers: &HeaderMap) -> Option<HeaderValue> {
    if text(headers, &ACCEPT_RANGES).is_some_and(|units| units.eq_ignore_ascii_case("none")) {
        return None;
    }
    if let Some(etag) = headers.get(ETAG).filter(|etag| etag.as_bytes().starts_with(b"\"")) {
        return Some(etag.clone());
    }
    let time = |name| DateTime::parse_from_rfc2822(text(headers, &name)?).ok();
    let age = time(DATE)? - time(LAST_MODIFIED)?;
    headers.get(LAST_MODIFIED).filter(|_| age >= TimeDelta::seconds(1)).cloned()
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// `bytes 5-9/10`; the total may be `*`.
#[derive(Debug, PartialEq, Eq)]
struct ContentRange {
    first: u64,
    last: u64,
    total: Option<u64>,
}

impl ContentRange {
    fn parse(text: &str) -> Option<Self> {
        let (unit, range) = text.split_once(' ')?;
        let (span, total) = range.trim().split_once('/')?;
        let (first, last) = span.split_once('-')?;
        let total = if total == "*" { None } else { Some(total.parse().ok()?) };
        unit.eq_ignore_ascii_case("bytes").then_some(())?;
        Some(Self { first: first.parse().ok()?, last: last.parse().ok()?, total })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn validator_of(headers: &[(HeaderName, &'static str)]) -> Option<HeaderValue> {
        let headers = headers.iter().cloned();
        validator(&headers.map(|(name, value)| (name, HeaderValue::from_static(value))).collect())
    }

    #[test]
    fn only_what_tells_versions_apart_byte_by_byte_is_a_validator() {
        const MONDAY: &str = "Mon, 23 Nov 2026 10:00:00 GMT";
        const LATER: &str = "Mon, 23 Nov 2026 10:00:01 GMT";
        assert_eq!(validator_of(&[(ETAG, "\"a\"")]), Some(HeaderValue::from_static("\"a\"")));
        assert_eq!(validator_of(&[(ETAG, "W/\"a\"")]), None);
        assert_eq!(validator_of(&[(ETAG, "\"a\""), (ACCEPT_RANGES, "none")]), None);
        let modified = Some(HeaderValue::from_static(MONDAY));
        assert_eq!(validator_of(&[(LAST_MODIFIED, MONDAY), (DATE, LATER)]), modified);
        assert_eq!(validator_of(&[(LAST_MODIFIED, MONDAY), (DATE, MONDAY)]), None);
        assert_eq!(validator_of(&[(LAST_MODIFIED, MONDAY)]), None);
        assert_eq!(validator_of(&[(LAST_MODIFIED, "yesterday"), (DATE, LATER)]), None);
    }

    #[test]
    fn content_ranges_are_read_strictly() {
        let range = |first, last, total| Some(ContentRange { first, last, total });
        assert_eq!(ContentRange::parse("bytes 5-9/10"), range(5, 9, Some(10)));
        assert_eq!(ContentRange::parse("bytes 5-9/*"), range(5, 9, None));
        for wrong in ["bytes */10", "items 5-9/10", "bytes 5-9", "bytes=5-9/10", "bytes -9/10", ""]
        {
            assert_eq!(ContentRange::parse(wrong), None, "{wrong}");
        }
    }
}
