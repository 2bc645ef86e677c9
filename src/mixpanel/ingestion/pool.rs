//! Connections that wait for the next parcel.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::connection::Connection;

/// How long a connection may wait. Balancers in front of APIs close idle ones after a minute at the earliest, and a
/// request on one that is just being closed is lost.
const MOST_IDLE: Duration = Duration::from_secs(30);

/// Idle connections, the last used one on top.
pub(super) struct Pool {
    idle: Mutex<Vec<Connection>>,
    most: usize,
}

impl Pool {
    /// A pool that keeps so many at most; none: every call has a connection of its own.
    pub(super) fn new(most: usize) -> Self {
        Self { idle: Mutex::new(Vec::new()), most }
    }

    /// A connection that stood a moment ago.
    pub(super) fn take(&self) -> Option<Connection> {
        let mut idle = self.idle();
        idle.retain(|connection| connection.idle_for() < MOST_IDLE);
        while let Some(mut connection) = idle.pop() {
            if connection.is_fit() {
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a connection whose call is over, if it is fit for another and there is room.
    pub(super) fn give(&self, mut connection: Connection) {
        if connection.rest() {
            let mut idle = self.idle();
            if idle.len() < self.most {
                idle.push(connection);
            }
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
