//! Keyed hashes in place of ids: without the pepper nobody can tell whose they are, and the same person
//! stays the same person.
//!
//! `alias = hex(HMAC-SHA-256(key, id))`, `key = HKDF-SHA-256(pepper, "gdpr-worker anonymized ids" ‖ 0x00 ‖ project)`.
//! The prefix `$device:` stays in front, so that an id with it and the `$device_id` without still agree.

use data_encoding::HEXLOWER;
use gdpr_jobs::{DistinctId, Pepper, Project};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::ids::DEVICE_PREFIX;

/// A key that turns texts into hashes.
#[derive(Clone)]
pub(super) struct KeyedHash(Hmac<Sha256>);

impl KeyedHash {
    /// A key of its own for every `purpose` and project.
    pub(super) fn new(pepper: &Pepper, purpose: &str, project: &Project) -> Self {
        // A whole block, as HMAC takes it: a shorter key is padded with zeros.
        let mut key = [0_u8; 64];
        let info = [purpose.as_bytes(), b"\0", project.as_str().as_bytes()];
        // 32 bytes are far below HKDF's limit of 255 blocks.
        let _ = Hkdf::<Sha256>::new(None, pepper.key_material())
            .expand_multi_info(&info, &mut key[..32]);
        Self(Hmac::new(&key.into()))
    }

    /// The hash of a text.
    pub(super) fn of(&self, text: &str) -> [u8; 32] {
        let mut mac = self.0.clone();
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().into()
    }
}

/// Gives ids their aliases.
#[derive(Clone)]
pub(super) struct Aliases(KeyedHash);

impl Aliases {
    pub(super) fn new(pepper: &Pepper, project: &Project) -> Self {
        Self(KeyedHash::new(pepper, "gdpr-worker anonymized ids", project))
    }

    /// The alias of an id. `None` for one that names nobody (empty, `undefined`, ...): it leaves as it is, for
    /// Mixpanel to refuse; as a hash it would look like a person and gather the events of many.
    pub(super) fn of(&self, id: &str) -> Option<String> {
        if DistinctId::new(id).is_reserved() {
            return None;
        }
        let (prefix, bare) = match id.strip_prefix(DEVICE_PREFIX) {
            Some(bare) => (DEVICE_PREFIX, bare),
            None => ("", id),
        };
        let mut alias = String::with_capacity(prefix.len() + 64);
        alias.push_str(prefix);
        HEXLOWER.encode_append(&self.0.of(bare), &mut alias);
        Some(alias)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use secrecy::SecretString;

    use super::*;

    fn aliases(secret: &str, project: &str) -> Aliases {
        let pepper = Pepper::new(SecretString::from(secret)).unwrap();
        Aliases::new(&pepper, &project.parse().unwrap())
    }

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    /// Computed with Python: `prk = hmac.new(b"\\0" * 32, pepper, "sha256").digest()`,
    /// `key = hmac.new(prk, b"gdpr-worker anonymized ids\\0default\\x01", "sha256").digest()`,
    /// `hmac.new(key, b"user-001", "sha256").hexdigest()`.
    #[test]
    fn an_alias_is_what_any_other_language_computes() {
        assert_eq!(
            aliases(SECRET, "default").of("user-001").unwrap(),
            "3c68e60e82b10476f16cdc3d4b6ca5ac6a60eb73ea49d82dd6277a2459d55db7"
        );
    }

    #[test]
    fn aliases_differ_by_id_project_and_pepper() {
        let other = "fedcba9876543210fedcba9876543210";
        let all = [
            aliases(SECRET, "p").of("u1"),
            aliases(SECRET, "p").of("u2"),
            aliases(SECRET, "q").of("u1"),
            aliases(other, "p").of("u1"),
        ];
        for (i, a) in all.iter().enumerate() {
            assert_eq!(a.as_ref().unwrap().len(), 64);
            assert!(all[i + 1..].iter().all(|b| a != b));
        }
    }

    #[test]
    fn a_device_and_its_distinct_id_agree() {
        let aliases = aliases(SECRET, "p");
        let (device, distinct) = (aliases.of("d-77").unwrap(), aliases.of("$device:d-77").unwrap());
        assert_eq!(distinct, format!("$device:{device}"));
    }

    #[test]
    fn who_is_nobody_stays_nobody() {
        for id in ["", "undefined", "Anonymous", "$device:", "0"] {
            assert_eq!(aliases(SECRET, "p").of(id), None);
        }
    }
}
