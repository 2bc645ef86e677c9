#![doc = include_str!("../README.md")]

pub mod archive;
pub mod cli;
pub mod config;
pub mod consent;
mod core_dumps;
pub mod delivery;
pub mod door;
pub mod evidence;
mod failpoint;
pub mod ledger;
pub mod listen;
pub mod mixpanel;
pub mod queue;
pub mod steps;
pub mod telemetry;
pub mod worker;
