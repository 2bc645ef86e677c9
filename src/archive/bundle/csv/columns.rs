//! Which properties get a column: the first ones, in the order in which the events name them.

use std::collections::HashMap;

use crate::archive::bundle::csv::{FIRST, OTHERS, row::Row};

/// Columns of properties at most.
const MOST: usize = 200;
/// A longer name gets no column, so that the names stay small in memory.
const LONGEST_NAME: usize = 256;

/// The columns of properties.
#[derive(Debug, Default)]
pub(super) struct Columns {
    names: Vec<String>,
    places: HashMap<String, usize>,
}

impl Columns {
    /// Takes in the properties of an event.
    pub(super) fn see(&mut self, row: &Row<'_>) {
        for property in &row.properties {
            let name = property.name.as_ref();
            if self.names.len() < MOST && may_name(name) && !self.places.contains_key(name) {
                self.places.insert(name.to_owned(), self.names.len());
                self.names.push(name.to_owned());
            }
        }
    }

    /// Their names, in order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.names.len()
    }

    /// The column of a property, if it has one.
    pub(super) fn place(&self, name: &str) -> Option<usize> {
        self.places.get(name).copied()
    }
}

/// No two columns have the same name.
fn may_name(name: &str) -> bool {
    name.len() <= LONGEST_NAME && name != OTHERS && !FIRST.contains(&name)
}
