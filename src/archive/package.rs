//! One export in, one archive per request out.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use gdpr_jobs::{Disclosure, Project, Regulation, RequestId};
use secrecy::SecretString;

use super::{
    bundle,
    error::PackageError,
    limits::Limits,
    open,
    owners::Folder,
    people::Person,
    piles, records,
    split::{self, Reasons, Share, Splitter, Tally},
    spool::{Batch, Spool},
    store::ArchiveStore,
};

/// What all requests of a batch have in common.
#[derive(Clone, Debug)]
pub struct BatchFacts {
    /// The project, by our name for it.
    pub project: Project,
    /// Mixpanel's id of the task.
    pub tracking_id: String,
    /// The law.
    pub regulation: Regulation,
    /// What is disclosed.
    pub disclosure: Disclosure,
    /// When the export was finished. It is also the time of the archive's entries, so it must not
    /// change from one attempt to the next.
    pub exported_at: DateTime<Utc>,
}

/// What one archive is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outcome {
    pub(super) share: Share,
    /// Whether the export held records that nobody got.
    pub(super) unattributed: bool,
}

/// The archive of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonArchive {
    /// The request.
    pub request: RequestId,
    /// Where the archive is: the field `archive` of the request's hash.
    pub location: String,
    /// SHA-256 of the archive, in lower-case hex.
    pub sha256: String,
    /// Size of the archive.
    pub bytes: u64,
    /// Event records in it.
    pub events: u64,
    /// Profile records in it.
    pub profiles: u64,
}

/// A packaged export. `read` equals `given` plus `quarantined`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packaged {
    /// One archive per request, in the order of the batch.
    pub archives: Vec<PersonArchive>,
    /// Records in the export.
    pub read: u64,
    /// Records that at least one request got; a record that several got counts once.
    pub given: u64,
    /// Records that nobody got.
    pub quarantined: u64,
    /// Why nobody got them.
    pub reasons: Reasons,
    /// The file in the spool folder that holds them, if there are any.
    pub quarantine: Option<PathBuf>,
}

/// Splits the export at `export` among `people` and stores an archive for each of them, also for
/// those without data. Blocks; memory does not grow with the export.
///
/// Nothing is stored before the whole export was read and its counts balance. After an error in the
/// middle of storing, call again with the same facts: finished archives are replaced by equal ones.
pub fn package(
    export: &Path,
    batch: &BatchFacts,
    people: &[Person],
    password: Option<&SecretString>,
    limits: &Limits,
    spool: &Spool,
    store: &ArchiveStore,
) -> Result<Packaged, PackageError> {
    refuse_repeats(people)?;
    let work = spool.batch().map_err(PackageError::Spool)?;
    let tally = split_export(export, people, password, limits, &work)?;
    let quarantine = keep_quarantine(spool, &work, batch, &tally)?;
    let archives = people
        .iter()
        .enumerate()
        .map(|(request, person)| archive(request, person, batch, &tally, &work, store))
        .collect::<Result<_, _>>()?;
    store.sync().map_err(PackageError::Store)?;
    work.close().map_err(PackageError::Spool)?;
    Ok(Packaged {
        archives,
        read: tally.read,
        given: tally.given,
        quarantined: tally.reasons.total(),
        reasons: tally.reasons,
        quarantine,
    })
}

fn refuse_repeats(people: &[Person]) -> Result<(), PackageError> {
    let mut requests: Vec<&RequestId> = people.iter().map(|person| &person.request).collect();
    requests.sort_unstable();
    let repeated = requests.windows(2).any(|pair| pair.first() == pair.last());
    if repeated { Err(PackageError::RepeatedRequest) } else { Ok(()) }
}

fn split_export(
    export: &Path,
    people: &[Person],
    password: Option<&SecretString>,
    limits: &Limits,
    work: &Batch,
) -> Result<Tally, PackageError> {
    let mut splitter = Splitter::new(people, work.folder());
    open::each_text(export, password, limits, &mut |text| {
        records::each_record(text, limits, &mut |record| splitter.record(record))
    })?;
    splitter.finish()
}

fn keep_quarantine(
    spool: &Spool,
    work: &Batch,
    batch: &BatchFacts,
    tally: &Tally,
) -> Result<Option<PathBuf>, PackageError> {
    if tally.reasons.total() == 0 {
        return Ok(None);
    }
    let pile = piles::path(work.folder(), split::quarantine_pile(tally.shares.len()));
    spool
        .keep_quarantine(&pile, batch.project.as_str(), &batch.tracking_id)
        .map(Some)
        .map_err(PackageError::Spool)
}

fn archive(
    request: usize,
    person: &Person,
    batch: &BatchFacts,
    tally: &Tally,
    work: &Batch,
    store: &ArchiveStore,
) -> Result<PersonArchive, PackageError> {
    let share = tally.shares.get(request).copied().unwrap_or_default();
    let outcome = Outcome { share, unattributed: tally.reasons.total() > 0 };
    let path = |folder| piles::path(work.folder(), split::pile(request, folder));
    let (events, profiles) = (path(Folder::Events), path(Folder::Profiles));
    let piles = bundle::Piles { events: &events, profiles: &profiles };
    let mut draft = store.draft().map_err(PackageError::Store)?;
    bundle::bundle(draft.file(), batch, person, outcome, &piles)?;
    let stored = store.place(&person.request, draft).map_err(PackageError::Store)?;
    Ok(PersonArchive {
        request: person.request.clone(),
        location: stored.location,
        sha256: stored.sha256,
        bytes: stored.bytes,
        events: share.events,
        profiles: share.profiles,
    })
}
