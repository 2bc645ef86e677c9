//! What one project needs: a folder for its archives, and Mixpanel.

use std::fs::OpenOptions;

use crate::{
    archive::ArchiveStore,
    config::ProjectConfig,
    mixpanel::{Client, Credentials, Endpoints, Timeouts},
    queue::{Connector, server::Finding},
};

use super::credentials;

/// Looks at one project. Without Redis there is no pace, and so no call to Mixpanel.
pub(super) async fn look(config: &ProjectConfig, redis: Option<&Connector>) -> Vec<Finding> {
    let mut findings = vec![archives(config).await];
    let name = |part: &str| format!("{} {part}", config.project);
    findings.extend(evidence(config));
    let (client, plain) = match client(config) {
        Ok(found) => found,
        Err(text) => {
            findings.push(Finding::fail(name("mixpanel"), text));
            return findings;
        }
    };
    if plain {
        findings.push(Finding::warn(
            name("addresses"),
            "plain http, so tokens and identifiers can be read on the way: expected https, \
             unless this is an emulator; set MIXPANEL_API_URL and MIXPANEL_INGESTION_URL",
        ));
    }
    findings.push(match redis {
        Some(redis) => credentials::look(config, &client, redis).await,
        None => Finding::warn(
            name("credentials"),
            "not tested, because Redis keeps the pace of calls: repair Redis and check again",
        ),
    });
    findings
}

/// Who signs, so that the public key can be handed on, and whether checkpoints can be kept.
fn evidence(config: &ProjectConfig) -> Option<Finding> {
    let what = format!("{} evidence", config.project);
    let public = config.evidence.signing_key.as_ref()?.public();
    if let Some(file) = &config.evidence.checkpoint_file
        && let Err(error) = OpenOptions::new().create(true).append(true).open(file)
    {
        let text = format!(
            "GDPR_CHECKPOINT_FILE cannot be written ({error}): expected a file in a folder that exists"
        );
        return Some(Finding::fail(what, text));
    }
    Some(Finding::ok(what, format!("signed with the key {}: {public}", public.id())))
}

async fn archives(config: &ProjectConfig) -> Finding {
    let what = format!("{} archives", config.project);
    let store = match ArchiveStore::open(&config.archive_url) {
        Ok(store) => store,
        Err(error) => return Finding::fail(what, error.to_string()),
    };
    match tokio::task::spawn_blocking(move || store.probe()).await {
        Ok(Ok(())) => Finding::ok(what, "the store can be written to"),
        Ok(Err(error)) => Finding::fail(what, error.to_string()),
        Err(error) => Finding::fail(what, error.to_string()),
    }
}

/// The client, and whether it would speak plain http.
fn client(config: &ProjectConfig) -> Result<(Client, bool), String> {
    let region = config.region.parse().map_err(|e| format!("MIXPANEL_REGION: {e}"))?;
    let (api, ingestion) = (config.api_url.as_deref(), config.ingestion_url.as_deref());
    let endpoints = Endpoints::new(region, api, ingestion).map_err(|e| e.to_string())?;
    let plain = endpoints.is_plain_http();
    let credentials = Credentials {
        project_token: config.project_token.clone(),
        oauth_token: config.oauth_token.value.clone(),
    };
    let timeouts = Timeouts { total: config.call_timeout, ..Timeouts::default() };
    let client = Client::new(endpoints, &credentials, timeouts).map_err(|e| e.to_string())?;
    Ok((client, plain))
}
