//! Exports through the whole of [`super::package`].

mod attacks;
mod disk_full;
pub(in crate::archive) mod exports;
mod hostile;
mod ownership;
mod referee;
mod stories;
pub(in crate::archive) mod workbench;
