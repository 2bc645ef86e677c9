//! Who may ask: keys of signed documents, and how many deletions a day are nobody's mistake.

use std::num::NonZeroU32;

use gdpr_jobs::{DocumentKey, InvalidDocumentKey};
use secrecy::ExposeSecret;

use super::{
    ConfigError,
    project::{switch, variable},
    source::Sources,
};

/// Whose documents a project believes.
#[derive(Clone, Debug, Default)]
pub struct GuardConfig {
    /// Keys that documents may be signed with; our own are signed with the first.
    pub document_keys: Vec<DocumentKey>,
    /// Whether a document must be signed.
    pub require_signature: bool,
}

impl GuardConfig {
    /// What our own documents are signed with, if documents are.
    pub fn own_key(&self) -> Option<DocumentKey> {
        self.document_keys.first().cloned()
    }
}

pub(super) fn guard(s: &Sources<'_>) -> Result<GuardConfig, ConfigError> {
    let document_keys = match s.secret("document_keys")? {
        Some(secret) => keys(secret.value.expose_secret()).map_err(|e| {
            ConfigError::invalid("GDPR_DOCUMENT_KEYS", e, "some of those, separated by commas")
        })?,
        None => Vec::new(),
    };
    let require_signature = switch(s, "require_signature")?;
    if require_signature && document_keys.is_empty() {
        return Err(ConfigError::Missing {
            variable: "GDPR_DOCUMENT_KEYS",
            expected: "the keys that documents are signed with, as GDPR_REQUIRE_SIGNATURE is true",
        });
    }
    Ok(GuardConfig { document_keys, require_signature })
}

fn keys(text: &str) -> Result<Vec<DocumentKey>, InvalidDocumentKey> {
    text.split([',', '\n']).map(str::trim).filter(|key| !key.is_empty()).map(str::parse).collect()
}

/// The number of deletions accepted in a day, or any.
pub(super) fn deletions_per_day(s: &Sources<'_>) -> Result<Option<NonZeroU32>, ConfigError> {
    let key = "deletions_per_day";
    match s.text(key).unwrap_or_default().0.as_str() {
        "any" => Ok(None),
        text => text.parse().map(Some).map_err(|_| {
            ConfigError::invalid(
                variable(key),
                format!("{text:?}"),
                "a number of 1 or more, or any",
            )
        }),
    }
}
