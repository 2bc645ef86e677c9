//! The promises of the queue, against a real Redis that is killed, stalled and emptied.

#![expect(clippy::unwrap_used, reason = "tests")]

mod delayed;
mod faults;
mod handling;
mod rig;
mod server;
mod stopping;
