//! Stories: a document goes in by XADD, hashes and files are looked at afterwards. Redis is real, Mixpanel is the
//! emulator over HTTP, the workers are processes of the real program that are started, stopped and killed.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod world;

mod access;
mod answers;
mod archives;
mod cancellation;
mod commands;
mod consent;
mod crashes;
mod delivery;
mod delivery_troubles;
mod door;
mod event_commands;
mod evidence;
mod hostile_links;
mod intake;
mod judged;
mod lifecycle;
mod limits;
mod lost_answers;
mod memory;
mod packaging;
mod privacy;
mod race;
mod regressions;
mod retention;
mod scale;
mod tls;
mod topologies;
mod volatile;
