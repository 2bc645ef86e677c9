//! One replica at a time reads a project's events; another takes over where it stopped.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::{
    Deliverer,
    backlog::{Backlog, Next, Offers, backlog},
    entry::{self, place},
    lane::{self, Chunk, Tenure},
};
use crate::{
    consent::RecordKind,
    ledger::{EventEntry, LedgerError},
    queue::Connector,
};

/// After so long without a sign a reader counts as dead.
const LEASE: Duration = Duration::from_secs(10);
/// How often it gives one.
const RENEW: Duration = Duration::from_secs(3);
/// How often the others look.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// How often it is looked whether a Redis that forgets is mended; nothing is sent before.
const LOOK_FOR_REPAIR: Duration = Duration::from_secs(2);
/// Entries, and bytes of them, in one read.
const CHUNK: usize = 2000;
const CHUNK_BYTES: usize = 512 * 1024;
/// Chunks of events that are delivered at once. A chunk that waits or is on its way costs its bytes some three times.
const EVENT_LANES: usize = 3;
/// How long a read waits for new entries before it looks whether to stop.
const BLOCK: Duration = Duration::from_secs(1);

/// Delivers events whenever this replica is the reader, until told to stop.
pub async fn run(deliverer: Arc<Deliverer>, connector: Connector, stopped: watch::Receiver<bool>) {
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    let mut told = stopped;
    tokio::spawn(async move {
        let _ = told.wait_for(|stopped| *stopped).await;
        stopping.cancel();
    });
    while !stop.is_cancelled() {
        if matches!(deliverer.ledger.volatile().await, Ok(Some(_))) {
            tokio::select! {
                () = tokio::time::sleep(LOOK_FOR_REPAIR) => {}
                () = stop.cancelled() => {}
            }
            continue;
        }
        // A new token each time: what an earlier tenure of ours left behind is fenced off, too.
        let tenure = Tenure {
            token: format!("{:032x}", rand::random::<u128>()).into(),
            over: stop.child_token(),
            unsettled: Arc::default(),
        };
        if let Err(error) = serve(&deliverer, &connector, &tenure).await {
            tracing::warn!(project = %deliverer.project, %error, "reading events is tried again");
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_AGAIN) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// One tenure: from becoming the reader until that is over.
async fn serve(
    deliverer: &Arc<Deliverer>,
    connector: &Connector,
    tenure: &Tenure,
) -> Result<(), LedgerError> {
    if !deliverer.ledger.become_reader(&tenure.token, LEASE).await? {
        return Ok(());
    }
    let over = tenure.over.clone();
    let mut tasks = JoinSet::new();
    tasks.spawn(stay(Arc::clone(deliverer), tenure.clone()));
    let (profiles, lane) = backlog();
    tasks.spawn(profile_lane(Arc::clone(deliverer), tenure.clone(), lane));
    let read = read_all(deliverer, connector, tenure, &profiles).await;
    over.cancel();
    drop(profiles);
    // What is on the wire has a deadline of its own, so this ends.
    while tasks.join_next().await.is_some() {}
    let _ = deliverer.ledger.keep_reading(&tenure.token, Duration::ZERO).await;
    read
}

async fn read(deliverer: &Deliverer, after: &str) -> Result<Vec<EventEntry>, LedgerError> {
    deliverer.ledger.read_events(after, CHUNK, CHUNK_BYTES).await
}

/// Reads all that there is, then what is new, and hands it to the lanes.
async fn read_all(
    deliverer: &Arc<Deliverer>,
    connector: &Connector,
    tenure: &Tenure,
    profiles: &Offers,
) -> Result<(), LedgerError> {
    let lanes = Arc::new(Semaphore::new(EVENT_LANES));
    let mut events = JoinSet::new();
    let mut doorbell = Doorbell::default();
    let mut after = String::from("0");
    let ended = loop {
        let entries = match read(deliverer, &after).await {
            Ok(entries) => entries,
            Err(error) => break Err(error),
        };
        if let Some(last) = entries.last() {
            after.clone_from(&last.id);
            let (for_people, rest): (Vec<_>, Vec<_>) =
                entries.into_iter().partition(entry::is_profile);
            // First: what is offered next may depend on these.
            let (first, in_a_row) = (rest.first().map(place), for_people.is_empty());
            if let Some(first) = first {
                tenure.unsettled.enter(first);
            }
            profiles.offer(for_people);
            if let Some(first) = first {
                let permit = tokio::select! {
                    permit = Arc::clone(&lanes).acquire_owned() => permit,
                    () = tenure.over.cancelled() => break Ok(()),
                };
                let (deliverer, tenure) = (Arc::clone(deliverer), tenure.clone());
                events.spawn(async move {
                    let _permit = permit;
                    let chunk = Chunk { entries: &rest, in_a_row };
                    if finish(&deliverer, &tenure, RecordKind::Event, chunk).await {
                        tenure.unsettled.leave(first);
                    }
                });
            }
        } else {
            tokio::select! {
                rung = doorbell.wait(deliverer, connector, &after) => if let Err(error) = rung {
                    break Err(error.into());
                },
                () = tenure.over.cancelled() => break Ok(()),
            }
        }
        while let Some(ended) = events.try_join_next() {
            if ended.is_err() {
                tracing::error!(project = %deliverer.project, "a delivery ended in a panic; its entries are read again");
                tenure.over.cancel();
            }
        }
        if tenure.over.is_cancelled() {
            break Ok(());
        }
    };
    tenure.over.cancel();
    while events.join_next().await.is_some() {}
    ended
}

/// Delivers a chunk; whether all of it is settled. Trouble with Redis ends the tenure: what is not settled is read again.
async fn finish(
    deliverer: &Deliverer,
    tenure: &Tenure,
    kind: RecordKind,
    chunk: Chunk<'_>,
) -> bool {
    lane::deliver(deliverer, tenure, kind, chunk).await.unwrap_or_else(|error| {
        tracing::warn!(project = %deliverer.project, %error, "a delivery is tried again");
        tenure.over.cancel();
        false
    })
}

/// Profiles, chunk after chunk: a person's operations arrive in the order in which they were enqueued.
async fn profile_lane(deliverer: Arc<Deliverer>, tenure: Tenure, mut backlog: Backlog) {
    // Without this lane nobody would deliver profile updates: a panic in it ends the tenure, too.
    let _whatever_ends_it = tenure.over.clone().drop_guard();
    while let Some(next) = backlog.next().await {
        if tenure.over.is_cancelled() {
            return;
        }
        let entries = match next {
            Next::Deliver(entries) => entries,
            Next::ReadAgain { after, until } => match read(&deliverer, &after.to_string()).await {
                Ok(page) => backlog.of_page(page, until),
                Err(error) => {
                    tracing::warn!(project = %deliverer.project, %error, "reading profile updates is tried again");
                    return tenure.over.cancel();
                }
            },
        };
        if !entries.is_empty() {
            let chunk = Chunk { entries: &entries, in_a_row: false };
            finish(&deliverer, &tenure, RecordKind::Profile, chunk).await;
        }
    }
}

/// Renews the lease until the tenure is over; ends it when the lease is lost.
async fn stay(deliverer: Arc<Deliverer>, tenure: Tenure) {
    let _whatever_ends_it = tenure.over.clone().drop_guard();
    loop {
        tokio::select! {
            () = tokio::time::sleep(RENEW) => {}
            () = tenure.over.cancelled() => return,
        }
        // An error is no news: the claim of the next parcel tells whether this is still the reader.
        if matches!(deliverer.ledger.keep_reading(&tenure.token, LEASE).await, Ok(false)) {
            tenure.over.cancel();
        }
    }
}

/// Waits for entries after the last one read.
#[derive(Default)]
struct Doorbell {
    connection: Option<redis::aio::MultiplexedConnection>,
}

impl Doorbell {
    async fn wait(
        &mut self,
        deliverer: &Deliverer,
        connector: &Connector,
        after: &str,
    ) -> Result<(), redis::RedisError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => connector.connect_blocking_for(BLOCK).await?,
        };
        let mut command = redis::cmd("XREAD");
        command.arg("COUNT").arg(1).arg("BLOCK").arg(BLOCK.as_millis());
        command.arg("STREAMS").arg(deliverer.ledger.keys().events()).arg(after);
        command.exec_async(&mut connection).await?;
        self.connection = Some(connection);
        Ok(())
    }
}
