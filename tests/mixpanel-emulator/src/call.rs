//! One call and one answer, free of any HTTP library: what the rest of the crate thinks in.

use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::Value;

use crate::export::ExportOrder;

/// A request, read whole.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// When its head arrived.
    pub(crate) arrived: Instant,
    /// When the last byte of its body arrived; absent if the body was cut off.
    pub(crate) whole: Option<Instant>,
    /// Method in upper case.
    pub(crate) method: String,
    /// Path without the query, as it was sent.
    pub(crate) path: String,
    /// Decoded query parameters.
    pub(crate) query: Vec<(String, String)>,
    /// Value of `Authorization`.
    pub(crate) authorization: Option<String>,
    /// Value of `Range`.
    pub(crate) range: Option<String>,
    /// Value of `If-Range`.
    pub(crate) if_range: Option<String>,
    /// Value of `Content-Type`, lower case.
    pub(crate) content_type: String,
    /// Whether the body says that it is gzipped.
    pub(crate) gzipped: bool,
    /// The body as it came.
    pub(crate) body: Bytes,
}

impl Call {
    /// The first value of a query parameter.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether a parameter of the query, or of a form, is `1` or `true`.
    pub(crate) fn flag(&self, name: &str) -> bool {
        let is_set = |value: &str| matches!(value, "1" | "true");
        if let Some(value) = self.query(name) {
            return is_set(value);
        }
        self.content_type.starts_with("application/x-www-form-urlencoded")
            && url::form_urlencoded::parse(&self.body)
                .any(|(known, value)| known == name && is_set(&value))
    }
}

/// An answer, before it is put on the wire.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: ReplyBody,
}

/// What an answer carries.
#[derive(Debug, Clone)]
pub(crate) enum ReplyBody {
    /// Bytes at hand.
    Ready(Bytes),
    /// An export that is still to be written, outside of the lock.
    Export(Box<ExportOrder>),
}

impl Reply {
    /// An answer with a body of the given type.
    pub(crate) fn new(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self { status, headers, body: ReplyBody::Ready(body.into()) }
    }

    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    pub(crate) fn text(status: u16, body: impl Into<String>) -> Self {
        Self::new(status, "text/plain; charset=utf-8", body.into())
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: ReplyBody::Ready(Bytes::new()) }
    }

    /// The download of an export, written when it is sent.
    pub(crate) fn export(order: ExportOrder) -> Self {
        let content_type = crate::export::content_type(order.format);
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self { status: 200, headers, body: ReplyBody::Export(Box::new(order)) }
    }

    pub(crate) fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// How an answer reaches the caller.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Manner {
    /// Whole and at once.
    Plain,
    /// Half of the time nothing, then piece by piece over the other half.
    Slow(Duration),
    /// Headers that promise all, half of the body, then the connection ends.
    Truncated,
    /// So many bytes of the body, then the connection ends.
    CutAfter(usize),
    /// So many bytes of the body, then nothing until the time is over, then the connection ends.
    StallAfter(usize, Duration),
    /// A length that is so many bytes more than come.
    TooLong(usize),
    /// Nothing, until the time is over; then the connection ends.
    Never(Duration),
    /// Nothing: the connection ends.
    Cut,
}

/// What is to be put on the wire.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) reply: Reply,
    pub(crate) manner: Manner,
}

impl From<Reply> for Delivery {
    fn from(reply: Reply) -> Self {
        Self { reply, manner: Manner::Plain }
    }
}
