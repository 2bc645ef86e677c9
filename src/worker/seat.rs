//! Where a project's keys are, and whether they are safe there.

use gdpr_jobs::{Keys, Project};

use crate::queue::{
    Connection, Connector, Durability, Gate,
    server::{Level, VERSION},
};

/// The ways to the server that has the keys of one project.
pub(super) struct Seat {
    pub(super) connector: Connector,
    pub(super) redis: Connection,
    pub(super) gate: Gate,
}

impl Seat {
    /// Connects; the first failure is told.
    pub(super) async fn open(
        connector: &Connector,
        project: &Project,
        durability: Durability,
    ) -> anyhow::Result<Self> {
        let keys = Keys::new(project);
        let connector = connector.towards(&keys.ledger());
        let redis = connector.shared().await.map_err(|e| anyhow::anyhow!(connector.explain(&e)))?;
        let gate = Gate::new(connector.clone(), keys.named("fence"), durability);
        Ok(Self { connector, redis, gate })
    }
}

/// Says what about Redis may lose requests; `check` says the same. Without the scripts' version nothing works, and on a
/// Redis that forgets nothing should.
pub(super) async fn look_at_redis(seats: &[Seat], durability: Durability) -> anyhow::Result<()> {
    let mut told = Vec::new();
    for seat in seats {
        // It was there a moment ago; if it is not now, that is waited out like later.
        let Ok(findings) = seat.gate.look().await else { continue };
        for finding in findings.into_iter().filter(|finding| finding.level != Level::Ok) {
            anyhow::ensure!(finding.what != VERSION || finding.level != Level::Fail, finding.text);
            if !told.contains(&finding) {
                tracing::warn!(what = finding.what, "{}", finding.text);
                told.push(finding);
            }
        }
        if let Ok(Some(finding)) = seat.gate.volatile().await {
            anyhow::bail!(
                "{}: {}. For a test that may lose everything: --allow-volatile (GDPR_ALLOW_VOLATILE=true)",
                finding.what,
                finding.text
            );
        }
    }
    if durability.allow_volatile {
        tracing::warn!(
            "GDPR_ALLOW_VOLATILE is set: Redis may forget what was accepted, and calls are made all the same"
        );
    }
    Ok(())
}
