//! `GDPR_ARCHIVE_URL`: where a store is. Credentials are never part of it.

use std::{fmt, path::Path};

use super::StoreError;

/// Whose buckets are spoken to. Its text tells where their settings are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// Amazon S3 and what speaks its language.
    S3,
    /// Google Cloud Storage.
    Google,
    /// Azure Blob Storage.
    Azure,
    /// The memory of a test.
    #[cfg(test)]
    Memory,
}

impl Provider {
    fn of(scheme: &str) -> Option<Self> {
        match scheme {
            "s3" => Some(Self::S3),
            "gs" => Some(Self::Google),
            "az" => Some(Self::Azure),
            #[cfg(test)]
            "memory" => Some(Self::Memory),
            _ => None,
        }
    }

    pub(super) fn scheme(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Google => "gs",
            Self::Azure => "az",
            #[cfg(test)]
            Self::Memory => "memory",
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::S3 => {
                "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION (or a role of the \
                 machine), AWS_ENDPOINT for a server of your own, with AWS_ALLOW_HTTP=true if it \
                 has no TLS"
            }
            Self::Google => {
                "GOOGLE_APPLICATION_CREDENTIALS or GOOGLE_SERVICE_ACCOUNT (or a role of the machine)"
            }
            Self::Azure => {
                "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY (or an identity of the \
                 machine)"
            }
            #[cfg(test)]
            Self::Memory => "nothing",
        })
    }
}

/// Where a store is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Address<'a> {
    Folder(&'a Path),
    Bucket(BucketAddress),
}

/// A bucket, and the part of it that is the store's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BucketAddress {
    pub(super) provider: Provider,
    pub(super) bucket: String,
    /// Without slashes around it; empty for the whole bucket.
    pub(super) prefix: String,
}

impl fmt::Display for BucketAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { provider, bucket, prefix } = self;
        let slash = if prefix.is_empty() { "" } else { "/" };
        write!(f, "{}://{bucket}{slash}{prefix}", provider.scheme())
    }
}

impl<'a> Address<'a> {
    /// A path is taken as it stands (no percent-encoding).
    pub(super) fn parse(url: &'a str) -> Result<Self, StoreError> {
        match url.split_once("://") {
            None if url.is_empty() => Err(StoreError::Address),
            None => Ok(Self::Folder(Path::new(url))),
            Some(("file", path)) if path.starts_with(['/', '.']) => {
                Ok(Self::Folder(Path::new(path)))
            }
            Some(("file", _)) => Err(StoreError::Address),
            Some((scheme, rest)) => {
                let provider =
                    Provider::of(scheme).ok_or_else(|| StoreError::Scheme(presentable(scheme)))?;
                BucketAddress::parse(provider, rest).map(Self::Bucket)
            }
        }
    }
}

impl BucketAddress {
    fn parse(provider: Provider, rest: &str) -> Result<Self, StoreError> {
        if rest.contains(['@', ':', '?', '#']) {
            return Err(StoreError::Credentials(provider));
        }
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        let names = prefix.split('/').filter(|_| !prefix.is_empty());
        if !std::iter::once(bucket).chain(names).all(is_name) {
            return Err(StoreError::Address);
        }
        Ok(Self { provider, bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

/// Names that every provider takes as they are, without any encoding.
fn is_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-=".contains(&b);
    !name.is_empty() && name != "." && name != ".." && name.bytes().all(plain)
}

/// What stands before `://` is shown only if it looks like a scheme: it may be a pasted secret.
fn presentable(scheme: &str) -> String {
    let plain =
        (1..=8).contains(&scheme.len()) && scheme.bytes().all(|b| b.is_ascii_alphanumeric());
    if plain { scheme.to_owned() } else { "(not shown)".to_owned() }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn bucket(url: &str) -> (Provider, String, String) {
        match Address::parse(url).unwrap() {
            Address::Bucket(found) => (found.provider, found.bucket, found.prefix),
            Address::Folder(_) => panic!("a folder"),
        }
    }

    #[test]
    fn every_documented_address_is_understood() {
        for (url, path) in [
            ("file:///srv/archives", "/srv/archives"),
            ("file://./archives", "./archives"),
            ("file://../archives", "../archives"),
            ("archives", "archives"),
        ] {
            assert_eq!(Address::parse(url).unwrap(), Address::Folder(Path::new(path)));
        }
        assert_eq!(bucket("s3://b/p"), (Provider::S3, "b".into(), "p".into()));
        assert_eq!(bucket("gs://b"), (Provider::Google, "b".into(), String::new()));
        assert_eq!(bucket("az://c/p/q/"), (Provider::Azure, "c".into(), "p/q".into()));
    }

    #[test]
    fn other_addresses_are_refused_with_what_is_possible() {
        let error = Address::parse("ftp://host/secret").unwrap_err().to_string();
        assert!(error.contains("ftp") && error.contains("s3://bucket/prefix"), "{error}");
        assert!(!error.contains("secret"));
        for url in
            ["", "file://", "file://host/path", "s3://", "s3:///p", "s3://b//p", "gs://b/../c"]
        {
            assert!(matches!(Address::parse(url), Err(StoreError::Address)), "{url}");
        }
    }

    #[test]
    fn credentials_in_an_address_are_refused_and_not_repeated() {
        for url in
            ["s3://key:tiger@b/p", "s3://tiger@b", "gs://b/p?tiger=1", "az://b#tiger", "s3://b:9/p"]
        {
            let error = Address::parse(url).unwrap_err();
            assert!(matches!(error, StoreError::Credentials(_)), "{url}");
            assert!(!error.to_string().contains("tiger"), "{error}");
        }
        let pasted = Address::parse("user:tiger://x").unwrap_err().to_string();
        assert!(!pasted.contains("tiger"), "{pasted}");
    }
}
