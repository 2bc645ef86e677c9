//! The last few written exports. Sealing is different each time, so a download could not go on in one that is
//! written anew.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::Taint;

/// Exports that are kept at once.
const KEPT: usize = 4;

/// An export that will be written by whoever needs it first.
pub(crate) type Cell = Arc<OnceLock<Bytes>>;

/// The exports written last, by link and taints.
#[derive(Debug, Default)]
pub(crate) struct Written {
    cells: VecDeque<(Key, Cell)>,
}

#[derive(Debug, PartialEq)]
struct Key {
    link: String,
    password: String,
    taints: Vec<Taint>,
}

impl Written {
    /// The place of an export; a new one pushes out the oldest.
    pub(crate) fn cell(&mut self, link: &str, password: &str, taints: &[Taint]) -> Cell {
        let content = |taint: &&Taint| {
            matches!(taint, Taint::Stray(_) | Taint::Ambiguous(_) | Taint::Corrupt | Taint::Bomb(_))
        };
        let key = Key {
            link: link.to_owned(),
            password: password.to_owned(),
            taints: taints.iter().filter(content).copied().collect(),
        };
        if let Some((_, cell)) = self.cells.iter().find(|(known, _)| *known == key) {
            return Arc::clone(cell);
        }
        if self.cells.len() == KEPT {
            self.cells.pop_front();
        }
        let cell = Cell::default();
        self.cells.push_back((key, Arc::clone(&cell)));
        cell
    }
}
