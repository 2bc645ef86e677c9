//! Finds entries that were delivered and then abandoned, and takes them over.
//!
//! An entry of another consumer is taken only if it was seen idle for the lease twice, a grace
//! apart. After a stall or restart of Redis every entry looks abandoned for a moment; the grace lets
//! the living renew first, so a stall of any length takes nothing away from a running handler.
//! Entries of [`RELEASED`] have no owner and are taken at first sight.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use redis::{RedisResult, aio::MultiplexedConnection as Connection};
use tokio::time::Instant;

use super::{
    entry::{EntryId, RawEntry},
    group::{Claim, IDS_PER_COMMAND, Pending, RELEASED},
    shared::Shared,
};

const LONGEST_INTERVAL: Duration = Duration::from_secs(1);
const LONGEST_GRACE: Duration = Duration::from_secs(2);
const MOST_PAGES: usize = 10;

/// Remembers what looked abandoned, between one look and the next.
#[derive(Debug)]
pub(super) struct Reclaim {
    next_look: Instant,
    suspects: HashMap<EntryId, Instant>,
    claimable: VecDeque<Pending>,
}

impl Reclaim {
    pub(super) fn new() -> Self {
        let next_look = Instant::now();
        Self { next_look, suspects: HashMap::new(), claimable: VecDeque::new() }
    }

    /// Time until the next look is due.
    pub(super) fn due_in(&self) -> Duration {
        self.next_look.saturating_duration_since(Instant::now())
    }

    pub(super) fn has_claimable(&self) -> bool {
        !self.claimable.is_empty()
    }

    /// Looks for abandoned entries, if it is time to.
    pub(super) async fn look<T>(
        &mut self,
        connection: &mut Connection,
        shared: &Shared<T>,
    ) -> RedisResult<()> {
        if !self.due_in().is_zero() || self.has_claimable() {
            return Ok(());
        }
        let mut rows = all_idle(connection, shared).await?;
        // Ours are handled at this moment, however long Redis took to say so.
        shared.live.exclude(&mut rows, |row| row.id);
        self.judge(rows, shared.options.lease, Instant::now());
        self.next_look = Instant::now() + LONGEST_INTERVAL.min(shared.options.lease / 3);
        Ok(())
    }

    fn judge(&mut self, rows: Vec<Pending>, lease: Duration, now: Instant) {
        let before = std::mem::take(&mut self.suspects);
        let grace = LONGEST_GRACE.min(lease / 2);
        for row in rows {
            let first_seen = before.get(&row.id).copied().unwrap_or(now);
            if row.consumer == RELEASED || now.duration_since(first_seen) >= grace {
                self.claimable.push_back(row);
            } else {
                self.suspects.insert(row.id, first_seen);
            }
        }
    }

    /// Claims as many of the found entries as fit into `room` deliveries.
    pub(super) async fn take<T>(
        &mut self,
        connection: &mut Connection,
        shared: &Shared<T>,
        room: usize,
    ) -> RedisResult<Vec<RawEntry>> {
        let ids = self.choose(room, shared.options.chunk);
        let mut taken = Vec::with_capacity(ids.len());
        for claim in shared.group.claim(connection, &ids).await? {
            match claim {
                Claim::Taken(entry) => taken.push(entry),
                Claim::Lost(id) => {
                    shared.metrics.lost.add(1);
                    let stream = &shared.options.stream;
                    tracing::warn!(%stream, entry = %id, "a pending entry was deleted unhandled");
                }
                Claim::Missed => {}
            }
        }
        shared.metrics.reclaimed.add(taken.len());
        Ok(taken)
    }

    /// An entry that was delivered before fills a delivery by itself: were many claimed at once,
    /// the one that kills its process would use up the deliveries of its neighbours too.
    fn choose(&mut self, room: usize, chunk: usize) -> Vec<EntryId> {
        let mut ids = Vec::new();
        for _ in 0..room {
            let mut places = chunk;
            while let Some(row) = self.claimable.front()
                && (places == chunk || (places > 0 && row.deliveries == 0))
            {
                ids.push(row.id);
                places = if row.deliveries == 0 { places - 1 } else { 0 };
                self.claimable.pop_front();
            }
            if ids.len() >= IDS_PER_COMMAND {
                break;
            }
        }
        ids
    }
}

async fn all_idle<T>(connection: &mut Connection, shared: &Shared<T>) -> RedisResult<Vec<Pending>> {
    let mut rows = Vec::new();
    for _ in 0..MOST_PAGES {
        let after = rows.last().map(|row: &Pending| row.id);
        let page = shared.group.idle(connection, after).await?;
        let full = page.len() == IDS_PER_COMMAND;
        rows.extend(page);
        if !full {
            break;
        }
    }
    Ok(rows)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(30);

    fn row(id: &str, consumer: &str, deliveries: u64) -> Pending {
        Pending { id: id.parse().unwrap(), consumer: consumer.into(), deliveries }
    }

    #[test]
    fn anothers_entry_is_taken_only_when_it_stays_idle_for_the_grace() {
        let mut reclaim = Reclaim::new();
        let start = Instant::now();
        let rows = || vec![row("1-1", "other", 1)];
        reclaim.judge(rows(), LEASE, start);
        reclaim.judge(rows(), LEASE, start + LONGEST_GRACE / 2);
        assert!(!reclaim.has_claimable());
        reclaim.judge(rows(), LEASE, start + LONGEST_GRACE);
        assert!(reclaim.has_claimable());
    }

    #[test]
    fn an_entry_that_was_renewed_in_between_is_a_new_suspect() {
        let mut reclaim = Reclaim::new();
        let start = Instant::now();
        reclaim.judge(vec![row("1-1", "other", 1)], LEASE, start);
        reclaim.judge(Vec::new(), LEASE, start + Duration::from_secs(1));
        reclaim.judge(vec![row("1-1", "other", 1)], LEASE, start + LONGEST_GRACE);
        assert!(!reclaim.has_claimable());
    }

    #[test]
    fn a_released_entry_is_taken_at_first_sight() {
        let mut reclaim = Reclaim::new();
        reclaim.judge(vec![row("1-1", RELEASED, 0)], LEASE, Instant::now());
        assert!(reclaim.has_claimable());
    }

    #[test]
    fn handed_back_entries_share_a_delivery_and_redelivered_ones_do_not() {
        let mut reclaim = Reclaim::new();
        let counts = [0, 0, 0, 1, 0, 2, 2];
        let rows = counts.iter().zip(1..).map(|(n, i)| row(&format!("1-{i}"), RELEASED, *n));
        reclaim.judge(rows.collect(), LEASE, Instant::now());
        let sizes = [1, 1, 1, 9].map(|room| reclaim.choose(room, 2).len());
        assert_eq!(sizes, [2, 1, 1, 3], "two fresh, one fresh, one redelivered, the rest");
    }
}
