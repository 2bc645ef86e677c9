//! How a person is named: base32 (lower case, no padding) of the first 16 bytes of
//! HMAC-SHA-256(pepper, project ‖ 0 ‖ distinct_id). Written from the contract, not from the worker.

use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The tag of a distinct_id.
pub fn tag(pepper: &str, project: &str, id: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(pepper.as_bytes()) else {
        return String::new();
    };
    for part in [project.as_bytes(), &[0], id.as_bytes()] {
        mac.update(part);
    }
    BASE32_NOPAD.encode(&mac.finalize().into_bytes()[..16]).to_lowercase()
}

#[cfg(test)]
mod tests {
    /// By Python's `hmac` and `base64`.
    #[test]
    fn a_tag_is_what_another_language_computes() {
        let tag = super::tag("0123456789abcdef0123456789abcdef", "default", "user-001");
        assert_eq!(tag, "vxfjqgbinzns6z4jhbw4cy7b7a");
    }
}
