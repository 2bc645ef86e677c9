//! A stand-in for Mixpanel's GDPR and ingestion APIs: what a person without an account tries
//! gdpr-worker with, and what all tests run against.
//!
//! It was written from the documents of the API alone and shares no type with the worker, so a
//! misreading on one side cannot hide on the other.
//!
//! | where | what |
//! | --- | --- |
//! | `server`, `deliver` | HTTP: calls in, answers out, connections cut on command |
//! | `state` | the way of a call: limiter, faults, credentials, effect, log |
//! | `kind`, `content`, `call` | what a call asks for |
//! | `gdpr` | create, poll, cancel, and every form of answer |
//! | `task`, `tasks` | progress, conflicts, ends |
//! | `people`, `invent`, `seed`, `export` | whose data there is, and how it is delivered |
//! | `ingest`, `ingested` | `/track`, `/import`, `/engage`, `/groups`, and what arrived there |
//! | `faults`, `limiter`, `clock`, `dice` | what goes wrong, how fast, when, how often |
//! | `control`, `stats`, `log` | the emulator's own door |
//! | `settings`, `forms`, `cli`, `health` | flags, environment, the two commands |

mod call;
pub mod cli;
mod clock;
mod content;
mod control;
mod deliver;
mod dice;
mod export;
mod faults;
pub mod forms;
mod gdpr;
mod health;
mod ingest;
mod ingested;
mod invent;
mod kind;
mod limiter;
mod log;
mod people;
mod seed;
mod server;
pub mod settings;
mod state;
mod stats;
mod task;
mod tasks;

pub use server::{Config, Running, StartError, start};
pub use settings::Settings;
