//! Who wrote a request document: an HMAC over it, with a secret that producer and worker share.
//!
//! Whoever can XADD can have anybody deleted. A project may therefore ask for documents to be signed:
//!
//! ```text
//! XADD gdpr:{P}:requests * request DOCUMENT key KEY time TIME nonce NONCE signature SIGNATURE
//! SIGNATURE = hex(HMAC-SHA-256(secret of KEY, "gdpr-request" ‖ 0 ‖ P ‖ 0 ‖ KEY ‖ 0 ‖ TIME ‖ 0 ‖ NONCE ‖ 0 ‖ DOCUMENT))
//! ```
//!
//! `TIME` is the Unix time of the XADD in seconds, right to [`TOLERANCE_SECONDS`]; `NONCE` is 16 to 64 letters, digits, `-`
//! or `_`, never the same twice with one key. So a copy of an entry is worth nothing.

use std::{fmt, str::FromStr};

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::keys::Project;

/// How far the time of a signature may be from that of its XADD.
pub const TOLERANCE_SECONDS: i64 = 15 * 60;
/// Shortest secret of a key, in bytes.
pub const MIN_SECRET_BYTES: usize = 32;
const NONCE_LENGTHS: std::ops::RangeInclusive<usize> = 16..=64;

/// A name, and the secret that goes with it: 32 bytes or more, taken as they are.
#[derive(Clone)]
pub struct DocumentKey {
    name: String,
    keyed: Hmac<Sha256>,
}

/// A text that is no key. Shows nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0}: expected NAME:SECRET, a name of 1 to 32 letters, digits, - or _, and {MIN_SECRET_BYTES} bytes or more"
)]
pub struct InvalidDocumentKey(&'static str);

fn is_word(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

impl FromStr for DocumentKey {
    type Err = InvalidDocumentKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, secret) =
            text.split_once(':').ok_or(InvalidDocumentKey("a key without a colon"))?;
        Self::new(name, &secret.into())
    }
}

impl DocumentKey {
    /// The key called `name`.
    pub fn new(name: &str, secret: &SecretString) -> Result<Self, InvalidDocumentKey> {
        if !(1..=32).contains(&name.len()) || !is_word(name) {
            return Err(InvalidDocumentKey("a key with a wrong name"));
        }
        let bytes = secret.expose_secret().as_bytes();
        match Hmac::new_from_slice(bytes) {
            Ok(keyed) if bytes.len() >= MIN_SECRET_BYTES => {
                Ok(Self { name: name.to_owned(), keyed })
            }
            _ => Err(InvalidDocumentKey("a key with a short secret")),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Signs `document`, the very bytes that stand in the field `request`. `time` is in Unix seconds.
    pub fn sign(
        &self,
        project: &Project,
        document: &[u8],
        time: i64,
        nonce: String,
    ) -> DocumentSignature {
        let time = time.to_string();
        let mac = self.mac(project, document, &time, &nonce).finalize().into_bytes();
        DocumentSignature { key: self.name.clone(), time, nonce, signature: HEXLOWER.encode(&mac) }
    }

    fn mac(&self, project: &Project, document: &[u8], time: &str, nonce: &str) -> Hmac<Sha256> {
        let mut mac = self.keyed.clone();
        for part in ["gdpr-request", project.as_str(), &self.name, time, nonce] {
            mac.update(part.as_bytes());
            mac.update(b"\0");
        }
        mac.update(document);
        mac
    }
}

impl fmt::Debug for DocumentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DocumentKey({})", self.name)
    }
}

/// What stands beside a signed document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentSignature {
    /// Name of the key.
    pub key: String,
    /// Unix seconds.
    pub time: String,
    /// What makes it unlike any other.
    pub nonce: String,
    /// The HMAC, hexadecimal.
    pub signature: String,
}

/// Why a document is not believed. Quotes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Disbelief {
    /// There is no signature, and there must be one.
    #[error("it is not signed: expected the fields key, time, nonce and signature")]
    Unsigned,
    /// Some of the fields are missing.
    #[error("its signature is incomplete: expected the fields key, time, nonce and signature")]
    Incomplete,
    /// The worker has no such key.
    #[error("it is signed with a key that is not in GDPR_DOCUMENT_KEYS")]
    UnknownKey,
    /// Time or nonce have another form.
    #[error(
        "its signature has a wrong form: expected a time in Unix seconds, and a nonce of 16 to 64 letters, digits, - or _"
    )]
    Malformed,
    /// Another secret, project or document, or another time or nonce than was signed.
    #[error(
        "its signature does not match: expected the secret of its key, this project, and the document as it was signed"
    )]
    Mismatch,
    /// Signed long before or after it was put on the stream.
    #[error(
        "it was signed more than 15 minutes before or after its XADD: expected the time of the XADD, and clocks that are right"
    )]
    Untimely,
}

impl DocumentSignature {
    /// The fields to put beside the document, as `(name, value)`.
    pub fn fields(&self) -> [(&'static str, &str); 4] {
        [
            ("key", &self.key),
            ("time", &self.time),
            ("nonce", &self.nonce),
            ("signature", &self.signature),
        ]
    }

    /// Whether one of `keys` signed `document` about when it was put on the stream (`added_at`, Unix seconds). Returns the
    /// time that was signed. Whether the nonce was used before is for whoever remembers them.
    pub fn verify(
        &self,
        keys: &[DocumentKey],
        project: &Project,
        document: &[u8],
        added_at: i64,
    ) -> Result<i64, Disbelief> {
        let key = keys.iter().find(|key| key.name == self.key).ok_or(Disbelief::UnknownKey)?;
        let time: i64 = self.time.parse().map_err(|_| Disbelief::Malformed)?;
        if !NONCE_LENGTHS.contains(&self.nonce.len()) || !is_word(&self.nonce) {
            return Err(Disbelief::Malformed);
        }
        let signature =
            HEXLOWER.decode(self.signature.as_bytes()).map_err(|_| Disbelief::Mismatch)?;
        let mac = key.mac(project, document, &self.time, &self.nonce);
        mac.verify_slice(&signature).map_err(|_| Disbelief::Mismatch)?;
        if time.abs_diff(added_at) > TOLERANCE_SECONDS.unsigned_abs() {
            return Err(Disbelief::Untimely);
        }
        Ok(time)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    const DOCUMENT: &[u8] = br#"{"kind":"deletion","distinct_ids":["u1"]}"#;
    const AT: i64 = 1_795_000_000;

    type Forgery = fn(&mut DocumentSignature);

    fn key(name: &str) -> DocumentKey {
        format!("{name}:{SECRET}").parse().unwrap()
    }

    fn signed() -> DocumentSignature {
        key("shop").sign(&"default".parse().unwrap(), DOCUMENT, AT, "nonce-0123456789".to_owned())
    }

    fn verdict(
        signature: &DocumentSignature,
        document: &[u8],
        added_at: i64,
    ) -> Result<i64, Disbelief> {
        signature.verify(
            &[key("other"), key("shop")],
            &"default".parse().unwrap(),
            document,
            added_at,
        )
    }

    /// The README has the same, made by another program.
    #[test]
    fn the_recipe_is_that_of_the_readme() {
        let readme = include_str!("../README.md");
        assert!(readme.contains(&signed().signature), "{}", signed().signature);
    }

    #[test]
    fn what_was_signed_is_believed_and_nothing_else() {
        assert_eq!(verdict(&signed(), DOCUMENT, AT + 900), Ok(AT));
        for late in [AT + 901, AT - 901] {
            assert_eq!(verdict(&signed(), DOCUMENT, late), Err(Disbelief::Untimely));
        }
        assert_eq!(verdict(&signed(), b"{}", AT), Err(Disbelief::Mismatch));
        let forged: [(Forgery, Disbelief); 6] = [
            (|s| s.key = "nobody".to_owned(), Disbelief::UnknownKey),
            (|s| s.key = "other".to_owned(), Disbelief::Mismatch),
            (|s| s.time = "1795000001".to_owned(), Disbelief::Mismatch),
            (|s| s.time = "soon".to_owned(), Disbelief::Malformed),
            (|s| s.nonce = "nonce-012345678x".to_owned(), Disbelief::Mismatch),
            (|s| s.signature.truncate(62), Disbelief::Mismatch),
        ];
        for (forge, expected) in forged {
            let mut signature = signed();
            forge(&mut signature);
            assert_eq!(verdict(&signature, DOCUMENT, AT), Err(expected));
        }
        let elsewhere = signed().verify(&[key("shop")], &"other".parse().unwrap(), DOCUMENT, AT);
        assert_eq!(elsewhere, Err(Disbelief::Mismatch));
    }

    #[test]
    fn a_wrong_key_is_explained_without_showing_it() {
        for text in ["hunter2", "shop:hunter2", ":hunter2hunter2hunter2hunter2hunter2"] {
            let shown = text.parse::<DocumentKey>().unwrap_err().to_string();
            assert!(shown.contains("expected NAME:SECRET") && !shown.contains("hunter2"));
        }
        assert_eq!(format!("{:?}", key("shop")), "DocumentKey(shop)");
    }
}
