//! The clients of the providers, set up by the providers' own variables.

use std::{env, str::FromStr, sync::Arc, time::Duration};

use object_store::{
    BackoffConfig, ClientConfigKey, ClientOptions, ObjectStore, RetryConfig,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    azure::MicrosoftAzureBuilder,
    gcp::GoogleCloudStorageBuilder,
    signer::Signer,
};

use super::StoreError;
use crate::archive::store::{Provider, address::BucketAddress};

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// One request with its answer; the largest is a part of an upload.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// No request begins later than this after the first: with the last answer, two minutes in all.
const RETRY_FOR: Duration = Duration::from_secs(60);
const RETRIES: usize = 8;

/// A client for a bucket.
pub(super) struct Connection {
    pub(super) objects: Arc<dyn ObjectStore>,
    /// What makes links, if anything does.
    pub(super) signer: Option<Arc<dyn Signer>>,
}

/// Names and values of the environment.
pub(super) type Variables = [(String, String)];

pub(super) fn environment() -> Vec<(String, String)> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    env::vars_os().filter_map(text).collect()
}

/// Makes no call.
pub(super) fn connect(
    address: &BucketAddress,
    variables: &Variables,
    retry: RetryConfig,
) -> Result<Connection, StoreError> {
    let connection = match address.provider {
        Provider::S3 => amazon(address, variables, retry),
        Provider::Google => google(address, variables, retry),
        Provider::Azure => azure(address, variables, retry),
        #[cfg(test)]
        Provider::Memory => {
            let objects = Arc::new(object_store::memory::InMemory::new());
            return Ok(Connection { objects, signer: None });
        }
    };
    connection.map_err(|_| setting(address.provider, variables))
}

fn amazon(
    address: &BucketAddress,
    variables: &Variables,
    retry: RetryConfig,
) -> object_store::Result<Connection> {
    let plain = AmazonS3Builder::new().with_client_options(client()).with_retry(retry);
    let set =
        known(variables, PREFIXES.s3).fold(plain, |b, (key, value)| b.with_config(key, value));
    refuse_plain_http(&set)?;
    Ok(Connection::of(set.with_bucket_name(&address.bucket).build()?))
}

fn google(
    address: &BucketAddress,
    variables: &Variables,
    retry: RetryConfig,
) -> object_store::Result<Connection> {
    let plain = GoogleCloudStorageBuilder::new().with_client_options(client()).with_retry(retry);
    let set =
        known(variables, PREFIXES.google).fold(plain, |b, (key, value)| b.with_config(key, value));
    Ok(Connection::of(set.with_bucket_name(&address.bucket).build()?))
}

fn azure(
    address: &BucketAddress,
    variables: &Variables,
    retry: RetryConfig,
) -> object_store::Result<Connection> {
    let plain = MicrosoftAzureBuilder::new().with_client_options(client()).with_retry(retry);
    let set =
        known(variables, PREFIXES.azure).fold(plain, |b, (key, value)| b.with_config(key, value));
    Ok(Connection::of(set.with_container_name(&address.bucket).build()?))
}

impl Connection {
    fn of(client: impl ObjectStore + Signer) -> Self {
        let client = Arc::new(client);
        Self { objects: Arc::clone(&client) as _, signer: Some(client) }
    }
}

/// How the providers' variables begin.
struct Prefixes {
    s3: &'static str,
    google: &'static str,
    azure: &'static str,
}

const PREFIXES: Prefixes = Prefixes { s3: "AWS_", google: "GOOGLE_", azure: "AZURE_" };

/// The variables that the client knows.
fn known<'a, K: FromStr>(
    variables: &'a Variables,
    prefix: &'a str,
) -> impl Iterator<Item = (K, &'a str)> {
    variables
        .iter()
        .filter(move |(name, _)| name.starts_with(prefix))
        .filter_map(|(name, value)| Some((name.to_ascii_lowercase().parse().ok()?, value.as_str())))
}

/// Told at the start rather than by the first request.
fn refuse_plain_http(set: &AmazonS3Builder) -> object_store::Result<()> {
    let value = |key| set.get_config_value(&key).unwrap_or_default();
    let allowed = value(AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp));
    if value(AmazonS3ConfigKey::Endpoint).starts_with("http://") && allowed != "true" {
        return Err(object_store::Error::NotSupported { source: "plain http".into() });
    }
    Ok(())
}

fn setting(provider: Provider, variables: &Variables) -> StoreError {
    let prefix = match provider {
        Provider::S3 => PREFIXES.s3,
        Provider::Google => PREFIXES.google,
        Provider::Azure => PREFIXES.azure,
        #[cfg(test)]
        Provider::Memory => "",
    };
    let mut names: Vec<&str> = variables
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| name.starts_with(prefix))
        .collect();
    names.sort_unstable();
    let found = if names.is_empty() { format!("no {prefix} variable") } else { names.join(", ") };
    StoreError::Setting { provider, found }
}

fn client() -> ClientOptions {
    ClientOptions::new().with_connect_timeout(CONNECT_WITHIN).with_timeout(ANSWER_WITHIN)
}

pub(super) fn retry() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: RETRIES,
        retry_timeout: RETRY_FOR,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn refusal(provider: Provider, variables: &[(&str, &str)]) -> String {
        let address = BucketAddress { provider, bucket: "bucket".into(), prefix: "prefix".into() };
        let variables: Vec<_> =
            variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        connect(&address, &variables, retry()).map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn a_server_without_tls_must_be_allowed_by_name() {
        let error =
            refusal(Provider::S3, &[("AWS_ENDPOINT", "http://user:word@h:1"), ("HOME", "/")]);
        assert!(
            error.contains("found AWS_ENDPOINT,") && error.contains("AWS_ALLOW_HTTP"),
            "{error}"
        );
        assert!(!error.contains("word") && !error.contains("HOME"), "{error}");
    }

    #[test]
    fn a_wrong_value_is_refused_by_the_name_of_its_variable() {
        let error = refusal(Provider::S3, &[("AWS_ALLOW_HTTP", "perhaps-secret")]);
        assert!(error.contains("AWS_ALLOW_HTTP") && !error.contains("secret"), "{error}");
        let error = refusal(Provider::Azure, &[]);
        assert!(error.contains("no AZURE_ variable") && error.contains("ACCOUNT_NAME"), "{error}");
    }
}
