//! Checksums that a storage announces with an export.
//!
//! All of them are of the bytes as they travel, a content encoding included. An `ETag` is none. A checksum of
//! checksums, as S3 has for uploads in parts, cannot be checked without knowing the parts, and is passed over; so
//! is what cannot be read.

use crc_fast::CrcAlgorithm;
use data_encoding::BASE64;
use md5::Md5;
use reqwest::header::HeaderMap;
use sha2::{Digest, Sha256};

/// The checksums to be met, running.
#[derive(Default)]
pub(super) struct Checksums(Vec<Checksum>);

struct Checksum {
    /// The header, for the error.
    kind: &'static str,
    expected: Vec<u8>,
    sum: Sum,
}

enum Sum {
    Crc32(crc32fast::Hasher),
    Crc32c(crc_fast::Digest),
    Md5(Md5),
    Sha256(Sha256),
}

impl Sum {
    fn crc32() -> Self {
        Self::Crc32(crc32fast::Hasher::new())
    }

    fn crc32c() -> Self {
        Self::Crc32c(crc_fast::Digest::new(CrcAlgorithm::Crc32Iscsi))
    }

    fn md5() -> Self {
        Self::Md5(Md5::new())
    }

    fn sha256() -> Self {
        Self::Sha256(Sha256::new())
    }

    /// Bytes of the result.
    fn size(&self) -> usize {
        match self {
            Self::Crc32(_) | Self::Crc32c(_) => 4,
            Self::Md5(_) => 16,
            Self::Sha256(_) => 32,
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc32(sum) => sum.update(bytes),
            Self::Crc32c(sum) => sum.update(bytes),
            Self::Md5(sum) => sum.update(bytes),
            Self::Sha256(sum) => sum.update(bytes),
        }
    }

    fn result(&self) -> Vec<u8> {
        match self {
            Self::Crc32(sum) => sum.clone().finalize().to_be_bytes().to_vec(),
            // The crate gives every width in 64 bits.
            Self::Crc32c(sum) => sum.finalize().to_be_bytes().get(4..).unwrap_or_default().to_vec(),
            Self::Md5(sum) => sum.clone().finalize().to_vec(),
            Self::Sha256(sum) => sum.clone().finalize().to_vec(),
        }
    }
}

impl Checksums {
    /// What the headers of a whole answer announce; `stored` if what is said of the stored object holds for it.
    pub(super) fn announced(headers: &HeaderMap, stored: bool) -> Self {
        let mut found = Self::default();
        if stored {
            for (name, value) in members(headers, "x-goog-hash") {
                match name {
                    "crc32c" => found.add("x-goog-hash crc32c", value, Sum::crc32c()),
                    "md5" => found.add("x-goog-hash md5", value, Sum::md5()),
                    _ => {}
                }
            }
        }
        found.amazon(headers);
        for value in values(headers, "content-md5") {
            found.add("Content-MD5", value, Sum::md5());
        }
        for (name, value) in members(headers, "digest") {
            match name {
                _ if name.eq_ignore_ascii_case("sha-256") => {
                    found.add("Digest sha-256", value, Sum::sha256());
                }
                _ if name.eq_ignore_ascii_case("md5") => {
                    found.add("Digest md5", value, Sum::md5());
                }
                _ => {}
            }
        }
        for (name, value) in members(headers, "repr-digest") {
            // A byte sequence of structured fields (RFC 9530).
            let bytes = value.strip_prefix(':').and_then(|value| value.strip_suffix(':'));
            if let ("sha-256", Some(bytes)) = (name, bytes) {
                found.add("Repr-Digest sha-256", bytes, Sum::sha256());
            }
        }
        found
    }

    fn amazon(&mut self, headers: &HeaderMap) {
        let composite = |kind: &str| kind.eq_ignore_ascii_case("COMPOSITE");
        if values(headers, "x-amz-checksum-type").any(composite) {
            return;
        }
        for value in values(headers, "x-amz-checksum-sha256") {
            self.add("x-amz-checksum-sha256", value, Sum::sha256());
        }
        for value in values(headers, "x-amz-checksum-crc32") {
            self.add("x-amz-checksum-crc32", value, Sum::crc32());
        }
        for value in values(headers, "x-amz-checksum-crc32c") {
            self.add("x-amz-checksum-crc32c", value, Sum::crc32c());
        }
    }

    /// A value with a part count at its end (`…-3`) is no base64, and so passed over.
    fn add(&mut self, kind: &'static str, value: &str, sum: Sum) {
        let expected = BASE64.decode(value.trim().as_bytes()).unwrap_or_default();
        if expected.len() == sum.size() {
            self.0.push(Checksum { kind, expected, sum });
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        for checksum in &mut self.0 {
            checksum.sum.update(bytes);
        }
    }

    /// The first one that does not fit, by its name.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        match self.0.iter().find(|checksum| checksum.sum.result() != checksum.expected) {
            Some(checksum) => Err(checksum.kind),
            None => Ok(()),
        }
    }

    pub(super) fn any(&self) -> bool {
        !self.0.is_empty()
    }
}

fn values<'h>(headers: &'h HeaderMap, name: &'static str) -> impl Iterator<Item = &'h str> {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok())
}

/// `name=value, name=value`, over all headers of that name. The values are base64 and end in `=` themselves.
fn members<'h>(
    headers: &'h HeaderMap,
    name: &'static str,
) -> impl Iterator<Item = (&'h str, &'h str)> {
    values(headers, name)
        .flat_map(|value| value.split(','))
        .filter_map(|member| member.trim().split_once('='))
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    /// All of these are of `hello world`.
    const RIGHT: [(&str, &str); 9] = [
        ("x-goog-hash", "crc32c=yZRlqg=="),
        ("x-goog-hash", "crc32c=yZRlqg==,md5=XrY7u+Ae7tCTyyK7j1rNww=="),
        ("content-md5", "XrY7u+Ae7tCTyyK7j1rNww=="),
        ("x-amz-checksum-sha256", "uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek="),
        ("x-amz-checksum-crc32", "DUoRhQ=="),
        ("x-amz-checksum-crc32c", "yZRlqg=="),
        ("digest", "SHA-256=uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek="),
        (
            "digest",
            "md5=XrY7u+Ae7tCTyyK7j1rNww==, sha-256=uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek=",
        ),
        ("repr-digest", "sha-256=:uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek=:"),
    ];

    fn check(headers: &[(&'static str, &str)], body: &[u8]) -> Option<Result<(), &'static str>> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).ok()?);
        }
        let mut sums = Checksums::announced(&map, true);
        body.chunks(3).for_each(|chunk| sums.update(chunk));
        sums.any().then(|| sums.check())
    }

    #[test]
    fn every_kind_knows_right_bytes_from_wrong_ones() {
        for header in RIGHT {
            assert_eq!(check(&[header], b"hello world"), Some(Ok(())), "{header:?}");
            assert!(matches!(check(&[header], b"hello worlD"), Some(Err(_))), "{header:?}");
        }
        assert_eq!(check(&RIGHT, b"hello world"), Some(Ok(())));
    }

    #[test]
    fn what_is_not_of_the_whole_object_is_passed_over() {
        for headers in [
            &[("etag", "\"5eb63bbbe01eeed093cb22bb8f5acdc3\"")][..],
            &[("x-amz-checksum-crc32", "DUoRhQ==-3")],
            &[("x-amz-checksum-crc32", "AAAAAA=="), ("x-amz-checksum-type", "COMPOSITE")],
            &[("content-md5", "not base64")],
            &[("x-goog-hash", "sha1=AAAA")],
            &[],
        ] {
            assert_eq!(check(headers, b"other bytes"), None, "{headers:?}");
        }
    }
}
