//! Many writers that wait for one confirmation.
//!
//! A wait blocks the connection that it is made on, so each writer would need one of its own, while the disk is synced once a
//! second for all of them. Here all share a connection: what is written while a wait is under way gathers behind it, and the
//! next wait is for all of that.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use redis::{Pipeline, RedisResult, aio::MultiplexedConnection};

use super::{Gate, GateError, Line, Wait, lock};

/// A way through a gate that many use at once.
pub struct Together {
    gate: Gate,
    way: Mutex<Option<Arc<Way>>>,
}

/// A connection, and how far what was written over it is kept.
struct Way {
    connection: MultiplexedConnection,
    wait: Wait,
    /// How many writes were answered.
    written: AtomicU64,
    /// Whoever has it waits for all.
    confirmed: tokio::sync::Mutex<Confirmed>,
}

/// The same connection, and up to which of the writes all are kept.
struct Confirmed {
    line: Line,
    kept: u64,
}

impl Together {
    /// A way through `gate`. Connects to nothing yet.
    pub fn new(gate: Gate) -> Self {
        Self { gate, way: Mutex::default() }
    }

    /// Runs a pipeline; returns when what it wrote is kept. After an error it may be there all the same: writing it again
    /// must change nothing.
    pub async fn write(&self, pipe: &Pipeline) -> Result<(), GateError> {
        let way = self.way().await?;
        let written = way.write(&self.gate, pipe).await;
        if written.is_err() {
            // Its server may not be the one to ask any more.
            lock(&self.way).take_if(|current| Arc::ptr_eq(current, &way));
        }
        written
    }

    async fn way(&self) -> RedisResult<Arc<Way>> {
        if let Some(way) = &*lock(&self.way) {
            return Ok(Arc::clone(way));
        }
        let (line, _) = self.gate.line().await?;
        let way = Arc::new(Way {
            connection: line.connection.clone(),
            wait: line.wait,
            written: AtomicU64::new(0),
            confirmed: tokio::sync::Mutex::new(Confirmed { line, kept: 0 }),
        });
        Ok(Arc::clone(lock(&self.way).get_or_insert(way)))
    }
}

impl Way {
    async fn write(&self, gate: &Gate, pipe: &Pipeline) -> Result<(), GateError> {
        pipe.exec_async(&mut self.connection.clone()).await?;
        if self.wait == Wait::Answer {
            return Ok(());
        }
        let mine = self.written.fetch_add(1, Ordering::SeqCst) + 1;
        let mut confirmed = self.confirmed.lock().await;
        if confirmed.kept < mine {
            // What is written from now on gathers behind the wait.
            let until = self.written.load(Ordering::SeqCst);
            confirmed.line.kept(gate).await?;
            confirmed.kept = until;
        }
        Ok(())
    }
}
