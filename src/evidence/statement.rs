//! A signed statement: one line of canonical JSON. Its `signature` is over the same JSON without that member.

use data_encoding::HEXLOWER;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::{
    canonical,
    key::{PublicKey, SigningKey},
};

const KIND: &str = "statement";
const KEY_ID: &str = "key_id";
const PUBLIC_KEY: &str = "public_key";
const SIGNATURE: &str = "signature";

/// Why a text proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// It is something else.
    #[error(
        "not a statement of gdpr-worker: expected one line of JSON with statement, key_id, public_key and signature"
    )]
    Other,
    /// It is not written as it was signed.
    #[error(
        "not in its canonical form: expected the very bytes that were signed, so it was changed after it was made; get the original"
    )]
    NotCanonical,
    /// The signature is not the key's.
    #[error(
        "the signature does not fit: expected one of the key in it over all of it, so it was changed after it was made, or forged"
    )]
    Signature,
    /// It is a statement of another kind, or of another version.
    #[error("a statement {0:?}: expected {1}")]
    Kind(String, &'static str),
    /// It holds something that cannot be written canonically.
    #[error("it cannot be written: expected texts and whole numbers only")]
    Unwritable,
}

/// A statement whose signature fits the key that stands in it. Whose key that is, is another question.
#[derive(Clone, Debug)]
pub struct Opened {
    body: Map<String, Value>,
    key: PublicKey,
    id: String,
}

/// Signs what serializes to an object; returns the line, without a line feed.
pub(super) fn sign(
    kind: &str,
    content: &impl Serialize,
    key: &SigningKey,
) -> Result<String, StatementError> {
    let Ok(Value::Object(mut body)) = serde_json::to_value(content) else {
        return Err(StatementError::Unwritable);
    };
    body.insert(KIND.to_owned(), kind.into());
    body.insert(KEY_ID.to_owned(), key.public().id().into());
    body.insert(PUBLIC_KEY.to_owned(), key.public().to_string().into());
    let signed = canonical::write(&body).ok_or(StatementError::Unwritable)?;
    body.insert(SIGNATURE.to_owned(), key.sign(&signed).into());
    canonical::write(&body).ok_or(StatementError::Unwritable)
}

impl Opened {
    /// Opens a line: its form and its signature are checked.
    pub fn read(line: &str) -> Result<Self, StatementError> {
        let mut body: Map<String, Value> =
            serde_json::from_str(line).map_err(|_| StatementError::Other)?;
        let text = |name: &str| body.get(name).and_then(Value::as_str).ok_or(StatementError::Other);
        let (key, key_id, signature) =
            (text(PUBLIC_KEY)?, text(KEY_ID)?, text(SIGNATURE)?.to_owned());
        text(KIND)?;
        let key: PublicKey = key.parse().map_err(|_| StatementError::Other)?;
        if canonical::write(&body).as_deref() != Some(line) {
            return Err(StatementError::NotCanonical);
        }
        let right_id = key_id == key.id();
        body.remove(SIGNATURE);
        let signed = canonical::write(&body).ok_or(StatementError::NotCanonical)?;
        if !right_id || !key.has_signed(&signed, &signature) {
            return Err(StatementError::Signature);
        }
        Ok(Self { body, key, id: HEXLOWER.encode(&Sha256::digest(line)[..16]) })
    }

    /// Its name: the first 16 bytes of the SHA-256 of its line, in hex.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The key that signed it. A statement proves something only to those who know from elsewhere whose key this is.
    pub const fn key(&self) -> PublicKey {
        self.key
    }

    /// What kind of statement it is.
    pub fn kind(&self) -> &str {
        self.body.get(KIND).and_then(Value::as_str).unwrap_or_default()
    }

    /// Its content, if it is of this kind.
    pub(super) fn content<T: DeserializeOwned>(
        &self,
        kind: &'static str,
    ) -> Result<T, StatementError> {
        let other = || StatementError::Kind(self.kind().to_owned(), kind);
        if self.kind() != kind {
            return Err(other());
        }
        let mut body = self.body.clone();
        for name in [KIND, KEY_ID, PUBLIC_KEY] {
            body.remove(name);
        }
        serde_json::from_value(Value::Object(body)).map_err(|_| other())
    }
}
