//! Evidence: whether the ledger is what it was, and signed statements about it that somebody else can check. Pure:
//! it is given events and texts, and reads no clock, file or Redis.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `entry` | one event as it lies in the stream |
//! | `chain` | the hash of an event over the one before it |
//! | `merkle` | the hash tree over all events, and proofs that one is in it |
//! | `canonical` | the one form in which a statement is written |
//! | `key`, `statement` | Ed25519 keys; signing a statement and opening one |
//! | `checkpoint` | the statement that the ledger had this beginning |
//! | `receipt` | the statement of what became of one request |
//! | `audit` | the walk through a ledger that uses all of it |
//!
//! The chain is made by Lua, whose only hash is SHA-1, and without a secret: it shows accidents and clumsy changes.
//! What makes a checkpoint strong is its SHA-256 Merkle root and its signature: nothing under it can be changed, not even
//! by somebody who computes the whole chain anew or who can make SHA-1 collide.

mod audit;
mod canonical;
mod chain;
mod checkpoint;
mod entry;
mod key;
mod merkle;
mod receipt;
mod statement;

pub use audit::{Audit, Extent, Finding, Ground};
pub use checkpoint::{Checkpoint, Checkpoints};
pub use entry::Entry;
pub use key::{InvalidKey, PublicKey, SigningKey};
pub use merkle::Proof;
pub use receipt::{Deadline, Draft, Receipt};
pub use statement::{Opened, StatementError};

#[cfg(test)]
mod tests;
