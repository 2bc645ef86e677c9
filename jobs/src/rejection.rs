//! Why a document is refused. Rejections are written to Redis and to logs, so no text of a document
//! ever becomes part of one.

use crate::document::MAX_DOCUMENT_BYTES;

/// Why a document is refused. The text names the field and what is expected, never what the
/// document said: it may be personal data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The stream entry has no field `request`.
    #[error("the entry has no field named request: expected XADD … * request '<JSON>'")]
    NoRequestField,
    /// Over the size limit.
    #[error("the document has {0} bytes: at most {MAX_DOCUMENT_BYTES} are allowed")]
    TooLarge(usize),
    /// Not JSON, or not an object, or a repeated key.
    #[error(
        "not a JSON object (line {line}, column {column}): expected one object, in UTF-8, each key once"
    )]
    NotAnObject {
        /// Line of the fault, from 1.
        line: usize,
        /// Column of the fault, from 1; 0 when the fault is the whole.
        column: usize,
    },
    /// A field that the contract does not have: its name if it is a common slip, else a
    /// substitute, because a key can hold personal data by mistake.
    #[error(
        "unknown field {0}: allowed are kind, distinct_ids, id, request_id, regulation, disclosure_type, received_at, properties"
    )]
    UnknownField(String),
    /// A required field is absent.
    #[error("{0} is missing: {1}")]
    Missing(&'static str, &'static str),
    /// A field holds something else than it may.
    #[error("{0} is not valid: expected {1}")]
    Invalid(&'static str, &'static str),
    /// A field that makes no sense for this kind.
    #[error("{0} is not allowed here: {1}")]
    NotAllowed(&'static str, &'static str),
    /// A placeholder instead of an identifier.
    #[error(
        "distinct_ids[{0}] is a reserved value that names nobody (such as \"\", 0, null, anonymous, undefined)"
    )]
    ReservedId(usize),
    /// The person asked in the future.
    #[error("received_at lies in the future: expected the time when the person asked")]
    InTheFuture,
}

/// Names that people write by mistake. These may be shown: they come from here, not from the
/// document.
const COMMON_SLIPS: [&str; 20] = [
    "customer_id",
    "disclosure",
    "disclosureType",
    "distinctId",
    "distinctIds",
    "distinct_id",
    "email",
    "idempotency_key",
    "job_id",
    "law",
    "project",
    "receivedAt",
    "request",
    "requestId",
    "time",
    "timestamp",
    "token",
    "type",
    "userId",
    "user_id",
];

impl Rejection {
    /// For the field `name`, which the contract does not have.
    pub(crate) fn unknown_field(name: &str) -> Self {
        let shown = COMMON_SLIPS.into_iter().find(|slip| *slip == name);
        Self::UnknownField(shown.unwrap_or("(name not shown)").to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_common_slip_is_named_and_any_other_name_is_not() {
        assert!(Rejection::unknown_field("distinct_id").to_string().contains("field distinct_id:"));
        assert!(!Rejection::unknown_field("ada_lovelace").to_string().contains("ada"));
    }
}
