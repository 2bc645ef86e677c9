//! The settings of signed checkpoints and receipts.

use std::{path::PathBuf, time::Duration};

use secrecy::ExposeSecret;

use super::{ConfigError, project::duration, source::Sources};
use crate::evidence::SigningKey;

/// Signed checkpoints and receipts of one project.
#[derive(Clone, Debug)]
pub struct EvidenceConfig {
    /// What signs; nothing is signed without it.
    pub signing_key: Option<SigningKey>,
    /// How often a worker signs a checkpoint.
    pub checkpoint_every: Duration,
    /// Where it appends them.
    pub checkpoint_file: Option<PathBuf>,
}

pub(super) fn evidence(s: &Sources<'_>) -> Result<EvidenceConfig, ConfigError> {
    let key = s.secret("signing_key")?;
    let signing_key = key.map(|key| key.value.expose_secret().parse::<SigningKey>()).transpose();
    let signing_key = signing_key.map_err(|error| ConfigError::Invalid {
        variable: "GDPR_SIGNING_KEY".to_owned(),
        found: error.found().to_owned(),
        expected: error.expected(),
    })?;
    let file = s.text("checkpoint_file").map(|(text, _)| text).filter(|text| !text.is_empty());
    if file.is_some() && signing_key.is_none() {
        return Err(ConfigError::Missing {
            variable: "GDPR_SIGNING_KEY",
            expected: "the key that signs what goes into GDPR_CHECKPOINT_FILE (gdpr-worker check --make-signing-key prints one)",
        });
    }
    let checkpoint_every = duration(s, "checkpoint_every")?;
    Ok(EvidenceConfig { signing_key, checkpoint_every, checkpoint_file: file.map(PathBuf::from) })
}
