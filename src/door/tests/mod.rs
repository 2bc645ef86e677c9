//! The door as SDKs meet it, over a real Redis.
#![expect(clippy::unwrap_used, reason = "tests")]

mod connections;
mod events;
mod limits;
mod opt_out;
mod rig;
