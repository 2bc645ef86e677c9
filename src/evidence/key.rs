//! Ed25519 keys and their texts: `ed25519-secret:HEX` and `ed25519-public:HEX`, so that nobody publishes the wrong one.

use std::{fmt, str::FromStr, sync::Arc};

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

const SECRET: &str = "ed25519-secret:";
const PUBLIC: &str = "ed25519-public:";

/// Why a text is no key. It never quotes the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found}: expected {}", self.expected())]
pub struct InvalidKey {
    found: &'static str,
    prefix: &'static str,
}

impl InvalidKey {
    /// What was found.
    pub const fn found(&self) -> &'static str {
        self.found
    }

    /// What was expected.
    pub fn expected(&self) -> String {
        format!(
            "{} and 64 hex digits (gdpr-worker check --make-signing-key prints both keys)",
            self.prefix
        )
    }
}

/// What signs statements. Its `Debug` shows the public key only.
#[derive(Clone)]
pub struct SigningKey {
    pair: Arc<Ed25519KeyPair>,
    public: PublicKey,
}

/// What statements are checked with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

fn read(text: &str, prefix: &'static str, other: &'static str) -> Result<[u8; 32], InvalidKey> {
    let invalid = |found| InvalidKey { found, prefix };
    let text = text.trim();
    let Some(hex) = text.strip_prefix(prefix) else {
        let known = text.starts_with(other);
        return Err(invalid(if known { "the other key of the pair" } else { "not a key" }));
    };
    let bytes = HEXLOWER.decode(hex.as_bytes()).map_err(|_| invalid("not 64 small hex digits"))?;
    bytes.try_into().map_err(|_| invalid("a key of another length"))
}

impl SigningKey {
    /// The key with this seed: 32 bytes from a good source of chance.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, InvalidKey> {
        let invalid = InvalidKey { found: "not a key", prefix: SECRET };
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| invalid)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| invalid)?;
        Ok(Self { pair: Arc::new(pair), public: PublicKey(public) })
    }

    /// The text of the key with this seed.
    pub fn text_of(seed: &[u8; 32]) -> String {
        format!("{SECRET}{}", HEXLOWER.encode(seed))
    }

    /// The other half, which may be known to everybody.
    pub const fn public(&self) -> PublicKey {
        self.public
    }

    /// The signature of a text, in hex.
    pub(super) fn sign(&self, text: &str) -> String {
        HEXLOWER.encode(self.pair.sign(text.as_bytes()).as_ref())
    }
}

impl FromStr for SigningKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        Self::from_seed(&read(text, SECRET, PUBLIC)?)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public)
    }
}

impl PublicKey {
    /// Its fingerprint: the first 16 bytes of its SHA-256, in hex.
    pub fn id(&self) -> String {
        HEXLOWER.encode(&Sha256::digest(self.0)[..16])
    }

    /// Whether `signature` (hex) is this key's for `text`.
    pub(super) fn has_signed(&self, text: &str, signature: &str) -> bool {
        HEXLOWER.decode(signature.as_bytes()).is_ok_and(|signature| {
            UnparsedPublicKey::new(&ED25519, self.0).verify(text.as_bytes(), &signature).is_ok()
        })
    }
}

impl FromStr for PublicKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        read(text, PUBLIC, SECRET).map(Self)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PUBLIC}{}", HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
