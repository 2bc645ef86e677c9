//! An archive: whether it is whole, and whether it is the one that the ledger has.

use std::{
    fs::File,
    io::{Read, Seek},
    path::{Path, PathBuf},
};

use serde_json::json;

use crate::cli::{Outcome, failure::Failure, output::Output, session::Session, table::Table};
use crate::{
    archive::{self, ArchiveStore, Identity, Report},
    config::{Access, Flags},
};

/// What the ledger says of an archive.
enum Recorded {
    /// It is the one.
    Same,
    /// It is not, and why.
    Other(String),
    /// Nobody could be asked, and why.
    NotAsked(String),
}

/// Verifies the archive at `place`: a file, or the location that a request's hash tells. `required`: without the
/// ledger's word it does not count as verified.
pub(super) async fn verify(
    flags: &Flags,
    place: &str,
    identity: Option<&Path>,
    required: bool,
    output: &mut Output,
) -> Result<Outcome, Failure> {
    let identity = identity.map(read_identity).transpose()?;
    let report = read(flags, place.to_owned(), identity).await?;
    let recorded = match compare(flags, &report).await {
        Ok(recorded) => recorded,
        Err(failure) if required => return Err(failure),
        Err(failure) => Recorded::NotAsked(failure.to_string()),
    };
    tell(&report, &recorded, output)?;
    Ok(Outcome::done_if(!matches!(recorded, Recorded::Other(_))))
}

pub(in crate::cli) fn read_identity(path: &Path) -> Result<Identity, Failure> {
    let told = |what: String| Failure::told(format!("--identity: {what}"));
    let text = std::fs::read_to_string(path).map_err(|e| told(format!("cannot be read ({e})")))?;
    text.parse().map_err(|e: archive::IdentityError| told(e.to_string()))
}

async fn read(flags: &Flags, place: String, identity: Option<Identity>) -> Result<Report, Failure> {
    let url = Access::load(flags).ok().map(|access| access.archive_url);
    let checked = tokio::task::spawn_blocking(move || {
        let mut archive = open(&place, url.as_deref())?;
        archive::verify(&mut archive, identity.as_ref())
            .map_err(|error| Failure::told(format!("not verified: {error}")))
    });
    checked.await.map_err(|_| Failure::told("verifying broke off; try again"))?
}

trait Archive: Read + Seek {}
impl<T: Read + Seek> Archive for T {}

fn open(place: &str, url: Option<&str>) -> Result<Box<dyn Archive>, Failure> {
    if let (true, Some(url)) = (place.contains("://"), url) {
        let told = |error: archive::StoreError| Failure::told(error.to_string());
        return Ok(Box::new(ArchiveStore::open(url).map_err(told)?.read(place).map_err(told)?));
    }
    let file = File::open(PathBuf::from(place)).map_err(|e| {
        Failure::told(format!(
            "the archive cannot be read ({e}): expected a file, or the archive field of a request"
        ))
    })?;
    Ok(Box::new(file))
}

async fn compare(flags: &Flags, report: &Report) -> Result<Recorded, Failure> {
    let session = Session::open(flags).await?;
    let project = session.access.project.as_str();
    if *project != *report.project.as_str() {
        return Ok(Recorded::NotAsked(format!(
            "the archive is project {}'s, and the settings are project {project}'s",
            report.project
        )));
    }
    let hash = session.ledger().request(&report.request).await?;
    let field = |name: &str| hash.get(name).map_or("", String::as_str);
    Ok(match (field("archive_sha256"), field("archive_bytes")) {
        ("", _) => Recorded::Other(format!(
            "the ledger has no archive for request {} (its status: {})",
            report.request,
            hash.get("status").map_or("unknown", String::as_str)
        )),
        (sha256, bytes) if sha256 == report.sha256 && bytes == report.bytes.to_string() => {
            Recorded::Same
        }
        _ => Recorded::Other("the ledger has another SHA-256 or size for this request".to_owned()),
    })
}

fn exported_at(report: &Report) -> String {
    report.exported_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

fn tell(report: &Report, recorded: &Recorded, output: &mut Output) -> Result<(), Failure> {
    let (word, why) = match recorded {
        Recorded::Same => ("same", ""),
        Recorded::Other(why) => ("other", why.as_str()),
        Recorded::NotAsked(why) => ("not asked", why.as_str()),
    };
    if output.is_json() {
        output.json(&json!({
            "request": report.request, "project": report.project.as_str(), "tracking_id": report.tracking_id,
            "exported_at": exported_at(report), "events": report.events, "profiles": report.profiles,
            "encrypted": report.encrypted, "sha256": report.sha256, "bytes": report.bytes,
            "whole": true, "ledger": word, "ledger_says": why,
        }))?;
        return Ok(());
    }
    let mut table = Table::of_values();
    table.row(["archive", "whole: every entry has the size and SHA-256 of the manifest"]);
    table.row(["request", report.request.as_str()]);
    table.row(["project", report.project.as_str()]);
    table.row(["exported_at", &exported_at(report)]);
    table.row(["records", &format!("{} events, {} profiles", report.events, report.profiles)]);
    table.row(["encrypted", if report.encrypted { "yes, with age" } else { "no" }]);
    table.row(["sha256", &report.sha256]);
    table.row(["bytes", &report.bytes.to_string()]);
    let says = match recorded {
        Recorded::Same => "the same archive".to_owned(),
        _ => format!("{word}: {why}"),
    };
    table.row(["ledger", &says]);
    output.table(&table)?;
    Ok(())
}
