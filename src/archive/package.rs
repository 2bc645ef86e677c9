//! One export in, one archive per request out.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use gdpr_jobs::{Disclosure, Project, Regulation, RequestId};
use secrecy::SecretString;

use crate::failpoint;

use super::{
    bundle,
    deflated::{self, Deflated, Held},
    deflater::Deflater,
    error::PackageError,
    limits::Limits,
    open::{self, Export},
    parallel::in_parallel,
    recipient::Recipient,
    slab::{Packed, RunKey, Slab, Workplace},
    split::{
        Reasons, Share, Splitter, Tally,
        people::Person,
        texts::{self, Part},
    },
    spool::{ExportName, Spool},
    store::{ArchiveStore, Consignment, Form, StoreError},
    wrap,
};

/// What all requests of a batch have in common.
#[derive(Clone, Debug)]
pub struct BatchFacts {
    /// The project, by our name for it.
    pub project: Project,
    /// The batch, by our name for it.
    pub batch: String,
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
    /// One archive per request that is not in doubt, in the order of the batch.
    pub archives: Vec<PersonArchive>,
    /// Requests that may lack a record of theirs, in the order of the batch. They have no archive:
    /// each is to be retrieved again, alone.
    pub in_doubt: Vec<RequestId>,
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

/// What packaging an export takes.
pub struct Packaging<'a> {
    /// What all its requests have in common.
    pub batch: &'a BatchFacts,
    /// Its requests.
    pub people: &'a [Person],
    /// Opens a sealed export.
    pub password: Option<&'a SecretString>,
    /// How much is unpacked at most.
    pub limits: &'a Limits,
    /// What it may use of the machine.
    pub means: Means,
    /// What goes into an archive besides the data.
    pub options: &'a ArchiveOptions,
    /// Where it is unpacked.
    pub spool: &'a Spool,
    /// Where archives are kept.
    pub store: &'a ArchiveStore,
}

/// What packaging may use of the machine. The bytes of the archives depend
/// on the memory, never on the threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Means {
    /// Bytes of records that wait in memory, at least 64 KiB; some 8 KiB per person come on top.
    pub memory: usize,
    /// Threads that compress, besides the one that reads; with none, that one does it.
    pub threads: usize,
}

impl Default for Means {
    fn default() -> Self {
        Self { memory: 64 * 1024 * 1024, threads: 2 }
    }
}

/// What the operator decided about archives.
#[derive(Clone, Debug, Default)]
pub struct ArchiveOptions {
    /// Whether `events.csv` is added, for people with a spreadsheet program.
    pub csv: bool,
    /// Whom archives are encrypted to; nobody else can open them then, the worker included.
    pub recipient: Option<Recipient>,
}

/// Splits `export` among the people of `job` and stores an archive for each request, also for those without
/// data, but not for those that may lack something ([`Packaged::in_doubt`]).
/// Blocks; memory does not grow with the export.
///
/// Nothing is stored before the whole export was read and its counts balance. After an error in the
/// middle of storing, call again with the same facts: finished archives are replaced by equal ones.
pub fn package(mut export: impl Export, job: &Packaging<'_>) -> Result<Packaged, PackageError> {
    refuse_repeats(job.people)?;
    if let [person] = job.people
        && let Some(packaged) = wrap_as_it_stands(&mut export, person, job)?
    {
        return Ok(packaged);
    }
    let work = job.spool.batch().map_err(PackageError::Spool)?;
    let reserve = |bytes| work.reserve(bytes);
    let (tally, packed) =
        split_export(export, job, Workplace { folder: work.folder(), reserve: &reserve })?;
    failpoint::reached("package.split");
    let quarantine = keep_quarantine(job, &packed, &tally)?;
    failpoint::reached("package.quarantined");
    let archives = store_archives(job, &packed, &tally)?;
    failpoint::reached("package.settled");
    drop(packed);
    work.close().map_err(PackageError::Spool)?;
    let doubtful = job.people.iter().enumerate().filter(|&(n, _)| tally.doubt.is_about(n));
    Ok(Packaged {
        archives,
        in_doubt: doubtful.map(|(_, person)| person.request.clone()).collect(),
        read: tally.read,
        given: tally.given,
        quarantined: tally.reasons.total(),
        reasons: tally.reasons,
        quarantine,
    })
}

/// The fast path: an export for one person that is deflated already. `None` if it is not of that kind.
fn wrap_as_it_stands(
    export: &mut impl Export,
    person: &Person,
    job: &Packaging<'_>,
) -> Result<Option<Packaged>, PackageError> {
    let Some(sole) = open::sole_deflate(export)? else { return Ok(None) };
    let Some(events) = wrap::inspect(export, &sole, job.limits, job.means.threads)? else {
        return Ok(None);
    };
    let profiles = Held::new(bundle::shape::ARRAY.none).map_err(PackageError::Spool)?;
    let contents = bundle::Contents { events: &events, profiles: &profiles, unparsed: None };
    let share = Share { events: events.events(), ..Share::default() };
    let consignment = job.store.consignment().map_err(storing)?;
    let outcome = Outcome { share, unattributed: false };
    let archive = archive(&mut Deflater::new(), job, person, outcome, &contents, &consignment)?;
    consignment.settle().map_err(storing)?;
    Ok(Some(Packaged {
        archives: vec![archive],
        in_doubt: Vec::new(),
        read: share.events,
        given: share.events,
        quarantined: 0,
        reasons: Reasons::default(),
        quarantine: None,
    }))
}

fn refuse_repeats(people: &[Person]) -> Result<(), PackageError> {
    let mut requests: Vec<&RequestId> = people.iter().map(|person| &person.request).collect();
    requests.sort_unstable();
    let repeated = requests.windows(2).any(|pair| pair.first() == pair.last());
    if repeated { Err(PackageError::RepeatedRequest) } else { Ok(()) }
}

fn split_export<'a>(
    export: impl Export,
    job: &Packaging<'a>,
    place: Workplace<'a>,
) -> Result<(Tally, Packed<'a>), PackageError> {
    let texts = texts::count(job.people.len());
    let slab = Slab::new(texts, job.means, place, RunKey::random()).map_err(PackageError::Spool)?;
    let mut splitter = Splitter::new(job.people, slab);
    open::each_record(export, job.password, job.limits, &mut |record| splitter.record(record))?;
    splitter.finish()
}

fn keep_quarantine(
    job: &Packaging<'_>,
    packed: &Packed<'_>,
    tally: &Tally,
) -> Result<Option<PathBuf>, PackageError> {
    if tally.reasons.total() == 0 {
        return Ok(None);
    }
    let text = packed.text(texts::quarantine(job.people.len()));
    let BatchFacts { project, batch, tracking_id, .. } = job.batch;
    let name = ExportName::new(project, batch, tracking_id);
    deflated::gzip(&text)
        .and_then(|mut content| job.spool.keep_quarantine(&name, &mut content))
        .map(Some)
        .map_err(PackageError::Spool)
}

fn store_archives(
    job: &Packaging<'_>,
    packed: &Packed<'_>,
    tally: &Tally,
) -> Result<Vec<PersonArchive>, PackageError> {
    let no_profiles = Held::new(bundle::shape::ARRAY.none).map_err(PackageError::Spool)?;
    let people = job.people.iter().zip(&tally.shares).enumerate();
    let certain: Vec<_> = people.filter(|&(request, _)| !tally.doubt.is_about(request)).collect();
    let consignment = job.store.consignment().map_err(storing)?;
    let archives = in_parallel(job.means.threads, certain.len(), Deflater::new, |deflater, n| {
        let Some(&(request, (person, &share))) = certain.get(n) else { return Ok(None) };
        let text = |part| packed.text(texts::of(request, part));
        let (events, profiles) = (text(Part::Events), text(Part::Profiles));
        let unparsed = text(Part::Unparsed);
        let contents = bundle::Contents {
            events: &events,
            profiles: if share.profiles == 0 { &no_profiles } else { &profiles },
            unparsed: (share.unparsed > 0).then_some(&unparsed as &dyn Deflated),
        };
        let outcome = Outcome { share, unattributed: tally.reasons.total() > 0 };
        archive(deflater, job, person, outcome, &contents, &consignment).map(Some)
    })?;
    consignment.settle().map_err(storing)?;
    Ok(archives.into_iter().flatten().collect())
}

fn archive(
    deflater: &mut Deflater,
    job: &Packaging<'_>,
    person: &Person,
    outcome: Outcome,
    contents: &bundle::Contents<'_>,
    consignment: &Consignment,
) -> Result<PersonArchive, PackageError> {
    let form = if job.options.recipient.is_some() { Form::Age } else { Form::Zip };
    let mut draft = consignment.draft(&person.request, form).map_err(storing)?;
    let Packaging { options, batch, .. } = *job;
    bundle::write_archive(deflater, &mut draft, options, batch, person, outcome, contents)?;
    let stored = consignment.place(draft).map_err(storing)?;
    failpoint::reached("package.placed");
    Ok(PersonArchive {
        request: person.request.clone(),
        location: stored.location,
        sha256: stored.sha256,
        bytes: stored.bytes,
        events: outcome.share.events,
        profiles: outcome.share.profiles,
    })
}

fn storing(error: StoreError) -> PackageError {
    PackageError::Store(error.into())
}
