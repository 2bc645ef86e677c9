//! One suite of behaviours for every kind of store, and what is special about each kind.

mod behaviours;
mod folder;
mod rig;
mod s3;
mod s3_server;
