//! How a person is named in keys, logs and history: a keyed hash of the distinct_id.
//!
//! `tag = base32(HMAC-SHA-256(pepper, project ‖ 0x00 ‖ distinct_id)[0..16])`, lower case, no padding: 26
//! characters. Without the pepper a tag cannot be guessed from an e-mail address (EDPB 01/2025); with it the
//! same id always gives the same tag. A tag is still personal data, with a retention of its own.

use std::fmt;

use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::{distinct_id::DistinctId, keys::Project};

/// Shortest pepper, in bytes.
pub const MIN_PEPPER_BYTES: usize = 32;
const TAG_BYTES: usize = 16;

/// The secret behind the tags, and behind the key that seals identifiers.
#[derive(Clone)]
pub struct Pepper {
    secret: SecretString,
    /// Keyed already, which is half of the work of a tag.
    keyed: Hmac<Sha256>,
}

/// A pepper that is too short to keep tags from being guessed.
#[derive(Debug, thiserror::Error)]
#[error(
    "the pepper has {0} bytes, expected at least {MIN_PEPPER_BYTES} (make one with: gdpr-worker check --make-pepper)"
)]
pub struct ShortPepper(usize);

impl Pepper {
    /// Takes the bytes of `secret` as they are.
    pub fn new(secret: SecretString) -> Result<Self, ShortPepper> {
        let bytes = secret.expose_secret().as_bytes();
        // HMAC takes keys of any length, so only a short one is refused.
        match Hmac::new_from_slice(bytes) {
            Ok(keyed) if bytes.len() >= MIN_PEPPER_BYTES => Ok(Self { secret, keyed }),
            _ => Err(ShortPepper(bytes.len())),
        }
    }

    /// The tag of a person's id within a project.
    pub fn tag(&self, project: &Project, id: &DistinctId) -> Tag {
        let mac = self.mac(&[project.as_str().as_bytes(), b"\0", id.expose().as_bytes()]);
        Tag(BASE32_NOPAD.encode(&mac[..TAG_BYTES]).to_ascii_lowercase())
    }

    /// A keyed fingerprint of a credential: tells whether it was replaced without storing it.
    pub fn fingerprint(&self, secret: &SecretString) -> String {
        let mac = self.mac(&[b"credential\0", secret.expose_secret().as_bytes()]);
        BASE32_NOPAD.encode(&mac[..TAG_BYTES]).to_ascii_lowercase()
    }

    /// What the worker derives its other keys from.
    pub fn key_material(&self) -> &[u8] {
        self.secret.expose_secret().as_bytes()
    }

    fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.keyed.clone();
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pepper(hidden)")
    }
}

/// A person's name in keys, logs and history.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tag(String);

impl Tag {
    /// The tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn pepper(text: &str) -> Pepper {
        Pepper::new(SecretString::from(text)).unwrap()
    }

    /// Computed with Python: base64.b32encode(hmac.new(pepper, b"default\0user-001", "sha256").digest()[:16])
    #[test]
    fn a_tag_is_what_any_other_language_computes() {
        let tag = pepper("0123456789abcdef0123456789abcdef")
            .tag(&"default".parse().unwrap(), &DistinctId::new("user-001"));
        assert_eq!(tag.as_str(), "vxfjqgbinzns6z4jhbw4cy7b7a");
    }

    #[test]
    fn tags_differ_by_person_project_and_pepper() {
        let (one, two) = (pepper(&"a".repeat(32)), pepper(&"b".repeat(32)));
        let (p, q) = ("p".parse().unwrap(), "q".parse().unwrap());
        let id = DistinctId::new("user-001");
        let all = [
            one.tag(&p, &id),
            one.tag(&q, &id),
            two.tag(&p, &id),
            one.tag(&p, &DistinctId::new("user-002")),
        ];
        for (i, a) in all.iter().enumerate() {
            assert!(all[i + 1..].iter().all(|b| a != b));
        }
    }

    #[test]
    fn a_short_pepper_is_refused() {
        assert!(Pepper::new(SecretString::from("short")).is_err());
    }
}
