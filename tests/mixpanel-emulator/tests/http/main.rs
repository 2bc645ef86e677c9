//! The emulator from outside, over real sockets.
#![expect(clippy::unwrap_used, reason = "tests")]

mod client;
mod downloads;
mod exports;
mod faults;
mod ingested;
mod ingestion;
mod limits;
mod program;
mod tasks;
