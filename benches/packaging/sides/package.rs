//! The front door: `gdpr_worker::archive::package`, with a folder for a store.

use std::{fs::File, path::Path};

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use gdpr_jobs::{Disclosure, DistinctId, Regulation};
use gdpr_worker::archive::{
    ArchiveOptions, ArchiveStore, BatchFacts, Limits, Means, Packaged, Packaging, Person, Quota,
    Spool, SpoolKey, package,
};
use serde_json::{Value, json};

use crate::{export::Subject, options::Side, sides::with_peak};

/// The file with what was made, for the check.
const RESULT: &str = "packaged.json";

/// Packages the export into `out/store`; which archives there are stands in `out/packaged.json`.
pub(super) fn run(side: &Side) -> anyhow::Result<Value> {
    let people = people(side.people.as_deref().context("packaging needs --people")?)?;
    let spool = Spool::new(
        side.out.join("spool"),
        SpoolKey::derive(b"a secret of the bench, 32 bytes long"),
        Quota { most: u64::MAX, reserve: 0 },
    )
    .context("making the spool")?;
    let store = side.out.join("store");
    let store = ArchiveStore::open(store.to_str().context("the folder's name is no UTF-8")?)?;
    let packaged = package(
        File::open(&side.export).context("opening the export")?,
        &Packaging {
            batch: &facts()?,
            people: &people,
            password: None,
            limits: &Limits::default(),
            means: Means { memory: side.memory, threads: side.threads },
            options: &ArchiveOptions::default(),
            spool: &spool,
            store: &store,
        },
    )?;
    let said = with_peak(json!({
        "archives": packaged.archives.len(),
        "read": packaged.read,
        "given": packaged.given,
        "quarantined": packaged.quarantined,
        "bytes": packaged.archives.iter().map(|archive| archive.bytes).sum::<u64>(),
    }))?;
    write_result(&side.out.join(RESULT), &packaged)?;
    Ok(said)
}

fn people(list: &Path) -> anyhow::Result<Vec<Person>> {
    let list = File::open(list).context("opening the list of people")?;
    let subjects: Vec<Subject> = serde_json::from_reader(std::io::BufReader::new(list))?;
    let person = |subject: Subject| {
        Ok(Person {
            request: subject.request.parse()?,
            ids: subject.ids.into_iter().map(DistinctId::new).collect(),
            received_at: DateTime::UNIX_EPOCH + TimeDelta::days(20_000),
        })
    };
    subjects.into_iter().map(person).collect()
}

fn facts() -> anyhow::Result<BatchFacts> {
    Ok(BatchFacts {
        project: "bench".parse()?,
        batch: "b1".to_owned(),
        tracking_id: "1234567890".to_owned(),
        regulation: Regulation::Gdpr,
        disclosure: Disclosure::Data,
        exported_at: exported_at(),
    })
}

fn exported_at() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_003)
}

fn write_result(path: &Path, packaged: &Packaged) -> anyhow::Result<()> {
    let archives = packaged.archives.iter().map(|archive| {
        json!({
            "request": archive.request,
            "location": archive.location,
            "sha256": archive.sha256,
            "bytes": archive.bytes,
            "events": archive.events,
            "profiles": archive.profiles,
        })
    });
    let result = json!({
        "read": packaged.read,
        "given": packaged.given,
        "quarantined": packaged.quarantined,
        "archives": archives.collect::<Vec<_>>(),
    });
    std::fs::write(path, serde_json::to_vec(&result)?).context("writing what was packaged")
}
