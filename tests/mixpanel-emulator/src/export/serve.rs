//! How a cloud store serves an object: an ETag, ranges, and checksums if asked to.

use bytes::Bytes;
use data_encoding::{BASE64, HEXLOWER};
use md5::Md5;
use sha2::{Digest, Sha256};

use super::taint::Taint;

/// What a download asks for, and what the store does for it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Serving {
    /// Value of `Range`.
    pub(crate) range: Option<String>,
    /// Value of `If-Range`.
    pub(crate) if_range: Option<String>,
    /// Whether ranges are served at all.
    pub(crate) ranges: bool,
    /// Whether checksums are told.
    pub(crate) checksums: bool,
}

/// A served object: status, headers, bytes.
pub(crate) struct Served {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

/// Serves `object`, or the part that is asked for.
pub(crate) fn serve(object: &Bytes, serving: &Serving, taints: &[Taint]) -> Served {
    let etag = etag(object, taints);
    let mut headers = vec![("etag".to_owned(), etag.clone())];
    let ranges = serving.ranges && !taints.contains(&Taint::NoRanges);
    headers.push(("accept-ranges".to_owned(), if ranges { "bytes" } else { "none" }.to_owned()));
    if serving.checksums {
        checksums(object, taints.contains(&Taint::WrongChecksum), &mut headers);
    }
    let fresh = serving.if_range.as_ref().is_none_or(|known| *known == etag);
    let wanted = serving.range.as_deref().filter(|_| ranges && fresh).and_then(first_byte);
    let Some(first) = wanted else {
        return Served { status: 200, headers, body: object.clone() };
    };
    let total = object.len();
    if first >= total {
        headers.push(("content-range".to_owned(), format!("bytes */{total}")));
        return Served { status: 416, headers, body: Bytes::new() };
    }
    headers.push(("content-range".to_owned(), format!("bytes {first}-{}/{total}", total - 1)));
    Served { status: 206, headers, body: object.slice(first..) }
}

/// Only `bytes=N-`; any other range is passed over, as a store may.
fn first_byte(range: &str) -> Option<usize> {
    range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
}

/// It follows from the content, so it changes when the content does.
fn etag(object: &Bytes, taints: &[Taint]) -> String {
    let salt = taints.iter().find_map(|taint| match taint {
        Taint::NewEtag(salt) => Some(*salt),
        _ => None,
    });
    let hash = HEXLOWER.encode(&Sha256::digest(object)[..16]);
    format!("\"{hash}{}\"", salt.map(|salt| format!("-{salt}")).unwrap_or_default())
}

fn checksums(object: &Bytes, wrong: bool, headers: &mut Vec<(String, String)>) {
    let of: &[u8] = if wrong { b"other bytes" } else { object };
    let (md5, sha256) = (BASE64.encode(&Md5::digest(of)), BASE64.encode(&Sha256::digest(of)));
    headers.push(("x-goog-hash".to_owned(), format!("md5={md5}")));
    headers.push(("content-md5".to_owned(), md5));
    headers.push(("repr-digest".to_owned(), format!("sha-256=:{sha256}:")));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(range: Option<&str>, if_range: Option<&str>, taints: &[Taint]) -> (u16, Bytes) {
        let [range, if_range] = [range, if_range].map(|value| value.map(str::to_owned));
        let serving = Serving { range, if_range, ranges: true, checksums: true };
        let served = serve(&Bytes::from_static(b"0123456789"), &serving, taints);
        (served.status, served.body)
    }

    #[test]
    fn a_range_of_the_same_version_is_served() {
        let etag = etag(&Bytes::from_static(b"0123456789"), &[]);
        assert_eq!(ask(Some("bytes=4-"), Some(&etag), &[]), (206, "456789".into()));
        assert_eq!(ask(Some("bytes=4-"), None, &[]), (206, "456789".into()));
        assert_eq!(ask(Some("bytes=10-"), None, &[]), (416, "".into()));
    }

    #[test]
    fn anything_else_gets_the_whole() {
        let whole = (200, Bytes::from_static(b"0123456789"));
        let etag = etag(&Bytes::from_static(b"0123456789"), &[]);
        assert_eq!(ask(None, None, &[]), whole);
        assert_eq!(ask(Some("bytes=4-"), Some("\"other\""), &[]), whole);
        assert_eq!(ask(Some("bytes=4-"), Some(&etag), &[Taint::NewEtag(1)]), whole);
        assert_eq!(ask(Some("bytes=4-"), Some(&etag), &[Taint::NoRanges]), whole);
        assert_eq!(ask(Some("bytes=2-4"), None, &[]), whole);
    }
}
