//! Storms: gdpr-worker under attack, from outside, and judged from outside by the crate `checker`.
//!
//! Each storm has a short form, which runs with the other tests unless it is ignored for its length, and a full one:
//!
//! ```sh
//! STORM=full cargo test --release --test storms -- --include-ignored --nocapture kills
//! ```
//!
//! `STORM_SEED=N` repeats one: it is printed with the figures. Requests are enqueued while the storm goes on; when it is
//! over, everything must come to its end, is enqueued a second time, and the history goes to the checker.
//!
//! | where | what |
//! | --- | --- |
//! | `field` | a world, its replicas, its producers, and the judgement at the end |
//! | `fleet` | replicas of the worker that are killed, stopped and started again |
//! | `load` | producers: what they enqueue and what was acknowledged to them |
//! | `proxy` | a way to Redis or Mixpanel that can be cut |
//! | the others | one storm each, or storms of one sort |

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod api;
mod clocks;
mod disk;
mod failovers;
mod failpoints;
mod field;
mod fleet;
mod load;
mod processes;
mod proxy;
mod redis;
mod requests;
mod rolling;
mod soak;
mod topologies;

#[path = "../it/world/mod.rs"]
#[allow(dead_code, unused_imports, clippy::format_push_string, reason = "storms use a part")]
mod world;
