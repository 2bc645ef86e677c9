//! The way to Redis and to one project, for commands that are no worker.

use gdpr_jobs::{Consent, DistinctId, Keys, Producer};

use super::failure::Failure;
use crate::{
    config::{Access, ConfigError, Flags, RedisConfig},
    ledger::{Ledger, Pepper, Tag, Vault},
    queue::{Connection, Connector},
};

/// Who acts, in the events that a command causes.
const ACTOR: &str = "operator";
/// A connection to Redis, and the project that the command is about.
pub(super) struct Session {
    pub(super) access: Access,
    redis: Connection,
}

impl Session {
    /// Reads the settings and connects.
    pub(super) async fn open(flags: &Flags) -> Result<Self, Failure> {
        let access = Access::load(flags)?;
        let connector = connector(&access.redis)?;
        let connector = connector.towards(&Keys::new(&access.project).ledger());
        let redis = connect(&connector).await?;
        Ok(Self { access, redis })
    }

    /// The ledger.
    pub(super) fn ledger(&self) -> Ledger {
        Ledger::new(self.redis.clone(), &self.access.project, ACTOR, self.access.rules)
    }

    /// The client that enqueues.
    pub(super) fn producer(&self) -> Producer<Connection> {
        let producer = Producer::new(self.redis.clone(), &self.access.project);
        self.access.guard.own_key().into_iter().fold(producer, Producer::signing)
    }

    /// The client that asks for consents.
    pub(super) fn consent(&self) -> Result<Consent<Connection>, Failure> {
        let Access { project, privacy, .. } = &self.access;
        let pepper = pepper(&self.access)?.clone();
        Ok(Consent::new(self.redis.clone(), project, pepper, privacy.consent_default))
    }

    /// What opens the sealed values of the project.
    pub(super) fn vault(&self) -> Result<Vault, Failure> {
        Ok(Vault::new(pepper(&self.access)?, &self.access.project))
    }

    /// The tag of a person.
    pub(super) fn tag(&self, distinct_id: &str) -> Result<Tag, Failure> {
        tag(&self.access, distinct_id)
    }
}

/// The tag of a person; needs no Redis.
pub(super) fn tag(access: &Access, distinct_id: &str) -> Result<Tag, Failure> {
    Ok(pepper(access)?.tag(&access.project, &DistinctId::new(distinct_id)))
}

fn pepper(access: &Access) -> Result<&Pepper, ConfigError> {
    access.pepper.as_ref().ok_or(ConfigError::Missing {
        variable: "GDPR_PEPPER",
        expected: "the secret that the worker has, because it names people by it",
    })
}

/// The way to Redis that the settings name.
pub(super) fn connector(redis: &RedisConfig) -> Result<Connector, Failure> {
    redis.connector().map_err(|e| Failure::told(format!("GDPR_REDIS_URL: {e}")))
}

/// Connects to Redis. The first try is the only one, so that a wrong address is told at once.
pub(super) async fn connect(connector: &Connector) -> Result<Connection, Failure> {
    let away = |error| Failure::told(connector.explain(&error));
    connector.connect().await.map_err(away)?;
    connector.shared().await.map_err(away)
}
