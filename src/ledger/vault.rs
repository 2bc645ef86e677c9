//! The one place where the distinct_ids of an open request are kept: sealed in the hash `sealed`, opened only
//! to build the body of a call or to split an export, gone when the request is final.
//!
//! XChaCha20-Poly1305 under a key derived from the pepper; the request id is authenticated with it, so that a
//! sealed value cannot be moved to another request.

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use gdpr_jobs::{DistinctId, Project, RequestId};
use hkdf::Hkdf;
use sha2::Sha256;

use super::Pepper;

const NONCE_BYTES: usize = 24;

/// Seals and opens what must not lie in Redis in clear.
#[derive(Clone)]
pub struct Vault {
    cipher: XChaCha20Poly1305,
    project: Project,
}

/// A sealed value that cannot be opened: another pepper, another request, or damage.
#[derive(Debug, thiserror::Error)]
#[error("sealed identifiers cannot be opened: was GDPR_PEPPER changed while requests were open?")]
pub struct Unopenable;

impl Vault {
    /// A vault for one project.
    pub fn new(pepper: &Pepper, project: &Project) -> Self {
        let mut key = [0_u8; 32];
        // 32 bytes are far below HKDF's limit of 255 blocks.
        let _ = Hkdf::<Sha256>::new(None, pepper.key_material())
            .expand(b"gdpr-worker sealed identifiers", &mut key);
        Self { cipher: XChaCha20Poly1305::new(&key.into()), project: project.clone() }
    }

    /// Seals a request's identifiers.
    pub fn seal(&self, request: &RequestId, ids: &[DistinctId]) -> Result<Vec<u8>, Unopenable> {
        let plain = serde_json::to_vec(ids).map_err(|_| Unopenable)?;
        self.seal_bytes(request.as_str(), &plain)
    }

    /// Opens a request's identifiers.
    pub fn open(&self, request: &RequestId, sealed: &[u8]) -> Result<Vec<DistinctId>, Unopenable> {
        let plain = self.open_bytes(request.as_str(), sealed)?;
        serde_json::from_slice(&plain).map_err(|_| Unopenable)
    }

    /// Seals any short secret (an export link) under the name of what it belongs to.
    pub fn seal_bytes(&self, name: &str, plain: &[u8]) -> Result<Vec<u8>, Unopenable> {
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let aad = self.aad(name);
        let cipher = self
            .cipher
            .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: &aad })
            .map_err(|_| Unopenable)?;
        Ok([nonce.as_slice(), &cipher].concat())
    }

    /// Opens what [`Vault::seal_bytes`] sealed.
    pub fn open_bytes(&self, name: &str, sealed: &[u8]) -> Result<Vec<u8>, Unopenable> {
        let (nonce, cipher) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(Unopenable)?;
        let aad = self.aad(name);
        self.cipher
            .decrypt(&XNonce::from(*nonce), Payload { msg: cipher, aad: &aad })
            .map_err(|_| Unopenable)
    }

    fn aad(&self, name: &str) -> Vec<u8> {
        [self.project.as_str().as_bytes(), b"\0", name.as_bytes()].concat()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use secrecy::SecretString;

    use super::*;

    fn vault(secret: char) -> Vault {
        let pepper = Pepper::new(SecretString::from(secret.to_string().repeat(32))).unwrap();
        Vault::new(&pepper, &"p".parse().unwrap())
    }

    #[test]
    fn only_the_same_pepper_and_request_open_the_identifiers() {
        let (request, other) = ("r-1".parse().unwrap(), "r-2".parse().unwrap());
        let ids = vec![DistinctId::new("user-001"), DistinctId::new("ü@example.test")];
        let sealed = vault('a').seal(&request, &ids).unwrap();

        assert_eq!(vault('a').open(&request, &sealed).unwrap(), ids);
        assert!(vault('a').open(&other, &sealed).is_err());
        assert!(vault('b').open(&request, &sealed).is_err());
        assert!(vault('a').open(&request, &sealed[..20]).is_err());
        assert!(!sealed.windows(8).any(|w| w == b"user-001"));
    }
}
