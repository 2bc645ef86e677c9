//! The queue of the worker: an apalis [`Backend`](apalis_core::backend::Backend) over Redis
//! Streams. It knows nothing of what the jobs mean.
//!
//! ```text
//! stream ─XREADGROUP─▶ fetch ─▶ shelf ─▶ backend ─▶ layer ─▶ handler
//!   ▲  ▲                 ▲ decode          (apalis)    │ verdict
//!   │  └──reclaim────────┘                             ▼
//!   │     XCLAIM                 keep: renew, XACK+XDEL, release, bury
//! delayed: zset ─move_due.lua─▶ stream
//! ```
//!
//! | file | what it holds |
//! | --- | --- |
//! | `backend` | [`StreamQueue`], what apalis polls |
//! | `options`, `metrics`, `connect` | settings, counts, the way to Redis |
//! | `entry`, `reply` | stream entries, and how jobs are decoded from them |
//! | `delivery`, `layer` | what a handler gets, and the verdict about it |
//! | `shelf` | bounded prefetch |
//! | `fetch`, `reclaim` | the reader, and the taking over of abandoned entries |
//! | `keep` | the keeper: renewals, acknowledgements, releases, dead letters |
//! | `group` | the Redis commands of a consumer group |
//! | `server`, `gate` | whether Redis keeps what it is told, and waiting until it has |
//! | `delayed` | jobs for later |
//!
//! # Promises
//!
//! * **At least once.** An entry stays in the stream until its handler returned `Ok` and Redis
//!   confirmed XACK and XDEL. In a process that lives, a running handler's entry is renewed every
//!   third of the lease and given to nobody else.
//! * **A bad entry harms only itself.** What cannot be decoded, or was delivered `max_deliveries`
//!   times without an end, goes to the dead stream with its fields, `entry` (its id) and `reason`.
//! * **Redis may go away.** Reader and keeper reconnect for ever; handlers do not notice.
//! * **A failed handler** (error, panic, dropped future) gives its entries up to the consumer
//!   `(released)` with an idle time of *lease − pause*, so that anyone may take them after the
//!   pause. Their delivery count stays, and they are delivered one by one from then on.
//! * **A stop** hands back what no handler has seen, at once and with the delivery count it had
//!   before, so another worker takes it within a second and before newer entries.
//!
//! # How to build a worker
//!
//! ```ignore
//! let queue = StreamQueue::<Job>::open(connector, QueueOptions::new("jobs", "workers"));
//! WorkerBuilder::new("jobs")
//!     .backend(queue)
//!     .data(context)
//!     .concurrency(4)              // apalis does not limit by itself
//!     .parallelize(tokio::spawn)   // handlers do not share the worker's task
//!     .catch_panic()               // a panic is a failure of its delivery, not of the worker
//!     .build(handler)              // async fn(Delivery<Job>, Data<Context>) -> Result<(), _>
//! ```

mod backend;
mod connect;
mod delayed;
mod delivery;
mod entry;
mod fetch;
mod gate;
mod group;
mod keep;
mod layer;
mod metrics;
mod options;
mod patience;
mod reclaim;
mod reply;
pub mod server;
mod shared;
mod shelf;
#[cfg(test)]
mod tests;

pub use backend::{QueueEnded, StreamQueue};
#[cfg(any(fuzzing, test))]
pub use connect::fuzzing;
pub use connect::{
    AddressError, Authorities, Connection, Connector, InvalidAuthorities, Primary, SCHEMES,
    was_not_run,
};
pub use delayed::{Delayed, JOB_FIELD, Moved, Mover, Poke, ScheduleMode};
pub use delivery::{Delivery, Entry};
pub use entry::{Decode, EntryId, Fields, NotAnEntryId, Undecodable};
pub use gate::{Durability, Gate, GateError, Passage, Together};
pub use layer::{Acknowledge, AcknowledgeLayer};
pub use metrics::{Counter, QueueMetrics};
pub use options::QueueOptions;
