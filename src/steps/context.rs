//! What the steps may touch: assembled once per project, shared by all jobs.

use std::{
    future::Future,
    path::PathBuf,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use gdpr_jobs::Project;
use redis::ErrorKind;
use secrecy::SecretString;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::{
    archive::{
        ArchiveOptions, ArchiveStore, Limits, Means, Quota, Recipient, RecipientError, Spool,
        SpoolKey, StoreError,
    },
    config::ProjectConfig,
    consent::Filter,
    delivery::{self, Deliverer},
    ledger::{IdForms, Ledger, LedgerError, Vault},
    mixpanel::{
        Client, ClientSetupError, Credentials, DownloadTimeouts, Downloader, Endpoints,
        ExportHosts, Ingestion, InvalidEndpoint, InvalidExportHost, Pace, Region, Timeouts,
        UnknownRegion,
    },
};

/// How many exports are fetched at once. One at a time is packaged: it uses all the memory and threads that are
/// allowed for that.
const DOWNLOADS_AT_ONCE: usize = 4;

/// Why a project cannot be worked for.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The region is none.
    #[error("MIXPANEL_REGION: {0}")]
    Region(#[from] UnknownRegion),
    /// A base URL cannot be used.
    #[error("MIXPANEL_API_URL or MIXPANEL_INGESTION_URL: {0}")]
    Endpoint(#[from] InvalidEndpoint),
    /// The host list cannot be read.
    #[error("GDPR_EXPORT_HOSTS: {0}")]
    Hosts(#[from] InvalidExportHost),
    /// The HTTP client cannot be made.
    #[error(transparent)]
    Client(#[from] ClientSetupError),
    /// The archive folder cannot be used.
    #[error("GDPR_ARCHIVE_URL: {0}")]
    Store(#[from] StoreError),
    /// Archives are in a bucket, so there is no folder beside them for exports.
    #[error(
        "GDPR_SPOOL is not set: expected a folder for exports while they are packaged, because archives are kept in a bucket"
    )]
    NoSpool,
    /// The key that archives are to be encrypted for is none.
    #[error("GDPR_ARCHIVE_RECIPIENT is {0}")]
    Recipient(#[from] RecipientError),
    /// The spool folder cannot be used.
    #[error("GDPR_SPOOL: {0}")]
    Spool(#[source] std::io::Error),
}

/// How archives are made.
#[derive(Clone, Debug)]
pub struct Archives {
    /// How much is unpacked at most.
    pub limits: Limits,
    /// What packaging may use of the machine.
    pub means: Means,
    /// What goes into them.
    pub options: ArchiveOptions,
}

/// What the steps of one project work with.
pub struct Context {
    /// The project.
    pub project: Project,
    /// Its settings.
    pub config: ProjectConfig,
    /// The truth.
    pub ledger: Ledger,
    /// The pace of calls.
    pub pace: Pace,
    /// Mixpanel's API.
    pub mixpanel: Client,
    /// Where exports are fetched.
    pub downloader: Downloader,
    /// Where archives are kept.
    pub store: Arc<ArchiveStore>,
    /// Where exports are unpacked.
    pub spool: Arc<Spool>,
    /// Opens and seals identifiers.
    pub vault: Vault,
    /// Calls that must be finished even when their job is given up.
    pub calls: TaskTracker,
    /// How archives are made.
    pub archives: Archives,
    /// What delivers events.
    pub delivery: Arc<Deliverer>,
    pub(super) downloads: Arc<Semaphore>,
    pub(super) packaging: Arc<Semaphore>,
    oauth_fingerprint: RwLock<String>,
    ids_hashed: AtomicBool,
}

impl Context {
    /// Puts everything together; makes no call.
    pub fn new(config: ProjectConfig, ledger: Ledger, pace: Pace) -> Result<Self, SetupError> {
        let region: Region = config.region.parse()?;
        let endpoints =
            Endpoints::new(region, config.api_url.as_deref(), config.ingestion_url.as_deref())?;
        let credentials = Credentials {
            project_token: config.project_token.clone(),
            oauth_token: config.oauth_token.value.clone(),
        };
        let timeouts = Timeouts { total: config.call_timeout, ..Timeouts::default() };
        let hosts = match &config.export_hosts {
            Some(text) => text.parse()?,
            None => ExportHosts::default(),
        };
        let store = ArchiveStore::open(&config.archive_url)?;
        let folder = config.spool.clone().or_else(|| default_spool(&store));
        let folder = folder.ok_or(SetupError::NoSpool)?;
        let key = SpoolKey::derive(config.pepper.key_material());
        let quota = Quota { most: config.spool_max, reserve: config.spool_reserve };
        let mut spool = Spool::new(folder, key, quota).map_err(SetupError::Spool)?;
        let recipient = config.archive_recipient.as_deref().map(str::parse::<Recipient>);
        let recipient = recipient.transpose()?;
        if let Some(recipient) = &recipient {
            spool = spool.with_quarantine_for(recipient);
        }
        let vault = Vault::new(&config.pepper, &config.project);
        let filter =
            Filter::new(&config.privacy, &config.pepper, &config.project, &config.project_token);
        let ingestion = Ingestion::new(
            endpoints.clone(),
            &config.project_token,
            timeouts,
            delivery::CONNECTIONS,
        )?;
        let delivery = Deliverer::new(
            config.project.clone(),
            ledger.clone(),
            filter,
            ingestion,
            vault.clone(),
            config.pepper.clone(),
            config.privacy.clone(),
            config.call_timeout,
        );
        Ok(Self {
            delivery,
            project: config.project.clone(),
            mixpanel: Client::new(endpoints, &credentials, timeouts)?,
            downloader: Downloader::new(hosts, DownloadTimeouts::default())?,
            store: Arc::new(store),
            spool: Arc::new(spool),
            vault,
            calls: TaskTracker::new(),
            downloads: Arc::new(Semaphore::new(DOWNLOADS_AT_ONCE)),
            packaging: Arc::new(Semaphore::new(1)),
            archives: Archives {
                limits: Limits { unpacked_bytes: config.export_max, ..Limits::default() },
                means: Means { memory: config.packaging_memory, threads: config.packaging_threads },
                options: ArchiveOptions { csv: config.archive_csv, recipient },
            },
            oauth_fingerprint: RwLock::new(config.pepper.fingerprint(&config.oauth_token.value)),
            ids_hashed: AtomicBool::new(config.privacy.anonymize_ids),
            ledger,
            pace,
            config,
        })
    }

    /// Makes the archive store this project's: the first contact with it.
    pub async fn claim_store(&self) -> anyhow::Result<()> {
        let (store, project) = (Arc::clone(&self.store), self.project.clone());
        let claimed = tokio::task::spawn_blocking(move || store.claim(&project)).await?;
        Ok(claimed.map_err(SetupError::from)?)
    }

    /// In which forms Mixpanel may know people, as far as this process has been told.
    pub(super) fn id_forms(&self) -> IdForms {
        if self.ids_hashed.load(Ordering::Relaxed) { IdForms::Both } else { IdForms::Plain }
    }

    /// Notes that ids of this project have left as keyed hashes, under other settings or another replica's.
    pub(super) fn note_hashed_ids(&self) {
        self.ids_hashed.store(true, Ordering::Relaxed);
    }

    /// A keyed fingerprint of the OAuth token in use.
    pub fn oauth_fingerprint(&self) -> String {
        self.oauth_fingerprint.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes a repaired token from its file. Returns whether there is another one than before.
    pub(super) fn reread_oauth_token(&self) -> bool {
        let Some(token) = self.config.oauth_token.reread() else { return false };
        let fingerprint = self.config.pepper.fingerprint(&token);
        if fingerprint == self.oauth_fingerprint() || self.use_token(&token).is_err() {
            return false;
        }
        *self.oauth_fingerprint.write().unwrap_or_else(PoisonError::into_inner) = fingerprint;
        true
    }

    fn use_token(&self, token: &SecretString) -> Result<(), ClientSetupError> {
        self.mixpanel.set_oauth_token(token)
    }

    /// Writes to the ledger until it is written: what Mixpanel answered must not be lost because
    /// Redis is away for a while.
    pub(super) async fn insist<T, F>(&self, mut write: impl FnMut() -> F) -> Result<T, LedgerError>
    where
        F: Future<Output = Result<T, LedgerError>>,
    {
        let mut pause = Duration::from_millis(50);
        loop {
            match write().await {
                Err(fault) if is_passing(&fault) => {
                    tracing::warn!(project = %self.project, %fault, "Redis did not take an outcome; trying again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(2));
                }
                done => return done,
            }
        }
    }
}

/// Whether Redis may take the same write later. A script that it cannot run it never will.
fn is_passing(error: &LedgerError) -> bool {
    let error = match error {
        LedgerError::Redis(error) => error,
        // It was written. What the server cannot wait for any more, the next connection does not ask for.
        LedgerError::NotKept(_) => return true,
        _ => return false,
    };
    error.is_io_error()
        || error.is_timeout()
        || error.is_connection_dropped()
        // While no server is the primary, or none that is asked knows which.
        || matches!(
            error.kind(),
            ErrorKind::MasterNameNotFoundBySentinel | ErrorKind::ClusterConnectionNotFound
        )
        || matches!(
            error.code(),
            Some(
                "LOADING"
                    | "BUSY"
                    | "READONLY"
                    | "MASTERDOWN"
                    | "OOM"
                    | "MISCONF"
                    | "CLUSTERDOWN"
                    | "TRYAGAIN"
                    | "NOREPLICAS"
                    | "MOVED"
                    | "ASK"
                    | "NOSCRIPT"
                    | "UNBLOCKED"
            )
        )
}

fn default_spool(store: &ArchiveStore) -> Option<PathBuf> {
    Some(store.folder()?.join(".spool"))
}
