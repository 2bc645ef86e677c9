//! Signs a checkpoint of the ledger now and then, and keeps it where Redis is not.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use chrono::{DateTime, SecondsFormat, Utc};

use super::{Context, StepError};
use crate::{
    config::EvidenceConfig,
    evidence::{Audit, Checkpoint, Checkpoints, SigningKey},
};

/// Signs for one project. It remembers how far it has read: each time, only new events are.
pub struct Notary {
    key: SigningKey,
    every: Duration,
    file: Option<PathBuf>,
    audit: Option<Audit>,
    /// The last checkpoint, this process' or the one in the file.
    last: Option<Checkpoint>,
}

impl Notary {
    /// A notary, if the project has a key.
    pub fn new(config: &EvidenceConfig) -> Option<Self> {
        let EvidenceConfig { signing_key, checkpoint_every, checkpoint_file } = config.clone();
        let every = checkpoint_every;
        Some(Self { key: signing_key?, every, file: checkpoint_file, audit: None, last: None })
    }

    /// Signs what is new since the last time, if there is anything and it is time. Returns how long to wait for the next call.
    pub async fn sign(&mut self, ctx: &Context) -> Result<Duration, StepError> {
        let mut audit = match self.audit.take() {
            Some(audit) => audit,
            None => match self.begin(ctx.project.as_str()) {
                Ok(audit) => audit,
                Err(error) => {
                    tracing::error!(project = %ctx.project, %error, "no checkpoint is signed: GDPR_CHECKPOINT_FILE cannot be read");
                    return Ok(self.every);
                }
            },
        };
        if let Some(left) = self.time_left(Utc::now()) {
            self.audit = Some(audit);
            return Ok(left);
        }
        let extent = ctx.ledger.extent().await?;
        // Whatever fails from here on, the next walk begins anew.
        if !extent.last_id.is_empty() {
            let after = audit.last().to_owned();
            ctx.ledger.walk(&after, &extent.last_id, |entry| audit.see(entry, false)).await?;
        }
        audit.finish(&extent);
        if let Some(first) = audit.findings().first() {
            tracing::error!(
                project = %ctx.project, event = first.event, found = first.found, expected = first.expected,
                "the ledger is not what was written, so no checkpoint is signed; gdpr-worker verify --ledger tells all"
            );
            return Ok(self.every);
        }
        // What is signed must not be forgotten, or the ledger would look forged ever after.
        ctx.ledger.all_kept().await?;
        let signed = self.last.as_ref().map_or(0, |last| last.events);
        if audit.events() > signed {
            let now = Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true);
            let checkpoint = audit.checkpoint(ctx.project.as_str(), now);
            self.publish(ctx, &checkpoint);
            self.last = Some(checkpoint);
        }
        self.audit = Some(audit);
        Ok(self.every)
    }

    fn publish(&self, ctx: &Context, checkpoint: &Checkpoint) {
        let line = match checkpoint.sign(&self.key) {
            Ok(line) => line,
            Err(error) => return tracing::error!(project = %ctx.project, %error, "no checkpoint"),
        };
        tracing::info!(project = %ctx.project, checkpoint = line, "checkpoint");
        if let Some(file) = &self.file
            && let Err(error) = append_checkpoint(file, &line)
        {
            tracing::error!(
                project = %ctx.project, %error,
                "the checkpoint is in this log only: GDPR_CHECKPOINT_FILE cannot be written; make room, or name another file"
            );
        }
    }

    /// A walk that must agree with what was signed before.
    fn begin(&mut self, project: &str) -> io::Result<Audit> {
        let mut checkpoints = Checkpoints::default();
        if let Some(file) = &self.file {
            match std::fs::read(file) {
                Ok(bytes) => {
                    let text = String::from_utf8_lossy(&bytes);
                    checkpoints.add("GDPR_CHECKPOINT_FILE", &text, project, &[self.key.public()]);
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        // Also what only the log has: a ledger that was made anew must not be signed at the second try.
        checkpoints.usable.extend(self.last.clone().map(|last| (last, "last".to_owned())));
        let newest = checkpoints.usable.iter().map(|(checkpoint, _)| checkpoint);
        let newest = newest.max_by_key(|checkpoint| checkpoint.events).cloned();
        self.last = self.last.take().or(newest);
        Ok(Audit::against(&checkpoints))
    }

    fn time_left(&self, now: DateTime<Utc>) -> Option<Duration> {
        let last = DateTime::parse_from_rfc3339(&self.last.as_ref()?.at).ok()?.to_utc();
        let since = (now - last).to_std().ok()?;
        self.every.checked_sub(since).filter(|left| !left.is_zero())
    }
}

/// Appends a checkpoint to a file, durably.
pub fn append_checkpoint(file: &Path, line: &str) -> io::Result<()> {
    let mut out = OpenOptions::new().create(true).append(true).read(true).open(file)?;
    // A line that was torn off must not take this one with it.
    let gap = if ends_a_line(&mut out)? { "" } else { "\n" };
    out.write_all(format!("{gap}{line}\n").as_bytes())?;
    out.sync_all()
}

fn ends_a_line(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_torn_line_does_not_take_the_next_one_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("checkpoints");
        append_checkpoint(&file, "one").unwrap();
        OpenOptions::new().append(true).open(&file).unwrap().write_all(b"tor").unwrap();
        append_checkpoint(&file, "two").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "one\ntor\ntwo\n");
    }
}
