//! Events on their way to Mixpanel: read from the queue, filtered, delivered, settled.
//!
//! ```text
//! events ──read──▶ entries ──┬─▶ event lanes, a few at once ─┐   claim the wire ▶ filter ▶ send ▶ settle
//!        (one reader at      └─▶ profile lane, in order ─────┘        ▲                        │
//!         a time)                                                     └──── pause, again ◀─────┘
//! ```
//!
//! | file | one idea |
//! | --- | --- |
//! | `reader` | one replica reads at a time; another takes over where it stopped |
//! | `entry` | what an entry of the stream asks to deliver |
//! | `sorting` | the records of a batch, in parcels' worths |
//! | `backlog` | profile updates between the reader and their lane: events never wait for them |
//! | `unsettled` | which events are under way: the deletion of a profile waits for those before it |
//! | `lane` | one batch of entries until all of it is settled |
//! | `attempt` | one parcel: claim, filter, send, settle |
//! | `parcel` | what leaves of some records, given what their people have said |
//! | `settlement` | what became of a parcel, for the ledger |
//! | `pause` | when Mixpanel wants less, refuses everything, or does not answer |
//! | `purge` | events of people who opted out go from the queue, too |
//!
//! The rule behind it all: **nothing is sent without a claim, and nothing is sent after the claim's time is over.** Each
//! attempt claims anew, so what a person said while Mixpanel was away counts.

mod attempt;
mod backlog;
mod entry;
mod lane;
mod parcel;
mod pause;
mod purge;
mod reader;
mod settlement;
mod sorting;
mod unsettled;

use std::{sync::Arc, time::Duration};

use gdpr_jobs::{DistinctId, Pepper, Project, Tag};

use crate::{
    config::{EventEndpoint, PrivacyConfig},
    consent::Filter,
    ledger::{Ledger, Vault},
    mixpanel::{Channel, Ingestion},
};

pub use purge::purge;
pub use reader::run;

use pause::Pauses;

/// Idle connections worth keeping: one for each lane.
pub const CONNECTIONS: usize = 6;
/// The longest that a parcel may be on its way; afterwards not a byte of it leaves.
const MOST_ON_THE_WIRE: Duration = Duration::from_secs(20);
/// How much longer the claim holds: what left at the last moment has arrived by then.
const ARRIVES_WITHIN: Duration = Duration::from_secs(10);

/// What delivers the events of one project.
pub struct Deliverer {
    /// The project.
    pub project: Project,
    /// The truth.
    pub ledger: Ledger,
    /// What may leave, and how.
    pub filter: Filter,
    ingestion: Ingestion,
    vault: Vault,
    pepper: Pepper,
    privacy: PrivacyConfig,
    time_on_the_wire: Duration,
    pauses: Pauses,
}

impl Deliverer {
    /// Puts everything together; makes no call. `call_timeout` bounds the time that a parcel may be on the wire.
    #[expect(clippy::too_many_arguments, reason = "put together once")]
    pub fn new(
        project: Project,
        ledger: Ledger,
        filter: Filter,
        ingestion: Ingestion,
        vault: Vault,
        pepper: Pepper,
        privacy: PrivacyConfig,
        call_timeout: Duration,
    ) -> Arc<Self> {
        Arc::new(Self {
            project,
            ledger,
            filter,
            ingestion,
            vault,
            pepper,
            privacy,
            time_on_the_wire: call_timeout.min(MOST_ON_THE_WIRE),
            pauses: Pauses::default(),
        })
    }

    /// What keeps events from being delivered, in words, if anything does.
    pub fn problems(&self) -> impl Iterator<Item = String> {
        self.pauses.problems()
    }

    fn tag(&self, id: &DistinctId) -> Tag {
        self.pepper.tag(&self.project, id)
    }

    const fn event_channel(&self) -> Channel {
        match self.privacy.event_endpoint {
            EventEndpoint::Import => Channel::Import,
            EventEndpoint::Track => Channel::Track,
        }
    }
}
