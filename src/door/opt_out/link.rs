//! Links by which a person opts out: what they say is sealed, so that no id stands in an address, a log of a proxy or a
//! mail archive in clear, and nobody can make or change one without the application key.
//!
//! `{GDPR_INGEST_URL}/opt_out/{base64url(nonce ‖ XChaCha20-Poly1305(JSON of project, ids and end))}`, under a key derived
//! from the application key by HKDF-SHA-256.

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use chrono::{DateTime, Utc};
use data_encoding::BASE64URL_NOPAD;
use gdpr_jobs::{DistinctId, Project};
use hkdf::Hkdf;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use url::Url;

const NONCE_BYTES: usize = 24;
/// What a sealed text is for: the same bytes are no other link.
const PURPOSE: &[u8] = b"gdpr-worker opt-out link 1";
/// Longest sealed text: mail programs and proxies cut longer addresses.
const MAX_SEALED: usize = 4_000;

/// Why no link can be made.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// There are too many ids, or too long ones.
    #[error(
        "the link would have {0} characters, more than mail programs and proxies let through ({MAX_SEALED}): give fewer distinct_ids, one usually suffices"
    )]
    TooLong(usize),
    /// The base address cannot have a path.
    #[error(
        "GDPR_INGEST_URL cannot be the base of a link: expected an address such as https://events.example.com"
    )]
    Base,
}

/// What a link says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptOutLink {
    /// The project.
    pub project: Project,
    /// One person's ids.
    pub distinct_ids: Vec<DistinctId>,
    /// When it ends.
    pub expires: DateTime<Utc>,
}

#[derive(Serialize, Deserialize)]
struct Said {
    p: String,
    i: Vec<DistinctId>,
    /// Unix seconds.
    e: i64,
}

/// Makes and reads the links of one application key.
#[derive(Clone)]
pub struct LinkKey(XChaCha20Poly1305);

impl LinkKey {
    /// The key for links, derived from an application key.
    pub fn new(application_key: &SecretString) -> Self {
        let mut key = [0_u8; 32];
        // 32 bytes are far below HKDF's limit of 255 blocks.
        let _ = Hkdf::<Sha256>::new(None, application_key.expose_secret().as_bytes())
            .expand(PURPOSE, &mut key);
        Self(XChaCha20Poly1305::new(&key.into()))
    }

    /// The address of a link below `base`.
    ///
    /// # Errors
    /// If it would be too long to be sent.
    pub fn url(&self, base: &Url, link: &OptOutLink) -> Result<Url, LinkError> {
        let sealed = self.seal(link).ok_or(LinkError::Base)?;
        if sealed.len() > MAX_SEALED {
            return Err(LinkError::TooLong(sealed.len()));
        }
        let mut url = base.clone();
        url.path_segments_mut()
            .map_err(|()| LinkError::Base)?
            .pop_if_empty()
            .extend(["opt_out", &sealed]);
        Ok(url)
    }

    fn seal(&self, link: &OptOutLink) -> Option<String> {
        let said = Said {
            p: link.project.to_string(),
            i: link.distinct_ids.clone(),
            e: link.expires.timestamp(),
        };
        let plain = serde_json::to_vec(&said).ok()?;
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let payload = Payload { msg: &plain, aad: PURPOSE };
        let cipher = self.0.encrypt(&XNonce::from(nonce), payload).ok()?;
        Some(BASE64URL_NOPAD.encode(&[nonce.as_slice(), &cipher].concat()))
    }

    /// What a sealed text says, if this key sealed it and its time is not over. Why not is nobody's business.
    pub(super) fn open(&self, sealed: &str, now: DateTime<Utc>) -> Option<OptOutLink> {
        if sealed.len() > MAX_SEALED {
            return None;
        }
        let bytes = BASE64URL_NOPAD.decode(sealed.as_bytes()).ok()?;
        let (nonce, cipher) = bytes.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload { msg: cipher, aad: PURPOSE };
        let plain = self.0.decrypt(&XNonce::from(*nonce), payload).ok()?;
        let said: Said = serde_json::from_slice(&plain).ok()?;
        let expires = DateTime::from_timestamp(said.e, 0).filter(|end| *end > now)?;
        Some(OptOutLink { project: said.p.parse().ok()?, distinct_ids: said.i, expires })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;

    fn key(text: &str) -> LinkKey {
        LinkKey::new(&text.repeat(32).into())
    }

    fn link(ids: &[&str]) -> OptOutLink {
        OptOutLink {
            project: "web".parse().unwrap(),
            distinct_ids: ids.iter().map(|id| DistinctId::new(*id)).collect(),
            expires: DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
        }
    }

    fn sealed(url: &Url) -> String {
        url.path_segments().unwrap().next_back().unwrap().to_owned()
    }

    #[test]
    fn a_link_says_who_to_the_same_key_until_it_ends() {
        let link = link(&["ada@example.test", "$device:77ab"]);
        for base in ["https://events.example.com", "https://example.com/mp/"] {
            let url = key("a").url(&base.parse().unwrap(), &link).unwrap();
            assert!(
                url.as_str().starts_with(&format!("{}/opt_out/", base.trim_end_matches('/'))),
                "{url}"
            );
            let sealed = sealed(&url);
            assert_eq!(
                key("a").open(&sealed, link.expires - TimeDelta::seconds(1)),
                Some(link.clone())
            );
            assert_eq!(key("a").open(&sealed, link.expires), None);
            assert_eq!(key("b").open(&sealed, DateTime::UNIX_EPOCH), None);
        }
    }

    #[test]
    fn no_two_links_are_alike_and_none_shows_the_id() {
        let base = "https://events.example.com".parse().unwrap();
        let (one, two) =
            (key("a").url(&base, &link(&["ada"])), key("a").url(&base, &link(&["ada"])));
        assert_ne!(one, two);
        let bytes = BASE64URL_NOPAD.decode(sealed(&one.unwrap()).as_bytes()).unwrap();
        assert!(!bytes.windows(3).any(|part| part == b"ada"));
    }

    #[test]
    fn a_link_that_mail_would_cut_is_not_made() {
        let base = "https://events.example.com".parse().unwrap();
        let long = "x".repeat(512);
        let refused = key("a").url(&base, &link(&[long.as_str(); 8]));
        assert!(matches!(refused, Err(LinkError::TooLong(_))));
        assert!(key("a").url(&base, &link(&[long.as_str(); 4])).is_ok());
    }

    proptest! {
        #[test]
        fn a_changed_link_says_nothing(at in any::<prop::sample::Index>(), flip in 1_u8..=255) {
            let mut bytes = BASE64URL_NOPAD.decode(key("a").seal(&link(&["ada"])).unwrap().as_bytes()).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            prop_assert_eq!(key("a").open(&BASE64URL_NOPAD.encode(&bytes), DateTime::UNIX_EPOCH), None);
        }

        #[test]
        fn any_text_is_survived(text in ".{0,200}") {
            prop_assert_eq!(key("a").open(&text, DateTime::UNIX_EPOCH), None);
        }
    }
}
